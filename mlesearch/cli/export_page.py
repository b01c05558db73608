"""The page of an export: what it discloses, and the rows that MLE-bench's own tables want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from mlesearch.analysis.statistics.rates import parity
from mlesearch.analysis.text import plural
from mlesearch.storage.layout import RunKey
from mlesearch.study.archive.disclosure import Disclosure
from mlesearch.tasks.mlebench.facts import table
from mlesearch.tasks.mlebench.names import suite
from mlesearch.tasks.mlebench.official import OfficialReport
from mlesearch.tasks.mlebench.run_groups import ExportedGroup

DONE = "{folder}: run groups in {runs}, DISCLOSURE.md, and a split and facts of each experiment"
SPLITS = {"Low == Lite": "lite", "Medium": "medium", "High": "high", "All": "all"}
"""Columns of MLE-bench's leaderboard, and our names of these suites."""
_TABLE = "| {} |"


def disclosure_page(
    id: str, key: RunKey, groups: Sequence[ExportedGroup], competitions: Sequence[str], disclosed: Disclosure
) -> str:
    """One experiment for people.

    Args:
        id: of the experiment.
        key: of any of its runs.
        groups: one a seed.
        competitions: that every seed has.
        disclosed: what its runs recorded.
    """
    d = disclosed
    hours = "not known" if d.hours_charged is None else f"{d.hours_charged:.2f}"
    lines = [
        f"# {id}",
        "",
        f"{key.strategy} ({key.variant}) with {key.model}, {plural(len(competitions), 'competition')}, "
        f"{plural(len(groups), 'seed')}. Search by mlesearch; graded by MLE-bench's own package.",
        "",
        "| what | |",
        "|---|---|",
        *(_TABLE.format(f"{what} | {said.replace('|', '&#124;')}") for what, said in _facts(d, hours)),
        _TABLE.format(f"known issues of competitions | {_issues(competitions)}"),
        "",
        "## Rates",
        "",
        "Percent of competitions, mean ± SEM over seeds, as MLE-bench's aggregation has them.",
        "",
        "| | any medal | gold | above median | valid |",
        "|---|---|---|---|---|",
        *(_TABLE.format(line) for line in _rates(groups, competitions)),
        "",
        "## Rows for MLE-bench's tables",
        "",
        "runs/README.md:",
        "",
        f"    | {id} | {key.model} on mlesearch {key.strategy}, {hours} hours, {'; '.join(d.hardware) or '-'} |",
        "",
        "README.md, where a column is `-` if not all its competitions are here (fill in source code and links):",
        "",
        f"    | mlesearch {key.strategy} | {', '.join(d.models) or key.model} | {_leaderboard(groups, competitions)} | "
        f"{hours} | {_date(groups)} | - | | ✓ |",
        "",
    ]
    return "\n".join(lines)


def _facts(d: Disclosure, hours: str) -> list[tuple[str, str]]:
    usd = "not known" if d.usd is None else f"{d.usd:,.2f} USD"
    return [
        ("test signal used in search", "; ".join(d.test_signal)),
        ("selection", "; ".join(d.selection)),
        ("network for programs", "; ".join(d.network)),
        ("answers", "; ".join(d.answers)),
        ("hardware of a program", "; ".join(d.hardware) or "not known"),
        ("hours of the longest run", f"{hours} charged (calls and programs)" + _real(d)),
        ("budget of a run", "; ".join(d.budget)),
        ("models that answered", ", ".join(d.models) or "none"),
        ("strategy", "; ".join(d.strategy)),
        ("cost of all runs", f"{usd}, {d.tokens:,} tokens"),
        ("pretrained weights", ", ".join(d.weights) or "none offered"),
        ("graders", "; ".join(d.graders)),
        ("boards", "; ".join(d.boards) or "not noted"),
        ("scores that are not finite", str(d.odd_scores)),
        ("medals that hang on the order of rows or columns", str(d.order_medals)),
        ("mlesearch", "; ".join(d.versions)),
    ]


def _issues(competitions: Sequence[str]) -> str:
    """What is listed of them: leaks, broken answers, thresholds that coincide."""
    known = table()
    return (
        "; ".join(f"{id}: {known[id].issue}" for id in competitions if id in known and known[id].issue) or "none listed"
    )


def _real(d: Disclosure) -> str:
    return "" if d.hours_real is None else f", {d.hours_real:.2f} wall-clock"


def _rates(groups: Sequence[ExportedGroup], competitions: Sequence[str]) -> list[str]:
    fields = ("any_medal", "gold_medal", "above_median", "valid_submission")
    cells = [_rate(groups, competitions, field) for field in fields]
    return [f"{len(competitions)} competitions | {' | '.join(cells)}"]


def _rate(groups: Sequence[ExportedGroup], competitions: Sequence[str], field: str) -> str:
    """Mean and SEM over seeds; a report that is missing counts as a failure, as padding does."""
    found = parity([[_has(group.reports, id, field) for group in groups] for id in competitions])
    return f"{found.mean:.2f}" if found.seeds == 1 else f"{found.mean:.2f} ± {found.sem:.2f}"


def _has(reports: Mapping[str, OfficialReport], id: str, field: str) -> bool:
    return id in reports and bool(getattr(reports[id], field))


def _leaderboard(groups: Sequence[ExportedGroup], competitions: Sequence[str]) -> str:
    cells = []
    for name in SPLITS.values():
        wanted = suite(name)
        whole = set(wanted) <= set(competitions)
        cells.append(_rate(groups, wanted, "any_medal") if whole else "-")
    return " | ".join(cells)


def _date(groups: Sequence[ExportedGroup]) -> str:
    """The day of the grading."""
    days = [report.created_at[:10] for group in groups for report in group.reports.values()]
    return max(days, default=datetime.now(UTC).date().isoformat())
