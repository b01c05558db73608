"""Executions kept in a store: done once and found again (record), or found and never done (replay).

The key of an execution is all that decides what its program can do: address, program, task version, split seed,
nominal limits, what is collected, rung, warm start and environment. The deadline that was in force depends on what was
left of a time budget, so it stands in the value, and is compared with some slack.

The store also holds what the sandbox said of itself, by the settings that asked for it, so that a replayed run has the
identity and the prompts of the recorded one on a machine that has neither the rung nor the GPU.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from mlesearch.sandbox.protocol import Job, Sandbox, Slot, Spec
from mlesearch.sandbox.syntax import SyntaxCheck, python_here, python_version, syntax_check
from mlesearch.storage.codec import Json, output_to_json, result_from_json, result_to_json
from mlesearch.storage.diff import differences
from mlesearch.storage.entry import Entry, StoreMiss
from mlesearch.storage.file_systems import naming
from mlesearch.storage.files import make_folder
from mlesearch.storage.store import Store, nearest
from mlesearch.types import ConfigError, ExecResult, ExecStatus

MODES = ("off", "record", "replay")
SLACK_S = 1.0
"""By how much the deadline in force may differ from the recorded one before that can have changed the result."""


class ReplaySandbox:
    """Answers every execution from a store; runs nothing, needs no rung and no GPU.

    Args:
        store: a recorded one.
        asked: the settings that ask for the sandbox, as they stood when it was recorded; several where any of them
            will do (`auto`), of which one was recorded.

    Raises:
        ConfigError: no sandbox that was asked for like this was recorded, or several were.
    """

    def __init__(self, store: Store, *asked: Mapping[str, object]) -> None:
        self._store = store
        found = [e for a in asked if (e := store.get(Entry(_description_fields(a), {}).key)) is not None]
        if not found:
            where = min((nearest(store, _description_fields(a), "sandbox") for a in asked), key=len)
            raise ConfigError(f"sandbox.exec_store: no such sandbox was recorded: {where}")
        if len(found) > 1:
            rungs = ", ".join(str(e.value["name"]) for e in found)
            raise ConfigError(f"sandbox.exec_store: recorded on several rungs ({rungs}); name one of them")
        self._said = found[0].value

    def syntax_check(self, here: SyntaxCheck) -> SyntaxCheck:
        """What the recorded interpreter said; the harness' Python where the store holds no such judgements."""
        python = self._said.get("python")
        if python is None:
            return here
        same = python == python_here()
        identity = self.identity()

        def check(program: str) -> str:
            found = self._store.get(Entry(_syntax_fields(program, identity), {}).key)
            if found is not None:
                return str(found.value["fault"])
            return here(program) if same else ""  # faults alone are kept

        return check

    @property
    def name(self) -> str:
        """The recorded rung's."""
        return str(self._said["name"])

    def identity(self) -> Mapping[str, object]:
        """The recorded one: a replayed run is the same run."""
        identity: Json = self._said["identity"]
        return identity

    def packages(self) -> Mapping[str, str]:
        """Those of the recorded rung, so that prompts are the same."""
        packages: dict[str, str] = self._said["packages"]
        return packages

    def check(self) -> None:
        """Nothing is run, so nothing can be lacking."""

    def prepare(self, spec: Spec) -> Slot:
        """A slot that holds nothing."""
        return Slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """What the recorded execution did; its artefacts are written into the outbox.

        Raises:
            StoreMiss: it was not recorded, or under another deadline that can have changed it.
        """
        fields = execution_fields(slot.spec, job, self.identity())
        entry = self._store.get(Entry(fields, {}).key)
        if entry is None:
            raise StoreMiss(f"replay of {job.address}: not recorded; {nearest(self._store, fields, job.address)}")
        trouble = _deadline_trouble(entry.value, job)
        if trouble:
            raise StoreMiss(f"replay of {job.address}: {trouble}")
        return restore(entry, job)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def reap_orphans(self) -> int:
        """Nothing is ever left behind."""
        return 0


