"""The methods of a report in words for a paper: every estimator that it used, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.gaps import flips_of
from mlesearch.analysis.text import plural
from mlesearch.analysis.words.phrases import seeds_text


@dataclass(frozen=True, slots=True)
class UsedMethod:
    """An estimator or a test that stands behind some number of a report.

    Attributes:
        name: its key.
        sentence: what was done.
        source: where it comes from; empty where it is arithmetic.
    """

    name: str
    sentence: str
    source: str = ""


def methods(results: Results) -> tuple[UsedMethod, ...]:
    """What was used, in the order of the page; of an unfinished study nothing."""
    return () if results.progress is not None else tuple(_used(results))


def paragraph(results: Results) -> str:
    """The methods in one paragraph, each with its source."""
    return " ".join(f"{m.sentence[:-1]} ({m.source})." if m.source else m.sentence for m in methods(results))


def _used(results: Results) -> Iterator[UsedMethod]:
    tasks = plural(len(results.board.counts.tasks), "task")
    if results.claimed is not None:
        yield UsedMethod(
            "measure",
            f"The {RATES[results.outcome]} of a cell is the mean over {tasks} of the mean over runs "
            f"({seeds_text(results)} each), 0 for a run without a valid program; its interval is t over tasks.",
        )
    yield UsedMethod(
        "rates",
        f"The {RATES[results.success]} of a cell is the mean over {tasks} of the share of successful runs "
        f"({seeds_text(results)} each); its interval for tasks like these is Wilson's score interval at the "
        f"effective "
        "number of trials that the variance between tasks leaves, with t quantiles.",
        "Wilson 1927; E2",
    )
    yield UsedMethod(
        "parity",
        "Figures given as mean ± SEM are over seeds, by the rule of MLE-bench's own aggregation; they cover the "
        "noise of "
        "the runs alone.",
        "Chan et al. 2025",
    )
    if results.board.by_category is not None:
        yield UsedMethod(
            "category",
            "Beside them stand intervals and tests with variances clustered by category of task, and t with the "
            "effective "
            "number of categories less one degrees of freedom.",
            "Liang and Zeger 1986; Kish 1965",
        )
    if results.main is not None:
        yield from _of_comparison(results, results.main)
    if results.looks is not None:
        yield UsedMethod(
            "looks",
            "The study was looked at as declared before its first run, with one-sided bounds by the "
            "error-spending function "
            "of Lan and DeMets that is like O'Brien and Fleming's, and information in proportion to seeds.",
            "Lan and DeMets 1983; Jennison and Turnbull 2000",
        )
    if results.measured.gaps or results.measured.budgets:
        yield UsedMethod(
            "budgets",
            "Outcomes beyond medals are computed for each run at a common budget, times to a target are censored "
            "there, and "
            "their gaps are paired by task (t over tasks).",
        )
    yield UsedMethod("missing", f"Missing runs: {results.policy.words}.")


def _of_comparison(results: Results, c: Comparison) -> Iterator[UsedMethod]:
    used = {gap.method for gap in c.gaps if not gap.refused}
    flips = flips_of(results.board.counts.hits)
    pair = f"{c.treatment.label} and {c.baseline.label}"
    correction = "Holm's step-down procedure" if c.confirmatory else "Benjamini and Hochberg's step-up procedure"
    if used & {"exact sign-flip", "mid-p sign-flip"}:
        which = "exact p" if "exact sign-flip" in used else "mid-p"
        yield UsedMethod(
            "sign-flip",
            f"The gap between {pair} is paired by task; where at most {flips} tasks differ it is tested two-sided by "
            f"the exact "
            f"sign-flip test over tasks ({which}), and its interval is the inversion of that test.",
            "Pitman 1937" if which == "exact p" else "Pitman 1937; Lancaster 1961",
        )
    if "t over tasks" in used:
        yield UsedMethod(
            "t",
            f"{'With more tasks that differ' if len(used) > 1 else f'The gap between {pair} is paired by task and'} "
            f"{'the gap ' if len(used) > 1 else ''}is tested two-sided by t over tasks.",
        )
    yield UsedMethod(
        "adjustment",
        f"p-values over models are adjusted by {correction}.",
        "Holm 1979" if c.confirmatory else "Benjamini and Hochberg 1995",
    )
    if c.slope is not None:
        side = "two-sided" if c.slope.alternative == "two-sided" else "one-sided as declared"
        yield UsedMethod(
            "slope",
            "A trend of the gap with capability is established where both a permutation of capability over "
            "models and a t "
            f"test over the tasks' least-squares slopes reject, each {side}.",
        )
    if c.odds is not None:
        yield UsedMethod(
            "odds",
            "The trend of the log odds ratio is tested by the score test conditional on the successes in each "
            "model and task, "
            "clustered by task.",
            "Cox 1970; Breslow and Day 1980",
        )
    if c.crossover is not None and not c.crossover.refused:
        yield UsedMethod(
            "crossover",
            "A crossover is established where the gap is below zero in the declared low group of models, above "
            "zero in the "
            "high group (each one-sided, t over tasks), and the trend is established (intersection-union).",
            "Berger 1982",
        )
    if c.family is not None and len(c.family.order) > 1:
        yield UsedMethod(
            "family",
            "The parts of the claim are tested in the declared fixed sequence."
            if c.family.sequence
            else "The parts of the claim share one level by a graphical procedure.",
            "" if c.family.sequence else "Bretz et al. 2009",
        )
    if any(one.p == one.p for one in c.equivalence):
        yield UsedMethod(
            "equivalence",
            "Equality within the declared margin is tested by two one-sided tests.",
            "Schuirmann 1987",
        )
    if c.assumptions is not None:
        yield UsedMethod(
            "left out",
            "Established verdicts were computed again without each task, category and model, and the level of "
            "skewed tests was "
            "forecast by the first term of Edgeworth's series.",
            "Hall 1987",
        )
