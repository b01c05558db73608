"""The reference leaderboard of a synthetic task: what teams reach that climb by trial, with unequal patience."""

from __future__ import annotations

import random

from mlesearch.tasks.synthetic.names import STATES
from mlesearch.tasks.synthetic.world import Levels, SyntheticWorld

TEAMS = 120
DECIMALS = 5
"""Of a score on the board, as of a graded one."""
TRIALS = (12, 24, 48, 96, 192)
"""How many programs a team runs: each number for as many teams."""


def board(world: SyntheticWorld) -> list[float]:
    """Test scores of all teams as graders round them, in the order of the teams."""
    rng = random.Random(f"board of {world.name}")
    teams = (_team(world, TRIALS[i % len(TRIALS)], rng) for i in range(TEAMS))
    return [round(world.scores(levels).test, DECIMALS) for levels in teams]


def _team(world: SyntheticWorld, trials: int, rng: random.Random) -> Levels:
    """A random start, then one random step after another: it stays where the validation score rose."""
    sign = world.direction.sign
    here: Levels = tuple(rng.randrange(len(effects)) for effects in world.mains)
    reached = sign * world.validation(here, rng.randrange(STATES))
    steps = range(len(world.steps(here)))
    for _ in range(trials - 1):
        there = world.after(here, rng.choice(steps))
        score = sign * world.validation(there, rng.randrange(STATES))
        if score > reached:
            here, reached = there, score
    return here
