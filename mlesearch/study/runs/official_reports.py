"""What MLE-bench's reports say of a run's nodes beyond score and medal: whose board, odd scores, effects of order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mlesearch.storage.documents import OfficialLine
from mlesearch.study.runs.fold import FoldedRun

BOARDS = {"real": "MLE-bench's own board", "table": "mlesearch's table of thresholds (MLE-bench's board is a pointer)"}
"""Whose thresholds a report is by, in words."""


@dataclass(frozen=True, slots=True)
class OfficialFacts:
    """What a report says beside its grade.

    Attributes:
        board: real, or table.
        odd_score: nan, inf or -inf where MLE-bench's score is none of the finite ones; else empty.
        medal: that it won.
        aligned_score: of the same rows and columns in the sample's order, where that one is graded otherwise.
        aligned_medal: that it would have won in that order; None where no report says so.
        ends_batch: the exception by which MLE-bench's own command would have ended; else empty.
    """

    board: str
    odd_score: str
    medal: str
    aligned_score: float | None
    aligned_medal: str | None
    ends_batch: str

    @property
    def finite_aligned_score(self) -> float | None:
        """The aligned score, for a table that holds finite ones alone."""
        return self.aligned_score if self.aligned_score is not None and math.isfinite(self.aligned_score) else None

    @property
    def medal_hangs_on_order(self) -> bool:
        """Whether the same submission in the sample's order wins another medal, or none."""
        return self.aligned_medal is not None and self.aligned_medal != self.medal


def official_facts(f: FoldedRun, id: int) -> OfficialFacts | None:
    """What MLE-bench's report of a node says; None without one, or where an earlier version did not note which."""
    grade = f.grades.get(id)
    line = f.official.get(grade.get("submission", "")) if grade else None
    return None if grade is None or line is None else _facts(line, grade["medal"])


def _facts(line: OfficialLine, medal: str) -> OfficialFacts:
    score, aligned = line["report"]["score"], line.get("aligned_score")
    return OfficialFacts(
        board=line["board"],
        odd_score=str(score) if score is not None and not math.isfinite(float(score)) else "",
        medal=medal,
        aligned_score=None if aligned is None else float(aligned),
        aligned_medal=line.get("aligned_medal"),
        ends_batch=line.get("ends_batch", ""),
    )


def board_of(f: FoldedRun) -> str | None:
    """Whose board a run's medals are by: real, table, or both; None where MLE-bench graded nothing."""
    return " and ".join(sorted({line["board"] for line in f.official.values()})) or None


def official_lines(f: FoldedRun) -> Iterator[str]:
    """What is to be known of a run's official grades, one line each; nothing where MLE-bench did not grade it."""
    boards = sorted({line["board"] for line in f.official.values()})
    if not boards:
        return
    yield f"graded by MLE-bench's own package; medals by {' and '.join(BOARDS.get(b, b) for b in boards)}"
    found = {id: facts for id in f.grades if (facts := official_facts(f, id)) is not None}
    odd = [f"node {id} ({facts.odd_score})" for id, facts in found.items() if facts.odd_score]
    if odd:
        yield f"scores that are not finite, which MLE-bench counts as valid: {', '.join(odd)}"
    ordered = {id: facts for id, facts in found.items() if facts.aligned_score is not None}
    if ordered:
        hang = sum(facts.medal_hangs_on_order for facts in ordered.values())
        named = ", ".join(f"node {id}" for id in ordered)
        yield (
            f"{len(ordered)} submissions score otherwise with rows and columns in the sample's order ({named}); "
            f"medals that hang on the order: {hang}"
        )


def node_line(f: FoldedRun, id: int) -> str:
    """The same of one node; empty where there is nothing to say."""
    facts = official_facts(f, id)
    if facts is None:
        return ""
    said = [f"medals by {BOARDS.get(facts.board, facts.board)}"]
    if facts.odd_score:
        said.append(f"the score is {facts.odd_score}")
    if facts.aligned_score is not None:
        would = f", medal {facts.aligned_medal}" if facts.aligned_medal is not None else ""
        said.append(f"in the sample's order it scores {facts.aligned_score:.5g}{would}")
    if facts.ends_batch:
        said.append(f"MLE-bench's own command would have ended with {facts.ends_batch}")
    return f"official: {'; '.join(said)}"