class RecordSandbox:
    """Answers an execution from a store where it is there, else runs it and stores it.

    The inner slot is prepared when a program is not in the store, and not before: one that is would waste it.

    Args:
        inner: what runs programs.
        store: where executions go.
        asked: the settings that ask for the sandbox.

    Raises:
        ConfigError: the store was recorded with a sandbox that is asked for alike and differs.
    """

    def __init__(self, inner: Sandbox, store: Store, asked: Mapping[str, object]) -> None:
        self.inner = inner
        self._store = store
        said = {
            "name": inner.name,
            "identity": dict(inner.identity()),
            "packages": dict(inner.packages()),
            "python": python_version(inner),
        }
        self._description = Entry(_description_fields(asked), json.loads(json.dumps(said)))
        stored = store.get(self._description.key)
        self._keeps_faults = (
            stored is None or "python" in stored.value
        )  # one that was begun by an older version does not
        self._described = self._same(stored)

    @property
    def name(self) -> str:
        """The rung's."""
        return self.inner.name

    def identity(self) -> Mapping[str, object]:
        """The rung's."""
        return self.inner.identity()

    def packages(self) -> Mapping[str, str]:
        """The rung's."""
        return self.inner.packages()

    def syntax_check(self, here: SyntaxCheck) -> SyntaxCheck:
        """The rung's, or the harness'; faults are kept, so that a replay comes to the same judgement."""
        judge = syntax_check(self.inner, here)
        if not self._keeps_faults:
            return judge
        identity = self.identity()

        def check(program: str) -> str:
            fault = judge(program)
            if fault:
                entry = Entry(_syntax_fields(program, identity), {"fault": fault})
                if self._store.get(entry.key) is None:
                    self._store.put(entry, "syntax")
            return fault

        return check

    def check(self) -> None:
        """The rung's."""
        self.inner.check()

    def prepare(self, spec: Spec) -> Slot:
        """A slot that holds nothing yet."""
        return Slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        """The stored result, or that of running it now.

        Raises:
            ConfigError: another process has begun to record this store with a sandbox that differs.
            SandboxUnavailable: the rung failed; nothing is stored.
        """
        if not self._described:
            self._described = self._same(self._store.put(self._description, "sandbox"))
        fields = execution_fields(slot.spec, job, self.identity())
        entry = self._store.get(Entry(fields, {}).key)
        if entry is not None and not _deadline_trouble(entry.value, job):
            return restore(entry, job)
        result = self.inner.run(self.inner.prepare(slot.spec), job)
        made = packed(fields, job, result)
        kept = self._store.put(made, job.address, replace=entry is not None)
        return result if kept is made else restore(kept, job)

    def close(self) -> None:
        """Close the store and the rung."""
        self._store.close()
        self.inner.close()

    def reap_orphans(self) -> int:
        """The rung's."""
        return self.inner.reap_orphans()

    def _same(self, stored: Entry | None) -> bool:
        """Whether the store describes this sandbox; False where it describes none that is asked for like this."""
        if stored is None:
            return False
        mine = {k: v for k, v in self._description.value.items() if k != "python" or k in stored.value}
        different = differences(stored.value, mine)
        if different:
            raise ConfigError(
                "sandbox.exec_store: the store was recorded with a sandbox that differs from this one in "
                f"{different[0]}; choose another sandbox.exec_store_path"
            )
        return True


def _description_fields(asked: Mapping[str, object]) -> Json:
    return {"kind": "sandbox", "asked": dict(asked)}


def _syntax_fields(program: str, identity: Mapping[str, object]) -> Json:
    """What makes the key of a judgement of a program's syntax."""
    return {
        "kind": "syntax",
        "program": hashlib.sha256(program.encode("utf-8", "replace")).hexdigest(),
        "rung": identity.get("rung"),
        "environment": identity.get("environment"),
    }


def execution_fields(spec: Spec, job: Job, identity: Mapping[str, object]) -> Json:
    """What makes the key of an execution."""
    return {
        "kind": "execution",
        "address": job.address,
        "program": hashlib.sha256(job.program.encode("utf-8", "replace")).hexdigest(),
        "task": spec.task,
        "split_seed": spec.split_seed,
        "limits": {**asdict(spec.limits), "time_s": float(spec.limits.time_s)},
        "gpus": spec.gpus,
        "collect": list(job.collect),
        "rung": identity.get("rung"),
        "environment": identity.get("environment"),
        "warm": identity.get("warm"),
        "weights": _weights(identity),
    }


def _weights(identity: Mapping[str, object]) -> str:
    """The digest of the pretrained weights that programs may read; empty without any."""
    found = identity.get("weights")
    return str(found["digest"]) if isinstance(found, Mapping) else ""


def packed(fields: Json, job: Job, result: ExecResult) -> Entry:
    """An execution as it is stored, with the bytes of its artefacts."""
    value: Json = {
        "deadline_us": round(job.deadline_s * 1e6),
        "result": result_to_json(result),
        "output": output_to_json(result),
        "promises": list(result.promises),
    }
    blobs = {name: a.path.read_bytes() for name, a in result.artefacts.items() if a.path is not None}
    return Entry(fields, value, blobs)


def restore(entry: Entry, job: Job) -> ExecResult:
    """The result of a stored execution, its artefacts written where this job wants them, each whole or not at all.

    Raises:
        StoreMiss: the entry names an artefact that was not asked for, or lacks the bytes of one.
    """
    value = entry.value
    result = result_from_json(value["result"], value["output"], job.outbox, tuple(value["promises"]))
    for name, artefact in result.artefacts.items():
        if artefact.path is None:
            continue
        job.check_owner()
        make_folder(job.outbox)
        if name not in job.collect or Path(name).name != name or name not in entry.blobs:
            raise StoreMiss(f"replay of {job.address}: the entry {entry.key} has no content of {name!r}")
        part = job.outbox / f".{name}.{entry.key[:12]}.part"
        try:
            with naming(artefact.path):
                part.write_bytes(entry.blobs[name])
            part.replace(artefact.path)
        finally:
            part.unlink(missing_ok=True)
    return result


def _deadline_trouble(value: Json, job: Job) -> str:
    """Why the deadline of now would have changed the stored result; empty where it would not."""
    stored_us, now_us = value["deadline_us"], round(job.deadline_s * 1e6)
    took_us, slack_us = value["result"]["wall_us"], round(SLACK_S * 1e6)
    words = f"recorded under a deadline of {stored_us / 1e6:g} s, asked for under one of {now_us / 1e6:g} s"
    if abs(stored_us - now_us) <= slack_us:
        return ""
    if value["result"]["status"] == ExecStatus.TIMEOUT.value:
        return f"a program that was cut, {words}"
    return f"it took {took_us / 1e6:g} s, {words}" if took_us > now_us + slack_us else ""
