"""The report's tables: rows of cells for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.data.reasons import reasons_text
from mlesearch.analysis.measures.attrition import CellRuns
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.capability import Slope
from mlesearch.analysis.statistics.gaps import flips_of
from mlesearch.analysis.statistics.odds import OddsTrend
from mlesearch.analysis.statistics.rates import Parity
from mlesearch.analysis.text import interval, near_level, p_text, plural, points
from mlesearch.analysis.words.looks_words import BIASED
from mlesearch.analysis.words.phrases import seeds_text
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
    return "–" if math.isnan(p) else "<0.001" if p < 0.001 else near_level(p, f"{p:.3f}").removesuffix(" exactly")


def sign_mark(value: float) -> str:
    """The class of a number that shows its sign; none where it rounds to zero points."""
    return "" if abs(value) < 0.0005 else "plus" if value > 0 else "minus"


def parity_text(p: Parity) -> str:
    """MLE-bench's figure in percent; with one seed there is no SEM."""
    return f"{p.mean:.1f}" if p.seeds == 1 else f"{p.mean:.1f} ± {p.sem:.1f}"


def medals(results: Results) -> View:
    """The medal table: any medal, gold, above median, valid, each with parity SEM and E2 interval."""
    rows = []
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            cells = [name(model), name(arm.label)]
            for board in results.boards:
                p, low, high = board.parity[m][a], board.e2.low[m, a], board.e2.high[m, a]
                lost, runs = int(board.counts.lost[m, a].sum()), int(board.counts.counts[m, a].sum())
                if not runs:
                    cells.append(TableCell("not planned", "", "-inf", mark="weak"))
                    continue
                if p is None:
                    cells.append(TableCell("no result", f"of {plural(runs, 'run')}", "-inf", mark="weak"))
                    continue
                if lost:
                    rate, most = 100 * board.e2.rate[m, a], 100 * board.counts.most[m, a]
                    sub = f"{lost:,} of {plural(runs, 'run')} without a result"
                    cells.append(TableCell(f"{rate:.1f} to {most:.1f}", sub, repr(float(board.e2.rate[m, a]))))
                    continue
                span = "not estimable" if math.isnan(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"
                shown = parity_text(p)
                if board.counts.unequal[m, a]:  # parity is of some of the runs: it may not head an interval of all
                    cut = f"the first {p.seeds} seeds" if p.seeds > 1 else "the first seed"
                    span, shown = f"{span}; parity of {cut}: {shown}", f"{100 * board.e2.rate[m, a]:.1f}"
                cells.append(TableCell(shown, span, repr(float(board.e2.rate[m, a]))))
            rows.append(tuple(cells))
    tasks = len(results.board.counts.tasks)
    note = (
        f"Percent of runs over {plural(tasks, 'task')}, {seeds_text(results)} each. First line: mean ± SEM over seeds "
        "as MLE-bench reports it; it covers the noise of the runs only, and poorly (at three seeds 80 % for this "
        "benchmark, 47 to 68 % for tasks like these). In brackets: the E2 95 % interval, Wilson at the effective "
        f"number of trials, tasks and runs random, n = {plural(tasks, 'task')}."
    )
    counts = results.board.counts
    if counts.lost[~counts.bare].any():
        note += (
            " Where runs have no result, the rate is given by its bounds: had they all been without success, or all "
            "with. MLE-bench's figure for them (in rates.csv) keeps every run in its own seed, a missing one without "
            "success; MLE-bench's own script has no report of it and moves later reports up into its place, which "
            "gives the same mean where it pads, and another SEM."
        )
    if bool((counts.unequal & ~counts.bare).any()):
        note += (
            " Where tasks have unequal numbers of seeds, the first line is the rate over all runs (mean over tasks of "
            "the share of seeds), which the interval is about; MLE-bench's figure, cut to the smallest number of "
            "seeds, stands behind it."
        )
    if results.looks is not None and results.looks.decided:
        note += f" {BIASED}"
    if any(p is not None and p.seeds == 1 for row in results.boards[0].parity for p in row):
        note += " With one seed there is no SEM to estimate, and none is shown."
    heads = ("model", "strategy", *(OUTCOMES[board.outcome] for board in results.boards))
    return View("medals", note, heads, tuple(rows))


def claimed_means(results: Results) -> View | None:
    """The measure that the claim is about, in every cell; None where it is about a yes or no."""
    board = results.claimed
    if board is None:
        return None
    rows = []
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            mean, low, high = (float(part[m, a]) for part in (board.e2.rate, board.e2.low, board.e2.high))
            runs, lost = int(board.counts.counts[m, a].sum()), int(board.counts.lost[m, a].sum())
            if math.isnan(mean):
                rows.append(
                    (name(model), name(arm.label), number(mean), TableCell("no result", kind="text"), number(runs, 0))
                )
                continue
            span = "not estimable" if math.isnan(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"
            if lost:
                least, most = 100 * board.counts.least[m, a], 100 * board.counts.most[m, a]
                span = f"between {least:.1f} and {most:.1f}: {lost:,} of {plural(runs, 'run')} without a result"
            rows.append(
                (name(model), name(arm.label), number(mean, 1, 100), TableCell(span, kind="text"), number(runs, 0))
            )
    note = (
        f"{RATES[board.outcome].capitalize()}, in points: mean over {plural(len(board.counts.tasks), 'task')} of the "
        "mean over runs; a run without a valid program, or without a result, counts as 0. Interval: 95 %, t over tasks "
        "(E2), within the measure's range. Where runs have no result: had they all had the least, or all the most."
    )
    return View("claimed-measure", note, ("model", "strategy", "mean", "95 % interval", "runs"), tuple(rows))


def gaps(results: Results, comparisons: Sequence[Comparison], table: str) -> View:
    """Paired gaps by model."""
    rows = []
    for c in comparisons:
        for model, g in zip(results.models.names, c.gaps, strict=True):
            pair = f"{c.treatment.label} − {c.baseline.label}"
            if g.refused:
                none = TableCell("–", key="-inf", mark="weak")
                why = TableCell("not compared", g.refused, kind="text", mark="weak")
                rows.append((name(model), name(pair), none, none, none, none, none, why))
                continue
            answer = "rejects" if g.rejects() else "does not reject" if g.can_reject() else "cannot reject"
            sub = "" if g.can_reject() else f"smallest attainable {g.attainable_adjusted:.2g}"
            if not g.held and not g.rejects():
                sub = f"{plural(g.lost, 'run')} without a result could undo it" if g.p_adjusted <= 0.05 else sub
            bounds = f"bounds {points(g.least)} to {points(g.most)}" if g.lost else ""
            rows.append(
                (
                    name(model),
                    name(pair),
                    TableCell(points(g.gap), bounds, repr(g.gap), mark=sign_mark(g.gap)),
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
    lossy = " Bounds: had all runs without a result spoken against the treatment, or for it."
    flip = "exact sign-flip" if confirmatory else "sign-flip with mid-p, which is not exact,"
    lossy = lossy if any(c.lost for c in comparisons) else ""
    note = (
        f"{kind}: {RATES[results.outcome]}, difference in {'percentage ' if results.claimed is None else ''}points, "
        f"paired by task (n = {plural(len(results.board.counts.tasks), 'task')}). Two-sided test: {flip} where at most "
        f"{flips_of(results.board.counts.hits)} tasks differ, else t over tasks. The 95 % interval is what "
        f"that test, unadjusted, leaves. Seeds are not matched. Adjusted: {correction}.{lossy}"
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
        f"{plural(found[0][1].tasks, 'task')}. A verdict needs two tests: permutation of capability over the "
        f"{plural(found[0][1].models, 'model')}, and t of the tasks' slopes, for these models and new tasks. Adjusted: "
        "the larger of the two p, over the parts of the declared claim, or Benjamini–Hochberg over the exploratory "
        "trends. Clustered: two-way by task and model, t with models − 2 degrees of freedom, 95 % interval. Log "
        "odds: the trend of the log odds ratio per unit, conditional on the successes in each model and task; "
        "two-sided score test clustered by task."
    )
    heads = (
        "comparison", "slope", "p, permutation", "smallest attainable", "p, over tasks", "adjusted p", "clustered",
        "log odds",
    )  # fmt: skip
    return View("slopes", note, heads, rows)


def _slope_row(c: Comparison, s: Slope) -> tuple[TableCell, ...]:
    count = f"all {s.permutations:,}" if s.exact else f"{s.permutations:,} drawn"
    side = "one-sided" if s.alternative != "two-sided" else "two-sided"
    return (
        name(f"{c.treatment.label} − {c.baseline.label}"),
        TableCell(points(s.slope), key=repr(s.slope), mark=sign_mark(s.slope)),
        TableCell(p_number(s.p), f"{side}, {count}", repr(s.p)),
        TableCell(p_number(s.attainable_p), key=repr(s.attainable_p)),
        TableCell(
            p_number(s.p_tasks), f"{100 * s.level_tasks:.0f} % {interval(s.low_tasks, s.high_tasks)}", repr(s.p_tasks)
        ),
        TableCell(p_number(s.p_adjusted), key=repr(s.p_adjusted)),
        TableCell(interval(s.low_clustered, s.high_clustered), p_text(s.p_clustered), kind="text"),
        _odds_cell(c.odds),
    )


def _odds_cell(o: OddsTrend | None) -> TableCell:
    if o is None or math.isnan(o.trend) or math.isnan(o.p):
        return TableCell("–", key="-inf", mark="weak")
    text = f"{o.trend:+.2f}".replace("-", "−") if math.isfinite(o.trend) else "no limit"
    return TableCell(text, p_text(o.p), repr(o.trend))


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


def runs(results: Results, cells: Sequence[CellRuns] | None = None) -> View | None:
    """What became of the runs of each model and strategy; None where every one of them searched and has a result.

    Args:
        results: of a study.
        cells: what became of the runs; None: of all that are planned.
    """
    lossy = [c for c in (results.cells if cells is None else cells) if c.lost or c.without_program or c.alike]
    if not lossy:
        return None
    rows = []
    for c in lossy:
        counts = (c.planned, c.planned - c.lost, c.failed, c.missing, c.without_program)
        why = [reasons_text(c.why_failed), reasons_text(c.why_without), f"all programs: {c.alike}" if c.alike else ""]
        text = TableCell("; ".join(w for w in why if w) or "–", kind="text")
        rows.append((name(c.model), name(c.arm), *(number(float(n), 0) for n in counts), text))
    note = (
        "Runs by what became of them; those of the other models and strategies all have a result and a program. A "
        "failed or missing run has no result. A run without a program has one: it found nothing."
    )
    heads = ("model", "strategy", "planned", "with a result", "failed", "missing", "without a program", "why")
    return View("runs", note, heads, tuple(rows))
