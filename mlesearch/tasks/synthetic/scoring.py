"""How a submission of a synthetic task is scored: it holds the level of every choice, and the random state.

The `grade.py` of such a task calls `score`. A row a choice, and one for the random state, for each of two splits:
`validation-scaling` with the level 1 says that the second option for scaling was taken.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlesearch.tasks.synthetic.names import STATES
from mlesearch.tasks.synthetic.world import SyntheticWorld, world

RANDOM_STATE = "random_state"
SPLITS = ("validation", "test")


def ids(of: SyntheticWorld, split: str) -> list[str]:
    """The ids of a split's rows."""
    return [f"{split}-{name}" for name in (*(question.name for question in of.questions), RANDOM_STATE)]


def score(name: str, rows: Iterable[tuple[str, float]]) -> float:
    """The score of a submission's rows of one split.

    Args:
        name: of the world.
        rows: id and level of each.

    Raises:
        ValueError: the rows are not those of one split, or a level is no option of its choice.
    """
    of, given = world(name), dict(rows)
    split = next(iter(given), "").partition("-")[0]
    if split not in SPLITS or set(given) != set(ids(of, split)):
        raise ValueError(f"expected the rows {', '.join(ids(of, SPLITS[0])[:2])}, ... of one split")
    levels = tuple(_level(f"{split}-{question.name}", given, len(question.options)) for question in of.questions)
    scores = of.scores(levels, _level(f"{split}-{RANDOM_STATE}", given, STATES))
    return scores.test if split == "test" else scores.validation


def _level(id: str, given: dict[str, float], count: int) -> int:
    level = given[id]
    if level != int(level) or not 0 <= level < count:
        raise ValueError(f"{id} is {level:g}; expected a whole number from 0 to {count - 1}")
    return int(level)
