"""What a reader must know of grades by MLE-bench's own package: scores that are none, medals that hang on an order."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from mlesearch.analysis.text import plural
from mlesearch.storage.columns import MEDALS

BOARDS = {"real": "MLE-bench's own", "table": "table of mlesearch"}
NAMED = 4
"""So many runs are named, where there are more."""


def sentences(runs: pd.DataFrame) -> Iterator[str]:
    """Findings about official grades, one a kind; none where MLE-bench graded nothing, or nothing is odd.

    Args:
        runs: table of runs; an earlier version's lacks these columns.
    """
    if "odd_score" in runs.columns:
        odd = runs[runs["odd_score"].notna()]
        if len(odd):
            kinds = ", ".join(sorted(set(map(str, odd["odd_score"]))))
            yield (
                f"{plural(len(odd), 'run')} with a score of {kinds}, which MLE-bench counts as valid: {_named(odd)}. "
                "Rates of valid submissions count them."
            )
    if "aligned_score" in runs.columns:
        ordered = runs[runs["aligned_score"].notna() | runs["aligned_medal"].notna()]
        if len(ordered):
            known = ordered[ordered["aligned_medal"].notna()]
            hang = known[_medals(known) != known["aligned_medal"]]
            yield (
                f"The submissions of {plural(len(ordered), 'run')} score otherwise with rows and columns in the "
                f"sample's order ({_named(ordered)}); the grade is that of the submission as it stood. "
                f"Medals that hang on the order: {len(hang)}."
            )


def board_fact(runs: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Whose boards medals are by, for the facts of a study; nothing where MLE-bench graded nothing."""
    if "official_board" not in runs.columns or runs["official_board"].isna().all():
        return ()
    counts = runs["official_board"].dropna().value_counts()
    said = "; ".join(
        f"{' and '.join(BOARDS.get(part, part) for part in str(name).split(' and '))} in {plural(int(count), 'run')}"
        for name, count in sorted(counts.items(), key=lambda item: str(item[0]))
    )
    return (("Boards of MLE-bench", said),)


def _medals(runs: pd.DataFrame) -> pd.Series[str]:
    won = pd.Series("none", index=runs.index, dtype="string")
    for medal in MEDALS:
        won = won.mask(runs[medal].astype(bool), medal)
    return won


def _named(runs: pd.DataFrame) -> str:
    ids = sorted(map(str, runs["run_id"]))
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
