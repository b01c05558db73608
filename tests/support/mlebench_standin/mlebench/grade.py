"""The report of one submission."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from mlebench import data
from mlebench.grade_helpers import CompetitionReport
from mlebench.registry import Competition
from mlebench.utils import read_csv

logger = logging.getLogger(__name__)
assert data.__name__


def grade_csv(path_to_submission: Path, competition: Competition) -> CompetitionReport:
    """Grade it; what reading a file raises ends the batch, as in the real one."""
    if not competition.answers.is_file():
        raise ValueError(f"{competition.id} is not prepared")
    exists = path_to_submission.is_file() and path_to_submission.suffix.lower() == ".csv"
    score = competition.grader(read_csv(path_to_submission), read_csv(competition.answers)) if exists else None
    board = read_csv(competition.leaderboard)
    scores = [float(cell) for cell in board["score"]]
    lower = competition.grader.is_lower_better(board)
    sign = -1 if lower else 1
    teams = len(scores)
    places = [max(1, teams // 10), max(1, teams // 5), max(1, teams * 2 // 5)]
    if teams >= 1000:
        places = [10 + teams // 500, teams // 20, teams // 10]
    elif teams >= 100:
        places = [10 + (teams // 500 if teams >= 250 else 0), *((50, 100) if teams >= 250 else places[1:])]
    limits = [scores[place - 1] for place in places]
    ordered = sorted(scores)
    median = (ordered[(teams - 1) // 2] + ordered[teams // 2]) / 2
    assert score is None or isinstance(score, int | float), f"a score of {type(score)}"
    won = [score is not None and sign * score >= sign * limit for limit in limits]
    medals = [won[0], won[1] and not won[0], won[2] and not won[1]]
    return CompetitionReport(
        competition_id=competition.id,
        score=score,
        gold_threshold=limits[0],
        silver_threshold=limits[1],
        bronze_threshold=limits[2],
        median_threshold=median,
        any_medal=any(medals),
        gold_medal=medals[0],
        silver_medal=medals[1],
        bronze_medal=medals[2],
        above_median=score is not None and sign * score > sign * median,
        submission_exists=exists,
        valid_submission=score is not None,
        is_lower_better=lower,
        created_at=datetime.now(),
        submission_path=str(path_to_submission),
    )
