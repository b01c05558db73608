"""The ladder of rungs: which of them work on this machine, what each promises here, and which one `auto` takes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, cast, runtime_checkable

from mlesearch.sandbox import options
from mlesearch.sandbox.inside import cgroup, landlock
from mlesearch.sandbox.packaged import PackagedSandbox
from mlesearch.sandbox.protocol import PROMISES, Sandbox
from mlesearch.sandbox.rungs import kernel
from mlesearch.types import ConfigError, Registry, SandboxUnavailable

AUTO = "auto"
SANDBOXES = Registry(
    setting="sandbox.kind",
    noun="sandbox",
    group="mlesearch.sandboxes",
    builtin={
        "docker": "mlesearch.sandbox.rungs.docker:make",
        "bubblewrap": "mlesearch.sandbox.rungs.bubblewrap:make",
        "local": "mlesearch.sandbox.rungs.local:make",
        "unsafe": "mlesearch.sandbox.rungs.unsafe:make",
    },
    beside=(AUTO,),
)
"""The rungs, the strongest first, each a factory `make(params) -> Sandbox`. `auto` takes neither the last one nor one
of an installed package."""
CHOSEN_BY_AUTO = ("docker", "bubblewrap", "local")

_TREE = {
    "docker": "a process namespace: the kernel ends it with its first process, which watches the orchestrator",
    "bubblewrap": "a process namespace: the kernel ends it with its first process, which watches the orchestrator",
    "local": "a supervisor that adopts all that the program starts and kills until nothing is left",
}
_MEANS: Mapping[str, Mapping[str, str]] = {
    "net_off": {
        "docker": "a network namespace with nothing in it",
        "bubblewrap": "a network namespace with nothing in it",
        "local": "a seccomp filter: no sockets but a connected pair of streams",
    },
    "data_read_only": {
        "docker": "a read-only mount",
        "bubblewrap": "a read-only mount",
        "local": "Landlock; changes of a file's attributes do nothing",
    },
    "answers_absent": {
        "docker": "they are not in the container, nor is mlesearch or a bundled data set",
        "bubblewrap": "they are not in its file system, nor is mlesearch or a bundled data set",
        "local": "Landlock: an allow-list beside the answers, mlesearch and the bundled data sets",
    },
    "tree_kill": _TREE,
    "gpu_pinned": {
        "docker": "the container is given that GPU alone",
        "bubblewrap": "the nodes of that GPU alone are bound",
        "local": "CUDA_VISIBLE_DEVICES",
    },
    "disk_bound": dict.fromkeys(
        CHOSEN_BY_AUTO, "a watchdog counts bytes and entries every 50 ms; one file is bounded at once"
    ),
}
_MEMORY = {
    "memory_hard": ("a control group", "a watchdog sums the tree every 50 ms; one huge allocation fails at once"),
    "oom_signal": ("the control group's count of kills", "the watchdog, or a MemoryError that ended the program"),
}


@runtime_checkable
class _Weaker(Protocol):
    """A rung that says in words what is weaker on this machine."""

    def notes(self) -> tuple[str, ...]: ...


class Degree(StrEnum):
    """How far a promise goes."""

    HELD = "held"
    ADVISORY = "advisory"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of one rung.

    Attributes:
        name: one of `protocol.PROMISES`.
        degree: how far it goes.
        words: by what it is kept; empty where it is absent.
    """

    name: str
    degree: Degree
    words: str


@dataclass(frozen=True, slots=True)
class Rung:
    """What was found out about one rung on this machine.

    Attributes:
        name: docker, bubblewrap, local or unsafe.
        works: whether a trial program came through.
        why: why it does not work; empty where it does.
        todo: what to do about that; empty where it works.
        promises: one for each of `protocol.PROMISES`: what it holds, or would hold here if it worked.
        notes: in words, what is weaker on this machine.
    """

    name: str
    works: bool
    why: str
    todo: str
    promises: tuple[Promise, ...]
    notes: tuple[str, ...] = ()

    def degree(self, promise: str) -> Degree:
        """How far a promise goes here."""
        return next(p.degree for p in self.promises if p.name == promise)


@dataclass(frozen=True, slots=True)
class Choice:
    """The rung that is used.

    Attributes:
        name: of the rung.
        why: in one line, for the log and for `run.json`.
        rungs: what was found out on the way; those below the chosen one were not tried.
        automatic: whether `auto` chose it.
    """

    name: str
    why: str
    rungs: tuple[Rung, ...]
    automatic: bool

    def params(self, given: Mapping[str, object]) -> dict[str, object]:
        """Of the chosen rung: what only another one knows is left out where `auto` chose."""
        return _known(self.name, given) if self.automatic else dict(given)


def make(name: str, params: Mapping[str, object]) -> Sandbox:
    """A rung by its name.

    Args:
        name: one of SANDBOXES.
        params: of its `make`.

    Raises:
        ConfigError: no such rung, or a parameter that it does not have.
        SandboxUnavailable: it can't work here; the text says why and what to do.
    """
    made = cast(Sandbox, SANDBOXES.load(name)(params))
    package = SANDBOXES.package(name)
    return made if package is None else PackagedSandbox(made, package)


def open_choice(choice: Choice, params: Mapping[str, object]) -> Sandbox:
    """The chosen rung. That it keeps what is required of GPUs was seen by `choose`; it can't tell by itself.

    Raises:
        ConfigError: a parameter that the rung does not have.
        SandboxUnavailable: it does not work any more.
    """
    given = choice.params(params)
    if isinstance(given.get("require"), list):
        given["require"] = [p for p in cast("list[str]", given["require"]) if not p.startswith("gpu_pinned")]
    return make(choice.name, given)


