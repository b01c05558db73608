"""What everybody may know of a synthetic task: its questions and the direction of its metric, drawn from its name."""

from __future__ import annotations

import random
from dataclasses import dataclass

from mlesearch.tasks.synthetic.catalogue import QUESTIONS, Question
from mlesearch.tasks.synthetic.names import DIFFICULTIES, Difficulty, tasks
from mlesearch.types import Direction

VERSION = 1
"""Changes whenever a synthetic task of some name changes: its questions or what their options are worth."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A synthetic task without the worth of its options.

    Attributes:
        name: as `easy-01`.
        difficulty: of the task.
        direction: of its metric.
        questions: that its programs answer.
    """

    name: str
    difficulty: Difficulty
    direction: Direction
    questions: tuple[Question, ...]


def outline(name: str) -> Outline:
    """The outline of a task.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in tasks():
        raise KeyError(name)
    difficulty = DIFFICULTIES[name.partition("-")[0]]
    rng = random.Random(f"synthetic outline {VERSION} {name}")
    direction = Direction.MAXIMIZE if rng.random() < 0.5 else Direction.MINIMIZE
    asked = sorted(rng.sample(range(len(QUESTIONS)), difficulty.questions))
    return Outline(name, difficulty, direction, tuple(QUESTIONS[i] for i in asked))
