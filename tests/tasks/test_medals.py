"""The medal rules: positions by hand, mle-bench's own outputs, and properties."""

import csv
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks import leaderboard
from mlesearch.tasks.grading import above_median, grade_scores, medal, positions, thresholds
from mlesearch.tasks.protocol import Medal, Thresholds
from mlesearch.types import ConfigError, Direction
from tests.support.paths import DATA

GOLDEN = DATA / "golden_rank_score.csv"
UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE

BY_HAND = {
    1: (1, 1, 1),
    9: (1, 1, 3),
    99: (9, 19, 39),
    100: (10, 20, 40),
    249: (10, 49, 99),
    250: (10, 50, 100),
    999: (11, 50, 100),
    1000: (12, 50, 100),
    4000: (18, 200, 400),
}


@pytest.mark.parametrize("teams", BY_HAND)
@pytest.mark.parametrize("direction", Direction)
def test_positions_and_thresholds_by_hand(teams: int, direction: Direction) -> None:
    gold, silver, bronze = BY_HAND[teams]
    assert positions(teams) == (gold, silver, bronze)
    # The team in place k scores k where lower is better, and -k where higher is; given worst first.
    board = [-direction.sign * float(k) for k in range(teams, 0, -1)]
    found = thresholds(board, direction)
    assert (found.gold, found.silver, found.bronze) == tuple(-direction.sign * k for k in (gold, silver, bronze))
    assert found.median == -direction.sign * (teams + 1) / 2
    assert found.teams == teams


def test_boards_without_a_team_or_with_nan_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one team"):
        positions(0)
    with pytest.raises(ValueError, match="finite"):
        thresholds([1.0, math.nan], UP)


def _golden() -> list[dict[str, str]]:
    with GOLDEN.open(newline="") as file:
        return list(csv.DictReader(file))


def test_equals_mle_bench_on_every_golden_row() -> None:
    rows = _golden()
    assert len(rows) == 990
    for row in rows:
        limits = Thresholds(
            *(float(row[f"{n}_threshold"]) for n in ("gold", "silver", "bronze", "median")), int(row["num_teams"])
        )
        direction = DOWN if row["is_lower_better"] == "True" else UP
        got = grade_scores(float(row["score"]) if row["score"] else None, limits, direction)
        for name in ("gold_medal", "silver_medal", "bronze_medal", "above_median"):
            assert got[name] is (row[name] == "True"), row
        if row["competition_id"] in leaderboard._mlebench():
            assert leaderboard.mlebench_thresholds(row["competition_id"]) == (limits, direction)


def test_the_shipped_table_holds_all_competitions() -> None:
    table = leaderboard._mlebench()
    assert len(table) == 82
    assert sum(direction is DOWN for _, direction in table.values()) > 0
    golden = {row["competition_id"] for row in _golden()}
    assert golden <= set(table)


def test_unknown_competition_names_the_closest() -> None:
    with pytest.raises(
        ConfigError, match=r"'spooky-author-identificatio'.*did you mean 'spooky-author-identification'"
    ):
        leaderboard.mlebench_thresholds("spooky-author-identificatio")


scores = st.floats(-1e6, 1e6)
boards = st.lists(scores, min_size=1, max_size=300)
ORDER = [Medal.NONE, Medal.BRONZE, Medal.SILVER, Medal.GOLD]


@given(boards, scores, scores)
def test_a_better_score_never_wins_less(board: list[float], a: float, b: float) -> None:
    limits = thresholds(board, UP)
    low, high = sorted((a, b))
    assert ORDER.index(medal(low, limits, UP)) <= ORDER.index(medal(high, limits, UP))
    assert above_median(low, limits, UP) <= above_median(high, limits, UP)


@given(boards, scores)
def test_directions_mirror_each_other(board: list[float], score: float) -> None:
    up, down = thresholds(board, UP), thresholds([-s for s in board], DOWN)
    assert medal(score, up, UP) is medal(-score, down, DOWN)
    assert above_median(score, up, UP) is above_median(-score, down, DOWN)


@given(boards, st.randoms(use_true_random=False))
def test_the_order_of_the_board_does_not_matter(board: list[float], random: object) -> None:
    shuffled = list(board)
    random.shuffle(shuffled)
    assert thresholds(board, UP) == thresholds(shuffled, UP)


@given(boards)
def test_the_best_team_wins_gold_and_no_score_wins_nothing(board: list[float]) -> None:
    limits = thresholds(board, DOWN)
    assert medal(min(board), limits, DOWN) is Medal.GOLD
    assert medal(None, limits, DOWN) is medal(math.nan, limits, DOWN) is Medal.NONE
    assert not above_median(None, limits, DOWN)
    assert not above_median(limits.median, limits, DOWN)


def test_the_medal_function_does_not_round() -> None:
    limits = Thresholds(gold=0.900004, silver=0.8, bronze=0.7, median=0.5, teams=100)
    assert medal(0.9, limits, UP) is Medal.SILVER
    assert medal(0.900004, limits, UP) is Medal.GOLD
