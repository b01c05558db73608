"""`mlesearch power`: what a design can detect and what it costs, from a pilot study, a launch, or assumptions."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlesearch.analysis.planning.designs import (
    PRACTICAL_SEEDS,
    CrossoverNeeds,
    Design,
    DesignRow,
    GapNeeds,
    RunCost,
    Taken,
    crossover_needs,
    design_rows,
    gap_needs,
)
from mlesearch.analysis.planning.spread import assumed_spread, spread_of_counts
from mlesearch.analysis.text import plural
from mlesearch.cli.terminal import money, number, shown, table
from mlesearch.storage.claim import OUTCOMES
from mlesearch.study.output import say
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from mlesearch.analysis.planning.power import Spread
    from mlesearch.analysis.results import Results

_UNKNOWN = RunCost(None, None, None, None, "what a run costs is not known: name a pilot (--from) or an experiment")
DEFAULT_RATE = 30.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many models, tasks and seeds, and the models of each end group."""

    models: int
    tasks: int
    seeds: int
    low: int
    high: int


def power(args: Namespace, overrides: Sequence[str]) -> int:
    """Say what a design detects, and what it takes.

    Args:
        args: the command's options.
        overrides: of the planned launch, for Hydra; none: there is no launch.
    """
    pilot = None if args.source is None else _analysed(Path(args.source))
    counts, cost = _launched(overrides, args.multirun) if overrides else (None, None)
    spread: Spread | None = None
    if pilot is not None:
        there, spread, measured = _piloted(pilot, shown(Path(args.source)))
        counts, cost = counts or there, cost or measured
    counts = _counted(args, counts)
    if spread is None:
        rate = DEFAULT_RATE if args.rate is None else args.rate
        spread = assumed_spread(rate / 100, counts.models, min(counts.low or 1, counts.high or 1))
    design = Design(counts.models, counts.low, counts.high, counts.tasks, counts.seeds, spread, cost or _UNKNOWN)
    gap = None if args.gap is None else args.gap / 100
    rows = design_rows(design, gap=gap)
    needs = None if gap is None else gap_needs(design, gap)
    crossover = None if args.crossover is None else _crossover(design, args.crossover)
    if args.json:
        say(json.dumps(_json(design, rows, needs, crossover), indent=1))
        return 0
    say(_heading(design))
    table([_row(row, design, gap) for row in rows])
    lines = [_gap_line(design, needs)] if needs is not None else []
    lines += _crossover_lines(design, crossover) if crossover is not None else []
    say("\n".join([*lines, design.cost.source]))
    return 0


