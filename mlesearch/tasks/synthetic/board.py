"""The reference leaderboard of a synthetic task: what teams reach that climb by trial, with unequal patience."""

from __future__ import annotations

import random

from mlesearch.tasks.synthetic.world import Levels, SyntheticWorld

TEAMS = 120
TRIALS = (8, 16, 32, 64, 128)
"""How many programs a team runs: each number for as many teams."""


def board(world: SyntheticWorld) -> list[float]:
    """Test scores of all teams, in the order of the teams."""
    rng = random.Random(f"board of {world.name}")
    return [world.scores(_team(world, TRIALS[i % len(TRIALS)], rng)).test for i in range(TEAMS)]


def _team(world: SyntheticWorld, trials: int, rng: random.Random) -> Levels:
    """A random start, then one random step after another: it stays where the validation score rose."""
    sign = world.direction.sign
    here: Levels = tuple(rng.randrange(len(effects)) for effects in world.mains)
    reached = sign * world.scores(here, rng.randrange(1000)).validation
    for _ in range(trials - 1):
        choice, option = rng.choice(world.steps(here))
        there = (*here[:choice], option, *here[choice + 1 :])
        score = sign * world.scores(there, rng.randrange(1000)).validation
        if score > reached:
            here, reached = there, score
    return here
