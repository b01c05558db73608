"""The report's tables: rows of cells for the page, and data frames for the CSV files beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlesearch.analysis.capability import Slope
from mlesearch.analysis.claim import RATES
from mlesearch.analysis.results import Comparison, Results
from mlesearch.analysis.wording import interval, p_text, plural, points, seeds_text
from mlesearch.storage.claim import OUTCOMES


@dataclass(frozen=True, slots=True)
class TableCell:
    """One cell of a table.

    Attributes:
        text: what it shows.
        sub: a second, smaller line.
        key: what it sorts by; the text when empty.
        kind: `name`, `number` or `text`.
        mark: a class: `plus`, `minus`, `weak` or empty.
    """

    text: str
    sub: str = ""
    key: str = ""
    kind: str = "number"
    mark: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One table of the page.

    Attributes:
        name: unique on the page.
        caption: what it shows, with the estimator and n behind every ±.
        heads: column headings.
        rows: of cells; the leading `name` cells head the row.
    """

    name: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]


def name(text: str) -> TableCell:
    """A row's heading."""
    return TableCell(text, kind="name")


def number(value: float, digits: int = 1, scale: float = 1.0, unknown: str = "–") -> TableCell:
    """A number, sortable; a dash where it is unknown."""
    if value is None or math.isnan(value):
        return TableCell(unknown, key="-inf", mark="weak")
    return TableCell(f"{scale * value:,.{digits}f}", key=repr(float(value)))


def p_number(p: float) -> str:
    """A p-value in a table; the CSV has all digits."""
    return "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def sign_mark(value: float) -> str:
    """The class of a number that shows its sign; none where it rounds to zero points."""
    return "" if abs(value) < 0.0005 else "plus" if value > 0 else "minus"


