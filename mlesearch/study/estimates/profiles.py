"""What one step of a run takes: measured in finished runs, or guessed.

A profile is that of the closest runs of the same kind of model that are at hand: best of the same model, strategy and
task. Without any, it is the default one, which stands below and is a guess. Where money is spent, only a profile of the
same model, strategy and task is trusted to be less than the default one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlesearch.analysis.text import plural
from mlesearch.config.planning.plan import RunPlan
from mlesearch.config.settings import Settings
from mlesearch.storage.cell_store import size_bytes
from mlesearch.storage.documents import CellIdentity, finished_row, read_run
from mlesearch.storage.layout import run_folders

DEFAULT = "default"
DEFAULT_TOKENS_IN, DEFAULT_TOKENS_OUT = 12_000, 4_000
DEFAULT_CALL_S = 60.0
DEFAULT_PROGRAM_SHARE = 0.25
"""Of its time limit that a program takes."""

DEFAULT_STEP_BYTES = 100_000
DEFAULT_REPAIRS = 1.1
"""Calls for each that is needed: some replies have to be asked for again."""

SIMULATED_TOKENS_IN, SIMULATED_TOKENS_OUT, SIMULATED_PROGRAM_S = 2_800, 450, 1.0
"""Of a simulated engineer, measured on the task rentals; its calls take no time."""

OWN = "this model, strategy and task"
"""Of recorded runs that are trusted where money is spent."""

ModelKind = Literal["simulated", "free", "paid"]
"""Whether models are simulated, live at no price, or live at a price (or at one that is not known)."""

_CALLS_A_STEP = {"gome": 4.0}


@dataclass(frozen=True, slots=True)
class Profile:
    """What one step of a run takes.

    Attributes:
        source: where the numbers are from, in words.
        calls: model calls.
        tokens_in: of all its calls.
        tokens_out: of all its calls.
        call_s: of all its calls, charged seconds.
        program_s: seconds that its program runs.
        disk_bytes: in the run's folder.
    """

    source: str
    calls: float
    tokens_in: float
    tokens_out: float
    call_s: float
    program_s: float
    disk_bytes: float

    @property
    def trusted(self) -> bool:
        """Whether it was measured in runs of the same model, strategy and task."""
        return OWN in self.source


def default_profile(s: Settings, limit_s: float, audited: bool = False) -> Profile:
    """The guess for a strategy that nothing was measured of.

    Args:
        s: of the cell.
        limit_s: of a program.
        audited: whether every valid program is reviewed, whatever the strategy says.
    """
    calls = _CALLS_A_STEP.get(s.strategy.kind, 2.0 if s.strategy.review else 1.0)
    if audited and not s.strategy.review:
        calls += 1.0
    if s.model.kind == "simulated":
        tokens_in, tokens_out = calls * SIMULATED_TOKENS_IN, calls * SIMULATED_TOKENS_OUT
        source = "simulated engineers on the mini suite"
        return Profile(source, calls, tokens_in, tokens_out, 0.0, SIMULATED_PROGRAM_S, DEFAULT_STEP_BYTES)
    calls *= DEFAULT_REPAIRS
    tokens_out = calls * min(DEFAULT_TOKENS_OUT, s.model.sampling.max_tokens)
    program_s = DEFAULT_PROGRAM_SHARE * limit_s
    times = calls * DEFAULT_CALL_S, program_s
    return Profile(DEFAULT, calls, calls * DEFAULT_TOKENS_IN, tokens_out, *times, DEFAULT_STEP_BYTES)


@dataclass(frozen=True, slots=True)
class PastRun:
    """What one step of a finished run took, and what it was a run of.

    Attributes:
        model: its name.
        models: all that answered in it, with their parameters, as text.
        strategy: its name.
        search: the strategy with its parameters and reviews, as text.
        task: its name.
        kind: of the models.
        steps: that it made.
        profile: measured.
    """

    model: str
    models: str
    strategy: str
    search: str
    task: str
    kind: ModelKind
    steps: float
    profile: Profile


def kind_of(simulated: bool, free: bool) -> ModelKind:
    """The kind of a cell's models."""
    return "simulated" if simulated else "free" if free else "paid"


def models_text(identity: CellIdentity) -> str:
    """All that answers in a cell, with its parameters."""
    return json.dumps([identity["model"], identity.get("roles", {})], sort_keys=True)


