"""The ladder of rungs: which of them work on this machine, what each promises here, and which one `auto` takes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, cast, runtime_checkable

from mlesearch.sandbox import environment, options
from mlesearch.sandbox.inside import cgroup, landlock, seccomp
from mlesearch.sandbox.packaged import PackagedSandbox
from mlesearch.sandbox.promises import LAYERED, Degree, Promise, in_words
from mlesearch.sandbox.protocol import Sandbox, Spec
from mlesearch.sandbox.rungs import docker_image, kernel
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


@runtime_checkable
class _Weaker(Protocol):
    """A rung that says in words what is weaker on this machine."""

    def notes(self) -> tuple[str, ...]: ...


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
class ChosenRung:
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
        return known_params(self.name, given) if self.automatic else dict(given)


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


def open_chosen(chosen: ChosenRung, params: Mapping[str, object]) -> Sandbox:
    """The chosen rung. That it keeps what is required of GPUs was seen by `choose`; it can't tell by itself.

    Raises:
        ConfigError: a parameter that the rung does not have.
        SandboxUnavailable: it does not work any more.
    """
    given = chosen.params(params)
    if isinstance(given.get("require"), list):
        given["require"] = [p for p in cast("list[str]", given["require"]) if not p.startswith("gpu_pinned")]
    return make(chosen.name, given)


def check_folders(name: str, params: Mapping[str, object], *specs: Spec) -> None:
    """Whether all that programs may not read is out of their reach on a rung, before anything is started.

    Args:
        name: of the rung.
        params: of its `make`.
        specs: each names a public folder, the answers and what else is concealed. What programs may read is found
            out once for all of them.

    Raises:
        ConfigError: something is within reach; the text says what, and where.
    """
    shares_the_machine = name in CHOSEN_BY_AUTO[1:] or (name == "docker" and params.get("image") == docker_image.HOST)
    python = environment.interpreter() if shares_the_machine else None
    granted = [] if python is None else environment.allowed(python)
    excluded = [] if python is None else environment.excluded(python)
    for spec in specs:
        environment.check_folders(spec, granted, excluded)


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
) -> ChosenRung:
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
            return ChosenRung(each, "; ".join([why, *_weaker(rung), *passed]), tuple(seen), automatic=True)
    said = "; ".join(f"{r.name}: {_objection(r, require)}{r.todo and f' ({r.todo})'}" for r in seen)
    wanted = f" that keeps {', '.join(require)}" if require else ""
    raise ConfigError(f"sandbox=auto: no rung{wanted} works on this machine: {said}")


def _named(name: str, require: Sequence[str], params: Mapping[str, object] | None, gpu: bool) -> ChosenRung:
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
    return ChosenRung(name, "; ".join([f"{name}, as asked for", *_weaker(rung)]), (rung,), automatic=False)


def _weaker(rung: Rung) -> list[str]:
    """What rests on fewer layers here than the rung has elsewhere. That of memory is told by the promises alone."""
    told = [p for p in rung.promises if p.degree is Degree.ADVISORY and p.name in LAYERED]
    return [f"{p.name} is advisory here: {p.words}" for p in told]


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


def known_params(name: str, params: Mapping[str, object]) -> dict[str, object]:
    """Parameters of rungs without those that this one does not know."""
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
        sandbox = make(name, {**known_params(name, dict(params)), "warm": False})
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
    return Rung(name, not why, why, todo, in_words(name, promised), notes)


def _expected(name: str) -> tuple[str, ...]:
    """What a rung that does not work would promise on this kernel."""
    if name not in CHOSEN_BY_AUTO:
        return ()
    if name == "local":
        return kernel.promised(landlock.abi(), bool(cgroup.parents()))
    in_docker = name == "docker"
    return kernel.promised_in_namespaces(
        has_landlock=in_docker or landlock.abi() >= 1,
        has_filter=seccomp.supported(),
        has_limit=in_docker or bool(cgroup.parents()),
    )