def medals(results: Results) -> View:
    """The medal table: any medal, gold, above median, valid, each with parity SEM and E2 interval."""
    rows = []
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            cells = [name(model), name(arm.label)]
            for board in results.boards:
                p, low, high = board.parity[m][a], board.e2.low[m, a], board.e2.high[m, a]
                span = "not estimable" if math.isnan(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"
                shown = f"{p.mean:.1f}" if p.seeds == 1 else f"{p.mean:.1f} ± {p.sem:.1f}"
                cells.append(TableCell(shown, span, repr(float(board.e2.rate[m, a]))))
            rows.append(tuple(cells))
    tasks = len(results.board.counts.tasks)
    note = (
        f"Percent of runs over {plural(tasks, 'task')}, {seeds_text(results)} each. First line: mean ± SEM over seeds "
        "as MLE-bench reports it; it covers the noise of the runs only, and poorly (at three seeds 80 % for this "
        "benchmark, 47 to 68 % for tasks like these). In brackets: the E2 95 % interval, Wilson at the effective "
        f"number of trials, tasks and runs random, n = {plural(tasks, 'task')}."
    )
    if results.board.parity[0][0].seeds == 1:
        note += " With one seed there is no SEM to estimate, and none is shown."
    heads = ("model", "strategy", *(OUTCOMES[board.outcome] for board in results.boards))
    return View("medals", note, heads, tuple(rows))


def gaps(results: Results, comparisons: Sequence[Comparison], table: str) -> View:
    """Paired gaps by model."""
    rows = []
    for c in comparisons:
        for model, g in zip(results.models.names, c.gaps, strict=True):
            answer = "rejects" if g.rejects() else "does not reject" if g.can_reject() else "cannot reject"
            sub = "" if g.can_reject() else f"smallest attainable {g.attainable_adjusted:.2g}"
            rows.append(
                (
                    name(model),
                    name(f"{c.treatment.label} − {c.baseline.label}"),
                    TableCell(points(g.gap), key=repr(g.gap), mark=sign_mark(g.gap)),
                    TableCell(
                        interval(g.low, g.high), kind="text", key=repr(g.low) if not math.isnan(g.low) else "-inf"
                    ),
                    TableCell(p_number(g.p), g.method, repr(g.p)),
                    TableCell(p_number(g.p_adjusted), key=repr(g.p_adjusted)),
                    TableCell(f"{g.informative} of {g.tasks}", key=str(g.informative)),
                    TableCell(answer, sub, kind="text", mark="" if g.rejects() else "weak"),
                )
            )
    confirmatory = bool(comparisons) and comparisons[0].confirmatory
    correction = "Holm over the models" if confirmatory else "Benjamini–Hochberg over all exploratory gaps"
    kind = "Confirmatory" if confirmatory else "Exploratory"
    note = (
        f"{kind}: {RATES[results.outcome]}, difference in percentage points, paired by task "
        f"(n = {plural(len(results.board.counts.tasks), 'task')}). 95 % t interval over tasks; two-sided test: exact "
        "sign-flip with mid-p where at most 20 tasks differ, else t over tasks. Seeds are not matched. "
        f"Adjusted: {correction}."
    )
    heads = ("model", "comparison", "gap", "95 % interval", "p", "adjusted p", "tasks that differ", "test at 5 %")
    return View(table, note, heads, tuple(rows))


def slopes(results: Results) -> View | None:
    """The slope of the gap over capability, by three kinds of inference."""
    found = [(c, c.slope) for c in (results.main, *results.others) if c is not None and c.slope is not None]
    if not found:
        return None
    rows = tuple(_slope_row(c, s) for c, s in found)
    unit = "tier" if results.models.ordinal else "unit of capability"
    note = (
        f"Change of the gap in points per {unit}: the slope of each task, averaged over "
        f"{plural(found[0][1].tasks, 'task')}. Primary: permutation of capability over the "
        f"{plural(found[0][1].models, 'model')}. Over tasks: t of the tasks' slopes, for these models and new tasks. "
        "Clustered: two-way by task and model, t with models − 2 degrees of freedom."
    )
    heads = ("comparison", "slope", "p, permutation", "smallest attainable", "over tasks", "clustered")
    return View("slopes", note, heads, rows)


def _slope_row(c: Comparison, s: Slope) -> tuple[TableCell, ...]:
    count = f"all {s.permutations:,}" if s.exact else f"{s.permutations:,} drawn"
    side = "one-sided" if s.alternative != "two-sided" else "two-sided"
    return (
        name(f"{c.treatment.label} − {c.baseline.label}"),
        TableCell(points(s.slope), key=repr(s.slope), mark=sign_mark(s.slope)),
        TableCell(p_number(s.p), f"{side}, {count}", repr(s.p)),
        TableCell(p_number(s.attainable_p), key=repr(s.attainable_p)),
        TableCell(interval(s.low_tasks, s.high_tasks), p_text(s.p_tasks), kind="text"),
        TableCell(interval(s.low_clustered, s.high_clustered), p_text(s.p_clustered), kind="text"),
    )


def mechanism(results: Results) -> View:
    """Improvement rate and direction accuracy."""
    rows = []
    for record in results.mechanism.to_dict("records"):
        cells = [name(str(record["model"])), name(str(record["strategy"]))]
        for key in ("improvement_rate", "direction_accuracy"):
            value, sem = float(record[key]), float(record[f"{key}_sem_tasks"])
            n = f"{plural(int(record[f'{key}_tasks']), 'task')}, {plural(int(record[f'{key}_runs']), 'run')}"
            if math.isnan(value):
                cells.append(TableCell("–", key="-inf", mark="weak"))
            else:
                spread = "" if math.isnan(sem) else f" ± {100 * sem:.1f}"
                cells.append(TableCell(f"{100 * value:.1f}{spread}", n, repr(value)))
        rows.append(tuple(cells))
    note = (
        "Improvement rate: percent of improvement steps whose validation score beats that of the program they edit. "
        "Direction accuracy: percent of implemented hypotheses whose predicted sign came true; only strategies that "
        "state hypotheses have one. Mean over tasks of the mean over runs, ± SEM over tasks, n below."
    )
    return View("mechanism", note, ("model", "strategy", "improvement rate, %", "direction accuracy, %"), tuple(rows))


def cost(results: Results) -> View:
    """What each strategy spent."""
    rows = []
    for r in results.cost.to_dict("records"):
        counts = [number(float(r[k]), 0) for k in ("runs", "steps", "executions", "calls", "tokens_in", "tokens_out")]
        rows.append(
            (
                name(str(r["strategy"])),
                *counts,
                number(float(r["usd"]), 4 if float(r["usd"]) < 10 else 2, unknown="no price"),
                number(float(r["charged_h"]), 2),
                number(float(r["model_h"]), 2),
                number(float(r["waited_h"]), 2),
                number(float(r["medals"]), 0),
                number(float(r["usd_per_medal"]), 4 if float(r["usd_per_medal"]) < 10 else 2),
            )
        )
    note = (
        "Totals over all models, tasks and seeds. USD per medal is the ratio of the sums. Charged time is service time "
        "of the model, execution and selection. Waiting (for rate limits, free places, failed attempts and backoff) is "
        "not charged to anybody."
    )
    heads = (
        "strategy",
        "runs",
        "steps",
        "executions",
        "calls",
        "tokens in",
        "tokens out",
        "USD",
        "charged h",
        "model h",
        "waiting h, not charged",
    )
    return View("cost", note, (*heads, "medals", "USD per medal"), tuple(rows))


def operators(results: Results) -> View:
    """Where each strategy spent it."""
    rows = [
        (
            name(str(r["strategy"])),
            name(str(r["operator"])),
            number(float(r["calls"]), 0),
            number(float(r["share_of_calls"]), 1, 100),
            number(float(r["tokens_in"]), 0),
            number(float(r["tokens_out"]), 0),
            number(float(r["share_of_tokens"]), 1, 100),
            number(float(r["usd"]), 4 if float(r["usd"]) < 10 else 2, unknown="no price"),
        )
        for r in results.cost_by_operator.to_dict("records")
    ]
    heads = ("strategy", "operator", "calls", "% of calls", "tokens in", "tokens out", "% of tokens", "USD")
    return View(
        "operators",
        "Model calls by operator, repair turns included; shares of the strategy's total.",
        heads,
        tuple(rows),
    )


def failures(results: Results) -> View | None:
    """How programs ended."""
    frame = results.failures
    if frame.empty:
        return None
    kinds = list(dict.fromkeys(frame["status"]))
    count = {(str(r["strategy"]), str(r["status"])): int(r["programs"]) for r in frame.to_dict("records")}
    rows = []
    for arm in results.arms:
        own = [count.get((arm.label, kind), 0) for kind in kinds]
        whole = sum(own)
        if whole:
            shares = (TableCell(f"{n:,}", f"{100 * n / whole:.1f} %", str(n)) for n in own)
            rows.append((name(arm.label), number(float(whole), 0), *shares))
    note = "Program proposals by how they ended, all models together; percent of the strategy's programs below."
    return View("failures", note, ("strategy", "programs", *(k.replace("_", " ") for k in kinds)), tuple(rows))


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The same numbers and more, unrounded, as fractions, for CSV."""
    out = {"rates": _rates_frame(results)}
    if results.main is not None:
        out["gaps"] = _gaps_frame(results)
        out["gaps_by_task"] = _task_gaps_frame(results)
        trends = [(c, c.slope) for c in (results.main, *results.others) if c.slope is not None]
        if trends:
            columns = Slope.__dataclass_fields__
            out["capability"] = pd.DataFrame(
                [
                    {"treatment": c.treatment.label, "baseline": c.baseline.label}
                    | {column: getattr(s, column) for column in columns}
                    for c, s in trends
                ]
            )
        out["crossover"] = _crossover_frame(results)
    out |= {"mechanism": results.mechanism, "cost": results.cost, "cost_by_operator": results.cost_by_operator}
    out["failures"] = results.failures
    return out


def _rates_frame(results: Results) -> pd.DataFrame:
    rows = []
    for board in results.boards:
        for m, model in enumerate(results.models.names):
            for a, arm in enumerate(results.arms):
                p = board.parity[m][a]
                row: dict[str, object] = {
                    "outcome": board.outcome,
                    "model": model,
                    "strategy": arm.label,
                    "tasks": len(board.counts.tasks),
                    "runs": int(board.counts.counts[m, a].sum()),
                    "successes": int(board.counts.hits[m, a].sum()),
                    "rate": board.e2.rate[m, a],
                }
                for target, rates in (("e2", board.e2), ("e1", board.e1)):
                    row |= {
                        f"{target}_low": rates.low[m, a],
                        f"{target}_high": rates.high[m, a],
                        f"{target}_n_eff": rates.n_eff[m, a],
                        f"{target}_df": rates.df[m, a],
                    }
                row |= {"parity_mean_pct": p.mean, "parity_sem_pct": p.sem, "parity_seeds": p.seeds}
                rows.append(row)
    return pd.DataFrame(rows)


def _comparisons(results: Results) -> list[Comparison]:
    return [results.main, *results.others] if results.main is not None else []


def _gaps_frame(results: Results) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "treatment": c.treatment.label,
                "baseline": c.baseline.label,
                "status": "confirmatory" if c.confirmatory else "exploratory",
                "outcome": results.outcome,
                "model": model,
                "gap": g.gap,
                "low": g.low,
                "high": g.high,
                "p": g.p,
                "method": g.method,
                "adjustment": "holm" if c.confirmatory else "bh",
                "p_adjusted": g.p_adjusted,
                "attainable_p": g.attainable_p,
                "attainable_adjusted": g.attainable_adjusted,
                "rejects": g.rejects(),
                "tasks": g.tasks,
                "informative_tasks": g.informative,
            }
            for c in _comparisons(results)
            for model, g in zip(results.models.names, c.gaps, strict=True)
        ]
    )


def _task_gaps_frame(results: Results) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"treatment": c.treatment.label, "baseline": c.baseline.label, "model": model, "task": task, "gap": value}
            for c in _comparisons(results)
            for model, row in zip(results.models.names, c.by_task, strict=True)
            for task, value in zip(results.board.counts.tasks, row, strict=True)
        ]
    )


def _crossover_frame(results: Results) -> pd.DataFrame:
    rows = []
    for c in _comparisons(results):
        x = c.crossover
        row: dict[str, object] = {"treatment": c.treatment.label, "baseline": c.baseline.label}
        row["refused"] = "models have no declared order" if x is None else x.refused
        for side, group in (("low", x.weak if x else None), ("high", x.strong if x else None)):
            row |= {
                f"{side}_group": ", ".join(group.models) if group else "",
                f"{side}_gap": group.gap if group else math.nan,
                f"{side}_gap_low": group.low if group else math.nan,
                f"{side}_gap_high": group.high if group else math.nan,
                f"{side}_p_these": group.p if group else math.nan,
                f"{side}_p_like": group.p_like if group else math.nan,
            }
        row |= {
            "slope_p_tasks": x.slope.p_tasks if x and x.slope else math.nan,
            "slope_p_permutation_two_sided": x.slope.p_two_sided if x and x.slope else math.nan,
            "claimed_these_models": bool(x and x.these_models),
            "claimed_like_models": bool(x and x.like_models),
        }
        rows.append(row)
    return pd.DataFrame(rows)