def search_text(identity: CellIdentity) -> str:
    """The strategy of a cell with all that decides how many calls a step makes, and how long they are."""
    parts = [identity["strategy"], identity["review"], identity.get("audit", False), identity["context"]]
    return json.dumps(parts, sort_keys=True)


def _closeness(
    models: str, search: str, model: str, strategy: str, task: str
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a run shares with those whose profile may be taken for its own, the closest first, each in words."""
    return (
        (OWN, (models, search, task)),
        ("this model and strategy", (models, search)),
        ("this strategy and task", (strategy, task)),
        ("this strategy", (strategy,)),
        ("this model", (model,)),
        ("other runs", ()),
    )


class PastRuns:
    """Profiles measured in the finished runs of some studies."""

    def __init__(self, studies: Iterable[Path] = (), runs: Iterable[PastRun] = ()) -> None:
        """Folders that hold no study count nothing; `runs` are added as they are."""
        found = (_measured(folder) for study in studies for folder in run_folders(study))
        self._kinds: set[ModelKind] = set()
        self._alike: dict[tuple[object, ...], list[PastRun]] = {}
        for run in (*(run for run in found if run is not None), *runs):
            self._kinds.add(run.kind)
            for words, close in _closeness(run.models, run.search, run.model, run.strategy, run.task):
                self._alike.setdefault((run.kind, words, *close), []).append(run)

    def profile_of(self, run: RunPlan, kind: ModelKind) -> Profile | None:
        """The mean of the closest runs of models of the same kind, scaled to the steps of this one; None without any.

        What a simulated engineer was sent says nothing of a language model, nor what a model that is free wrote of
        one that is paid.

        Args:
            run: the planned one.
            kind: of its models.
        """
        key = run.key
        models, search = models_text(run.identity), search_text(run.identity)
        for words, close in _closeness(models, search, key.model, key.strategy, key.task):
            found = self._alike.get((kind, words, *close))
            if found:
                return _scaled(found, f"recorded: {len(found)} of {words}", run, kind)
        return None

    def kinds_beside(self, kind: ModelKind) -> tuple[ModelKind, ...]:
        """Kinds of models that runs are recorded of, other than this one."""
        return tuple(sorted(self._kinds - {kind}))


def _measured(folder: Path) -> PastRun | None:
    """One step of a finished run; None where it is not finished, or never had a program."""
    row = finished_row(folder)
    if row is None or not row["steps"] or not row["n_executions"]:
        return None
    run, steps = read_run(folder), row["steps"]
    identity = run["identity"]
    disk = size_bytes(folder)
    waits = not row["simulated"]  # the calls of a simulated engineer take no time of ours
    profile = Profile(
        "",
        row["n_calls"] / steps,
        row["tokens_in"] / steps,
        row["tokens_out"] / steps,
        max(0.0, row["charged_s"] * identity["workers"] - row["program_s"]) * waits / steps,
        row["program_s"] / steps,
        disk / steps,
    )
    key = run["key"]
    return PastRun(
        key["model"],
        models_text(identity),
        key["strategy"],
        search_text(identity),
        key["task"],
        kind_of(row["simulated"], row["cost_usd"] == 0.0),
        steps,
        profile,
    )


def _scaled(found: Sequence[PastRun], source: str, run: RunPlan, kind: ModelKind) -> Profile:
    """The mean of these runs.

    Prompts grow with what a search has tried: for a longer run of a live model they are taken to grow in proportion,
    up to those of the default profile.
    """
    mean = _mean([r.profile for r in found], source)
    steps, wanted = math.fsum(r.steps for r in found) / len(found), run.settings.budget.steps
    if kind == "simulated" or (wanted is not None and wanted <= steps):
        return mean
    grown = mean.tokens_in * wanted / steps if wanted is not None else math.inf
    tokens_in = max(mean.tokens_in, min(grown, mean.calls * DEFAULT_TOKENS_IN))
    longer = plural(wanted, "step") if wanted is not None else "any number of steps"
    return replace(mean, source=f"{source}, scaled from {steps:g} to {longer}", tokens_in=tokens_in)


def _mean(found: Sequence[Profile], source: str) -> Profile:
    def mean(read: Callable[[Profile], float]) -> float:
        return math.fsum(map(read, found)) / len(found)

    return Profile(
        source,
        mean(lambda p: p.calls),
        mean(lambda p: p.tokens_in),
        mean(lambda p: p.tokens_out),
        mean(lambda p: p.call_s),
        mean(lambda p: p.program_s),
        mean(lambda p: p.disk_bytes),
    )
