"""What a launch will take before it starts: calls, tokens, USD, GPU hours, wall time and disk.

Every number is (steps of a run) x (a profile: what one step took). A profile is measured where finished runs are at
hand, best of the same model and strategy, else of the same strategy, else of any; without any, it is the default one,
which stands below and is a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.config.plan import RunPlan
from mlesearch.config.settings import Settings
from mlesearch.config.spending import cell_of
from mlesearch.models.price import Price
from mlesearch.storage.files import read_json
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

_CALLS_A_STEP = {"gome": 3.0}
_PAID_FOR = ("litellm",)
DAY_S = 86_400.0


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


def default_profile(s: Settings, limit_s: float) -> Profile:
    """The guess for a strategy that nothing was measured of.

    Args:
        s: of the cell.
        limit_s: of a program.
    """
    calls = _CALLS_A_STEP.get(s.strategy.kind, 2.0 if s.strategy.review else 1.0)
    if s.model.kind == "simulated":
        tokens_in, tokens_out = calls * SIMULATED_TOKENS_IN, calls * SIMULATED_TOKENS_OUT
        source = "simulated engineers on the mini suite"
        return Profile(source, calls, tokens_in, tokens_out, 0.0, SIMULATED_PROGRAM_S, DEFAULT_STEP_BYTES)
    calls *= DEFAULT_REPAIRS
    tokens_out = calls * min(DEFAULT_TOKENS_OUT, s.model.sampling.max_tokens)
    program_s = DEFAULT_PROGRAM_SHARE * limit_s
    times = calls * DEFAULT_CALL_S, program_s
    return Profile(DEFAULT, calls, calls * DEFAULT_TOKENS_IN, tokens_out, *times, DEFAULT_STEP_BYTES)


class Recorded:
    """Profiles measured in the finished runs of some studies."""

    def __init__(self, studies: Iterable[Path]) -> None:
        """Folders that hold no study count nothing."""
        self._rows: list[tuple[str, str, str, Profile]] = []  # model, strategy, task
        for study in studies:
            for folder in run_folders(study):
                profile = _measured(folder)
                if profile is not None:
                    key = read_json(folder / "run.json")["key"]
                    self._rows.append((key["model"], key["strategy"], key["task"], profile))

    def of(self, model: str, strategy: str, task: str) -> Profile | None:
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
    result = folder / "result.json"
    row = read_json(result) if result.exists() else {}
    if row.get("status", "failed") == "failed" or not row["steps"]:
        return None
    steps = row["steps"]
    disk = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    waits = not row["simulated"]  # the calls of a simulated engineer take no time of ours
    return Profile(
        "",
        row["n_calls"] / steps,
        row["tokens_in"] / steps,
        row["tokens_out"] / steps,
        max(0.0, row["charged_s"] * _workers(folder) - row["program_s"]) * waits / steps,
        row["program_s"] / steps,
        disk / steps,
    )


def _workers(folder: Path) -> int:
    workers: int = read_json(folder / "run.json")["identity"]["workers"]
    return workers


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


def spends(s: Settings) -> bool:
    """Whether a cell calls a model that real money is paid for."""
    kinds = {s.model.kind, *(role["kind"] for role in s.model.roles.values())}
    return s.cassette != "replay" and not kinds.isdisjoint(_PAID_FOR)


# from profiles to sums


@dataclass(frozen=True, slots=True)
class Row:
    """A cell, or all of them: what its unfinished runs will take.

    Attributes:
        name: of the cell.
        runs: to do.
        usd: None where a price is not known.
        virtual: whether no real money is spent.
        profile: where the numbers are from.
    """

    name: str
    runs: int
    steps: float
    calls: float
    tokens_in: float
    tokens_out: float
    usd: float | None
    virtual: bool
    charged_s: float
    gpu_h: float
    disk_bytes: float
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a launch: its cells, and their limits taken together.

    Attributes:
        rows: one a cell.
        usd: real money of all cells; None where a price is not known.
        unpriced: models whose price is not known.
    """

    rows: tuple[Row, ...]
    usd: float | None
    unpriced: tuple[str, ...]

    def total(self, read: Callable[[Row], float]) -> float:
        """A sum over the cells."""
        return math.fsum(map(read, self.rows))

    def wall_s(self, gpus: int, slots: int, side_by_side: int) -> float:
        """Wall-clock seconds with so many GPUs, of so many slots each, and so many timelines at once."""
        on_gpus = self.total(lambda r: r.gpu_h) * 3600 / (gpus * slots) if gpus else 0.0
        return max(on_gpus, self.total(lambda r: r.charged_s) / side_by_side)