def probe(
    names: Sequence[str] = tuple(SANDBOXES.builtin), params: Mapping[str, object] | None = None, gpu: bool = False
) -> tuple[Rung, ...]:
    """Try rungs with a small program each, some tenths of a second for one; once in a process.

    Args:
        names: of the rungs.
        params: of the rungs' `make`; what one rung does not know is left out for it. `require` is not asked for.
        gpu: whether every program gets a GPU.

    Raises:
        ConfigError: no such rung, or a value that is not allowed.
    """
    given = {} if params is None else {k: v for k, v in params.items() if k != "require"}
    return tuple(_probe(name, _frozen(given), gpu, os.getpid()) for name in names)


def choose(
    name: str, require: Sequence[str] = (), params: Mapping[str, object] | None = None, gpu: bool = False
) -> Choice:
    """The rung that a name stands for: `auto` is the strongest one that works here and keeps what is required.

    Args:
        name: `auto`, or a rung.
        require: promises without which nothing may be run.
        params: of the rungs' `make`.
        gpu: whether every program gets a GPU.

    Raises:
        ConfigError: no such rung, none works, or none keeps what is required; in one line.
    """
    options.check_names(require)
    if name != AUTO:
        return _named(name, require, params, gpu)
    seen: list[Rung] = []
    for each in CHOSEN_BY_AUTO:
        (rung,) = probe((each,), params, gpu)
        seen.append(rung)
        if rung.works and not _lacking(rung, require):
            passed = [f"{r.name}: {_objection(r, require)}" for r in seen[:-1]]
            why = f"{each}, the strongest rung that works here" + (" and keeps what is required" if require else "")
            return Choice(each, "; ".join([why, *passed]), tuple(seen), automatic=True)
    said = "; ".join(f"{r.name}: {_objection(r, require)}{r.todo and f' ({r.todo})'}" for r in seen)
    wanted = f" that keeps {', '.join(require)}" if require else ""
    raise ConfigError(f"sandbox=auto: no rung{wanted} works on this machine: {said}")


def _named(name: str, require: Sequence[str], params: Mapping[str, object] | None, gpu: bool) -> Choice:
    (rung,) = probe((name,), params, gpu)
    if not rung.works:
        raise ConfigError(f"sandbox={name}: {rung.why}; {rung.todo}")
    if _lacking(rung, require):
        kept = [p for p in rung.promises if p.degree is not Degree.ABSENT]
        held = [p.name if p.degree is Degree.HELD else f"{p.name}: {p.degree}" for p in kept]
        raise ConfigError(
            f"sandbox.require: the rung {name} does not keep {', '.join(_lacking(rung, require))} on this machine; it "
            f"promises: {', '.join(held) or 'nothing'}; use another rung (mlesearch sandbox check lists them) or "
            "require less"
        )
    return Choice(name, f"{name}, as asked for", (rung,), automatic=False)


def _lacking(rung: Rung, require: Sequence[str]) -> list[str]:
    """What is required and not kept; `x: advisory` is kept by the full promise too."""
    found = []
    for promise in require:
        name = promise.removesuffix(": advisory")
        enough = (Degree.HELD,) if name == promise else (Degree.HELD, Degree.ADVISORY)
        if rung.degree(name) not in enough:
            found.append(promise)
    return found


def _objection(rung: Rung, require: Sequence[str]) -> str:
    return rung.why if not rung.works else f"does not keep {', '.join(_lacking(rung, require))}"


def _known(name: str, params: Mapping[str, object]) -> dict[str, object]:
    return {k: v for k, v in params.items() if k != "image" or name not in CHOSEN_BY_AUTO[1:]}


def _frozen(params: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in params.items()))


@lru_cache(maxsize=32)
def _probe(name: str, params: tuple[tuple[str, object], ...], gpu: bool, pid: int) -> Rung:
    """One rung, tried; `pid` makes a fork try for itself."""
    why = todo = ""
    promised = _expected(name)
    notes: tuple[str, ...] = ()
    sandbox: Sandbox | None = None
    try:
        sandbox = make(name, {**_known(name, dict(params)), "warm": False})
        promised = tuple(cast("Sequence[str]", sandbox.identity()["promises"]))
        pinned = str(getattr(sandbox, "gpu_promise", "")) if gpu else ""
        promised += (pinned,) if pinned else ()
        sandbox.check()
        notes = tuple(sandbox.notes()) if isinstance(sandbox, _Weaker) else ()
    except SandboxUnavailable as error:
        why, _, todo = str(error).removeprefix(f"sandbox {name}: ").partition("; ")
        todo = todo or "see the declared gaps in docs/sandbox.md"
    finally:
        if sandbox is not None:
            with contextlib.suppress(SandboxUnavailable, OSError):
                sandbox.close()
    return Rung(name, not why, why, todo, _in_words(name, promised), notes)


def _expected(name: str) -> tuple[str, ...]:
    """What a rung that does not work would promise on this kernel."""
    if name not in CHOSEN_BY_AUTO:
        return ()
    return kernel.promised(landlock.abi() if name == "local" else 1, name == "docker" or bool(cgroup.parents()))


def _in_words(rung: str, promised: Sequence[str]) -> tuple[Promise, ...]:
    found = []
    for name in PROMISES:
        degree = Degree.ABSENT
        if name in promised:
            degree = Degree.HELD
        elif f"{name}: advisory" in promised:
            degree = Degree.ADVISORY
        words = ""
        if degree is not Degree.ABSENT:
            words = _MEMORY[name][degree is Degree.ADVISORY] if name in _MEMORY else _MEANS.get(name, {}).get(rung, "")
        found.append(Promise(name, degree, words))
    return tuple(found)