def _counted(args: Namespace, there: Counts | None) -> Counts:
    """The numbers of models, tasks and seeds: as asked for, else as planned or piloted.

    Raises:
        ConfigError: one is not known, or is too small.
    """
    found = {}
    for name, least in (("models", 1), ("tasks", 2), ("seeds", 1)):
        value = getattr(args, name)
        if value is None and there is None:
            raise ConfigError(f"--{name}: give a number, or name a pilot study (--from STUDY) or an experiment")
        found[name] = getattr(there, name) if value is None else value
        if found[name] < least:
            raise ConfigError(f"--{name}: {found[name]}; at least {least} {'is' if least == 1 else 'are'} needed")
    if args.rate is not None and not 0 < args.rate < 100:
        raise ConfigError(f"--rate: {args.rate:g}; it is in percent, above 0 and below 100")
    if args.rate is not None and args.source is not None:
        raise ConfigError("--rate: a rate is assumed where there is no pilot; leave it or --from out")
    if args.gap is not None and not 0 < abs(args.gap) < 100:
        raise ConfigError(f"--gap: {args.gap:g}; it is in percentage points, not 0 and below 100")
    size = max(2, found["models"] // 3) if found["models"] >= 4 else 0
    grouped = there is not None and found["models"] == there.models
    low, high = (there.low, there.high) if grouped and there is not None else (size, size)
    return Counts(**found, low=low, high=high)


def _crossover(design: Design, points: Sequence[float]) -> CrossoverNeeds:
    low, high = points
    if not low < 0 < high or max(-low, high) >= 100:
        raise ConfigError(
            f"--crossover: {low:g} {high:g}; the low group's gap is below 0 and the high group's above, in points"
        )
    if min(design.low, design.high) < 2:
        raise ConfigError(
            "--crossover: two models at each end are needed, and there are "
            f"{plural(design.models, 'model')}; plan at least four (--models)"
        )
    return crossover_needs(design, (low / 100, high / 100))


def _launched(overrides: Sequence[str], multirun: bool) -> tuple[Counts, RunCost]:
    """The numbers of a launch, and what its runs are estimated to take."""
    from mlesearch.analysis.statistics.crossover import groups_by_capability
    from mlesearch.config.loading.compose import jobs
    from mlesearch.config.parts.resources import ProcessResources
    from mlesearch.config.planning.plan import plan
    from mlesearch.study.estimates.estimate import estimate_plan

    launch = jobs(overrides, multirun)
    with ProcessResources() as resources:
        planned = plan([cell.settings for cell in launch.jobs], resources, keys=False, on="workers")
        new = replace(planned, states=dict.fromkeys(planned.states, "new"))
        found = estimate_plan(new, resources)
    models = {r.key.model: r.settings.model for r in planned.runs}
    capability = {name: m.capability for name, m in models.items() if m.capability is not None}
    low: tuple[str, ...] = ()
    high: tuple[str, ...] = ()
    if len(capability) == len(models) >= 4:
        low, high = groups_by_capability(list(capability), list(capability.values()))
    of_cell = {r.key.cell: r.key.model for r in planned.runs}
    usd = {(of_cell[r.name], r.name): None if r.usd is None else r.usd / r.runs for r in found.rows}
    gpu_h = {(of_cell[r.name], r.name): r.gpu_h / r.runs for r in found.rows}
    ends = {*low, *high}
    counts = Counts(
        len(models),
        len({r.key.task for r in planned.runs}),
        len({r.key.seed for r in planned.runs}),
        len(low),
        len(high),
    )
    profiles = "; ".join(sorted({r.profile for r in found.rows}))
    virtual = ", virtual" if all(r.virtual for r in found.rows) else ""
    source = f"costs: as estimated (profile: {profiles}{virtual})"
    return counts, RunCost(_mean(usd), _mean(usd, ends), _mean(gpu_h), _mean(gpu_h, ends), source)


def _mean(values: dict[tuple[str, str], Any], models: set[str] | None = None) -> float | None:
    """The mean over cells, of some models; None where one is not known, or there is none."""
    wanted = [value for (model, _), value in values.items() if models is None or model in models]
    return None if not wanted or any(v is None for v in wanted) else math.fsum(wanted) / len(wanted)


def _analysed(study: Path) -> Results:
    from mlesearch.analysis.data.tables import read
    from mlesearch.analysis.results import analyse
    from mlesearch.study.tables.collect import collect

    collect(study)
    tables = read(study)
    return analyse(tables, "drop_seed" if tables.to_come else None)


def _piloted(pilot: Results, name: str) -> tuple[Counts, Spread, RunCost]:
    """The numbers, the variances and the costs of a pilot study.

    Raises:
        ConfigError: it has one strategy, or runs of some model alone, or a single seed.
    """
    from mlesearch.analysis.comparisons.comparison import groups

    claim, board, models = pilot.claim, pilot.board, pilot.models.names
    if claim is None:
        raise ConfigError(f"--from: {name} has a single strategy; a gap needs two")
    if pilot.claimed is not None:
        raise ConfigError(
            f"--from: {name} claims {claim.outcome}, a measure, and plans are of yes-or-no outcomes; take a pilot "
            f"whose claim.outcome is one of {', '.join(OUTCOMES)}"
        )
    pair = [pilot.arms.index(arm) for arm in (claim.treatment, claim.baseline)]
    hits, counts = board.counts.hits[:, pair], board.counts.counts[:, pair]
    there = np.asarray((counts > 0).all(axis=(1, 2)))
    if not there.any():
        raise ConfigError(f"--from: {name} has no model with both {claim.treatment.label} and {claim.baseline.label}")
    kept = [m for m, both in zip(models, there, strict=True) if both]
    low, high = ([kept.index(m) for m in group if m in kept] for group in groups(pilot.models))
    tasks, seeds = len(board.counts.tasks), int(counts[there].max())
    words = f"{claim.treatment.label} and {claim.baseline.label} in {name}"
    source = f"measured: {words}, {plural(len(kept), 'model')}, {plural(tasks, 'task')}, {plural(seeds, 'seed')}"
    ends = (low, high) if low and high else ([0], [len(kept) - 1])
    spread = spread_of_counts(hits[there], counts[there], *ends, source)
    runs = pilot.tables.runs
    labels = {(claim.treatment.strategy, claim.treatment.variant), (claim.baseline.strategy, claim.baseline.variant)}
    of_pair = [key in labels for key in zip(runs["strategy"], runs["variant"], strict=True)]
    used = runs[of_pair]
    ended = used[used["status"].isin(["ok", "timeout"])]
    groups_of = {kept[i] for i in (*low, *high)}
    cost = RunCost(
        _measured(ended, "cost_usd"),
        _measured(ended[ended["model"].isin(groups_of)], "cost_usd"),
        _measured(ended, "gpu_h"),
        _measured(ended[ended["model"].isin(groups_of)], "gpu_h"),
        f"costs: as measured in {plural(len(ended), 'run')} of {name}"
        + (" (virtual)" if pilot.tables.simulated else ""),
    )
    return Counts(len(kept), tasks, seeds, len(low), len(high)), spread, cost


def _measured(runs: pd.DataFrame, column: str) -> float | None:
    """The mean of a column over the runs; None where one has no figure."""
    values = runs[column]
    return None if values.empty or bool(values.isna().any()) else float(values.mean())


def _heading(design: Design) -> str:
    s = design.spread
    return (
        f"variances {s.source}: the tasks' own gaps vary by {100 * math.sqrt(s.own):.1f} points (sd), one run of both "
        f"strategies by {100 * math.sqrt(s.noise):.1f}\n"
        f"smallest gap that is found in 80 % of studies on tasks like these (E2), in points; two-sided 5 %, t over "
        f"{plural(design.tasks, 'task')}"
    )


def _row(row: DesignRow, design: Design, gap: float | None) -> dict[str, object]:
    tests = plural(design.models, "model")
    shown_row: dict[str, object] = {
        "seeds": "any number" if math.isinf(row.seeds) else int(row.seeds),
        "SE": f"{100 * row.error:.2f}",
        "one test": _points(row.alone),
        f"{tests} (Holm)": _points(row.family),
        "these tasks alone (E1)": _points(row.benchmark),
    }
    if gap is not None:
        shown_row[f"power at {100 * gap:g}"] = f"{row.power:.2f}"
    return shown_row | _taken_cells(row.taken)


def _points(gap: float) -> str:
    return "none" if gap > 1 else f"{100 * gap:.1f}"


def _taken_cells(taken: Taken | None) -> dict[str, object]:
    if taken is None:
        return {"runs": "", "USD": "", "GPU h": ""}
    return {
        "runs": f"{taken.runs:,.0f}",
        "USD": money(taken.usd),
        "GPU h": "unknown" if taken.gpu_h is None else f"{taken.gpu_h:,.1f}",
    }


def _taken(taken: Taken) -> str:
    """In words."""
    said = plural(round(taken.runs), "run")
    if taken.usd is not None:
        said += f", {money(taken.usd)}"
    if taken.gpu_h:
        hours = number(taken.gpu_h)
        said += f", {hours} GPU hour{'' if hours == '1' else 's'}"
    return said


def _gap_line(design: Design, needs: GapNeeds) -> str:
    what = f"a gap of {100 * needs.gap:g} points, as one of {plural(design.models, 'test')} under Holm"
    more = (
        f"with {plural(design.seeds, 'seed')} it takes {plural(needs.tasks, 'task')}"
        if needs.tasks is not None
        else "more than a million tasks would be needed"
    )
    if needs.seeds is None or needs.taken is None:
        return (
            f"{what}: no number of seeds finds it in 80 % on {plural(design.tasks, 'task')}, since the tasks' own "
            f"gaps alone leave {100 * needs.left:.1f} points; {more}"
        )
    if needs.seeds > PRACTICAL_SEEDS:
        return (
            f"{what}: no practical number of seeds finds it in 80 % on {plural(design.tasks, 'task')}: it would "
            f"take {needs.seeds:,}, and {PRACTICAL_SEEDS} are taken for the most, as the tasks' own gaps alone leave "
            f"{100 * needs.left:.2f} points; {more}"
        )
    return f"{what}: {plural(needs.seeds, 'seed')} on {plural(design.tasks, 'task')} ({_taken(needs.taken)}); {more}"


def _crossover_lines(design: Design, c: CrossoverNeeds) -> list[str]:
    low, high = (100 * gap for gap in c.gaps)
    lines = [
        f"a crossover from {low:+g} to {high:+g} points, {design.low} and {design.high} models at the ends, all three "
        "conditions one-sided at 5 %:",
        f"  {plural(design.seeds, 'seed')}, the end models alone: power {c.power:.2f} ({_taken(c.taken)})",
        f"  looks after 1 to 5 seeds: power {c.sequential:.2f} ({_taken(c.sequential_taken)} on average)",
    ]
    tasks = "twenty times as many tasks would not do" if c.tasks is None else f"{plural(c.tasks, 'task')} would do"
    if c.seeds is not None:
        lines.append(f"  for 80 % it takes {plural(c.seeds, 'seed')} on {plural(design.tasks, 'task')}")
    else:
        lines.append(
            f"  no number of seeds brings it to 80 % on {plural(design.tasks, 'task')}: without any noise of runs it "
            f"is {c.most:.2f}; with {plural(design.seeds, 'seed')} {tasks}"
        )
    return lines


def _json(
    design: Design, rows: Sequence[DesignRow], needs: GapNeeds | None, crossover: CrossoverNeeds | None
) -> dict[str, Any]:
    """All of it as plain data: fractions, not points; null for any number of seeds, and for what is not known."""

    def plain(value: object) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def as_plain(part: Any) -> Any:
        return None if part is None else plain(asdict(part))

    return {
        "design": as_plain(design),
        "detectable": [as_plain(row) for row in rows],
        "gap": as_plain(needs),
        "crossover": as_plain(crossover),
    }