def estimate(runs: Sequence[RunPlan], recorded: Recorded, price_of: Callable[[Settings], Price | None]) -> Estimate:
    """What these runs will take.

    Args:
        runs: the unfinished runs of a launch.
        recorded: what was measured.
        price_of: of a cell's model; of several in roles, the dearest.
    """
    cells: dict[str, list[RunPlan]] = {}
    for run in runs:
        cells.setdefault(cell_of(run.key), []).append(run)
    rows, unpriced = [], set()
    for name, members in cells.items():
        s = members[0].settings
        price = None if s.cassette == "replay" else price_of(s)
        row = _cell(name, members, recorded, price)
        if row.usd is None:
            unpriced.add(s.model.name)
        rows.append(row)
    paid = [r.usd for r in rows if not r.virtual and r.usd is not None]
    usd = None if any(r.usd is None and not r.virtual for r in rows) else math.fsum(paid)
    limit = runs[0].settings.budget.study_usd if runs else None
    if usd is not None and limit is not None:
        usd = min(usd, limit)
    return Estimate(tuple(rows), usd, tuple(sorted(unpriced)))


def _cell(name: str, runs: Sequence[RunPlan], recorded: Recorded, price: Price | None) -> Row:
    s = runs[0].settings
    found = [_run(run, recorded, price) for run in runs]
    usd = None if any(r.usd is None for r in found) else math.fsum(r.usd for r in found if r.usd is not None)
    if usd is not None and s.budget.cell_usd is not None:
        usd = min(usd, s.budget.cell_usd)

    def total(read: Callable[[Row], float]) -> float:
        return math.fsum(map(read, found))

    return Row(
        name,
        len(found),
        total(lambda r: r.steps),
        total(lambda r: r.calls),
        total(lambda r: r.tokens_in),
        total(lambda r: r.tokens_out),
        usd,
        found[0].virtual,
        total(lambda r: r.charged_s),
        total(lambda r: r.gpu_h),
        total(lambda r: r.disk_bytes),
        "; ".join(sorted({r.profile for r in found})),
    )


def _run(run: RunPlan, recorded: Recorded, price: Price | None) -> Row:
    """One run: as many steps as its tightest limit allows."""
    s = run.settings
    profile = recorded.of(run.key.model, run.key.strategy, run.key.task) or default_profile(
        s, run.identity["limits"]["time_s"]
    )
    replays = s.cassette == "replay"
    step_usd = 0.0 if replays else None
    if price is not None:
        step_usd = price.most_nusd(round(profile.tokens_in), round(profile.tokens_out)) / 1e9
    steps = _steps(s, profile, step_usd)
    usd = None if step_usd is None else steps * step_usd
    if usd is not None and s.budget.cost_usd is not None:
        usd = min(usd, s.budget.cost_usd)
    executed = s.sandbox.exec_store != "replay"
    return Row(
        run.key.id,
        1,
        steps,
        0.0 if replays else steps * profile.calls,
        steps * profile.tokens_in,
        steps * profile.tokens_out,
        usd,
        replays or not spends(s),
        steps * (profile.call_s * (not replays) + profile.program_s * executed),
        steps * profile.program_s * executed / 3600 if s.sandbox.gpus else 0.0,
        steps * profile.disk_bytes,
        profile.source,
    )


def _steps(s: Settings, profile: Profile, step_usd: float | None) -> float:
    """Steps until the first limit of a run is reached."""
    b, step_s = s.budget, (profile.call_s + profile.program_s) / s.run.workers
    allowed: Mapping[str, float | None] = {
        "steps": b.steps,
        "time_s": _ratio(None if b.time_s is None else b.time_s - b.reserve_s, step_s),
        "cost_usd": _ratio(b.cost_usd, step_usd),
        "tokens": _ratio(b.tokens, profile.tokens_in + profile.tokens_out),
        "gpu_s": _ratio(b.gpu_s, profile.program_s),
    }
    return min((n for n in allowed.values() if n is not None), default=0.0)


def _ratio(limit: float | None, step: float | None) -> float | None:
    return None if limit is None or not step else limit / step


# in words


def number(n: float) -> str:
    """A count as short as it can be said."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if n >= size:
            return f"{n / (size if unit != ' k' else 1e3):,.1f}{unit}"
    return f"{n:,.0f}"


def money(usd: float | None) -> str:
    """USD, or that nobody knows."""
    return "unknown" if usd is None else f"${usd:,.2f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for size, unit in ((DAY_S, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size or unit == "minutes":
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"


def table(e: Estimate) -> list[dict[str, object]]:
    """One row a cell, for the terminal."""
    return [
        {
            "cell": r.name,
            "runs": r.runs,
            "steps": number(r.steps),
            "calls": number(r.calls),
            "tokens in": number(r.tokens_in),
            "tokens out": number(r.tokens_out),
            "USD": money(r.usd) + (" (virtual)" if r.virtual and r.usd else ""),
            "GPU h": f"{r.gpu_h:,.1f}",
            "profile": r.profile,
        }
        for r in e.rows
    ]
