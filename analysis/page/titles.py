"""What the tables of the page are called."""

from __future__ import annotations

TITLES = {
    "ablations": "Variants against the full strategy",
    "best-baseline": "Against the best of the other strategies",
    "budgets": "Rates at shares of each common budget",
    "claimed-measure": "The outcome that the claim is about",
    "cost": "What each strategy spent",
    "crossings": "Where a line through the gaps is zero, as a description",
    "failures": "How programs ended",
    "front": "Rate against cost",
    "gaps-checked": "Gaps by category of task, and skewed gaps",
    "gaps-main": "Gaps by model",
    "gaps-others": "Gaps of the other strategies, exploratory",
    "imported": "Rates of others beside this study's",
    "imported-scores": "Imported scores without medals",
    "improvement": "Probability of improvement",
    "judged-bugs": "Bugs found by reading, and what became of them",
    "leaders": "Who leads in each cell",
    "left-out": "Verdicts with one task, category or model left out",
    "looks": "The declared looks",
    "lost-cases": "The verdict under four treatments of the runs without a result",
    "measures": "Outcomes beyond medals",
    "mechanism": "Improvement rate and direction accuracy",
    "medals": "Medals by model and strategy",
    "operators": "Spend by operator",
    "percentiles": "Percentile scores",
    "process": "Measures of the search",
    "process-success": "Measures of the search, and success",
    "progress": "Runs made so far",
    "rates-by-category": "Rates with intervals by category of task",
    "runs": "Runs without a result or a program",
    "scores": "Test scores",
    "slopes": "Trend of the gap with capability",
    "spend-by-model": "Share of budgets by model",
    "spend": "Share of budgets",
    "stages": "Rates by stage",
    "traces": "Gap by number of traces",
    "trial-runs": "Trial runs on a sample",
}


def title_of(table: str) -> str:
    """The title of a table, by its name."""
    return TITLES.get(table, table.replace("-", " ").capitalize())
