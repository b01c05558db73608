"""What one step of a run takes: measured in finished runs, or guessed.

A profile is that of the closest runs that are at hand: best of the same model and strategy, else of the same strategy,
else of any. Without any, it is the default one, which stands below and is a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.config.settings import Settings
from mlesearch.storage.documents import finished_row, read_run
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


class PastRuns:
    """Profiles measured in the finished runs of some studies."""

    def __init__(self, studies: Iterable[Path]) -> None:
        """Folders that hold no study count nothing."""
        self._rows: list[tuple[str, str, str, Profile]] = []  # model, strategy, task
        for study in studies:
            for folder in run_folders(study):
                profile = _measured(folder)
                if profile is not None:
                    key = read_run(folder)["key"]
                    self._rows.append((key["model"], key["strategy"], key["task"], profile))

    def profile_of(self, model: str, strategy: str, task: str) -> Profile | None:
        """The mean of the closest runs; None where there are none."""
        for words, wanted in (
            ("this model, strategy and task", (model, strategy, task)),
            ("this model and strategy", (model, strategy, None)),
            ("this strategy and task", (None, strategy, task)),
            ("this strategy", (None, strategy, None)),
            ("this model", (model, None, None)),
            ("other runs", (None, None, None)),
        ):
            found = [
                profile
                for *key, profile in self._rows
                if all(w is None or w == k for w, k in zip(wanted, key, strict=True))
            ]
            if found:
                return _mean(found, f"recorded: {len(found)} of {words}")
        return None


def _measured(folder: Path) -> Profile | None:
    """One step of a finished run; None where it is not finished or made no step."""
    row = finished_row(folder)
    if row is None or not row["steps"]:
        return None
    steps = row["steps"]
    disk = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    waits = not row["simulated"]  # the calls of a simulated engineer take no time of ours
    return Profile(
        "",
        row["n_calls"] / steps,
        row["tokens_in"] / steps,
        row["tokens_out"] / steps,
        max(0.0, row["charged_s"] * read_run(folder)["identity"]["workers"] - row["program_s"]) * waits / steps,
        row["program_s"] / steps,
        disk / steps,
    )


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
