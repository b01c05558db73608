"""The numbers of the report as data frames, unrounded and as fractions, for the CSV files beside the page."""

from __future__ import annotations

import math

import pandas as pd

from mlesearch.analysis.comparisons import lost_cases
from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.data.reasons import reasons_text
from mlesearch.analysis.measures import progress, spend
from mlesearch.analysis.measures.boards import Board
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.capability import Slope
from mlesearch.analysis.words.lost_runs import made


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The same numbers and more, unrounded, as fractions, for CSV."""
    if results.progress is not None:
        out = {"progress": progress.frame(results.progress)}
    else:
        out = {"rates": _rates_frame(results), "mechanism": results.mechanism}
        if results.claimed is not None:
            out["claimed_measure"] = _claimed_frame(results, results.claimed)
    became = made(results)
    if any(c.lost or c.without_program or c.alike for c in became):
        out["runs_lost"] = pd.DataFrame(
            [
                {
                    "model": c.model,
                    "strategy": c.arm,
                    "planned": c.planned,
                    "failed": c.failed,
                    "missing": c.missing,
                    "why_failed": reasons_text(c.why_failed),
                    "without_program": c.without_program,
                    "why_without_program": reasons_text(c.why_without),
                    "programs": c.programs,
                    "all_failed_for": c.alike,
                    "not_compared": c.refused,
                }
                for c in became
            ]
        )
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
                    | {
                        "odds_trend": c.odds.trend if c.odds else math.nan,
                        "odds_p": c.odds.p if c.odds else math.nan,
                        "odds_tasks": c.odds.tasks if c.odds else 0,
                    }
                    for c, s in trends
                ]
            )
        out["crossover"] = _crossover_frame(results)
        if results.lost_cases:
            out["lost_cases"] = pd.DataFrame(lost_cases.rows(results.lost_cases, results.models.names))
    out |= {"cost": results.cost, "cost_by_operator": results.cost_by_operator}
    out["failures"] = results.failures
    if results.spends:
        out["spend"] = spend.frame(results.spends)
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
                    "without_result": int(board.counts.lost[m, a].sum()),
                    "successes": int(board.counts.hits[m, a].sum()),
                    "rate": board.e2.rate[m, a],
                    "rate_most": math.nan if p is None else board.counts.most[m, a],
                }
                for target, rates in (("e2", board.e2), ("e1", board.e1)):
                    row |= {
                        f"{target}_low": rates.low[m, a],
                        f"{target}_high": rates.high[m, a],
                        f"{target}_n_eff": rates.n_eff[m, a],
                        f"{target}_df": rates.df[m, a],
                    }
                known = (math.nan, math.nan, 0) if p is None else (p.mean, p.sem, p.seeds)
                row |= dict(zip(("parity_mean_pct", "parity_sem_pct", "parity_seeds"), known, strict=True))
                rows.append(row)
    return pd.DataFrame(rows)


def _claimed_frame(results: Results, board: Board) -> pd.DataFrame:
    counts = board.counts
    return pd.DataFrame(
        [
            {
                "outcome": board.outcome,
                "model": model,
                "strategy": arm.label,
                "tasks": len(counts.tasks),
                "runs": int(counts.counts[m, a].sum()),
                "without_result": int(counts.lost[m, a].sum()),
                "mean": board.e2.rate[m, a],
                "low": board.e2.low[m, a],
                "high": board.e2.high[m, a],
                "least": math.nan if counts.bare[m, a] else counts.least[m, a],
                "most": math.nan if counts.bare[m, a] else counts.most[m, a],
            }
            for m, model in enumerate(results.models.names)
            for a, arm in enumerate(results.arms)
        ]
    )


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
                "not_compared": g.refused,
                "runs_without_result": g.lost,
                "gap_least": g.least,
                "gap_most": g.most,
                "detectable_gap": e.detectable,
                "p_equivalent": e.p,
                "p_equivalent_adjusted": e.p_adjusted,
            }
            for c in _comparisons(results)
            for model, g, e in zip(results.models.names, c.gaps, c.equivalence, strict=True)
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
            "slope_p_tasks": x.slope.p_tasks_two_sided if x and x.slope else math.nan,
            "slope_p_permutation_two_sided": x.slope.p_two_sided if x and x.slope else math.nan,
            "trend": x.trend if x else "",
            "p": x.p if x else math.nan,
            "p_adjusted": x.p_adjusted if x else math.nan,
            "claimed_these_models": bool(x and x.these_models),
            "claimed_like_models": bool(x and x.like_models),
        }
        rows.append(row)
    return pd.DataFrame(rows)
