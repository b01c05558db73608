"""The reference pipelines of a new task's board: drawn from a stated space by a seed, each a program of its own.

The space: a learner (a linear model, nearest neighbours, a tree, a forest, extremely random trees, boosted trees) with
hyper-parameters on ranges that are usual for it; all feature columns or a random share of them; how many levels of a
category and how many words of a text count; the logarithm of a target that is never negative, or not. Nobody tunes
them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlesearch.tasks.metrics import Metric
from mlesearch.tasks.new.dates import read_dates, strptime_form
from mlesearch.tasks.new.kinds import ColumnKind, columns_of
from mlesearch.tasks.new.make import PARTS, PlannedTask
from mlesearch.tasks.new.splits import TRAIN

TEAMS = 40
"""Pipelines of a board."""
LEARNERS = ("linear", "neighbours", "tree", "forest", "extra_trees", "boosting")
SPACE = (
    "test scores of reference pipelines, one a team, drawn at random: linear model, nearest neighbours, tree, forest, "
    "extremely random trees or boosted trees, with hyper-parameters from usual ranges, on all columns or some"
)
_PROGRAM = Path(__file__).with_name("reference_program.py")


@dataclass(frozen=True, slots=True)
class ReferencePipeline:
    """A team of a board.

    Attributes:
        team: its number, from 0.
        settings: what `main` of the program takes.
    """

    team: int
    settings: Mapping[str, Any]

    @property
    def program(self) -> str:
        """The text of its program."""
        return f"{_PROGRAM.read_text(encoding='utf-8')}\n\nmain({dict(self.settings)!r})\n"


def reference_pipelines(planned: PlannedTask, seed: int, teams: int = TEAMS) -> list[ReferencePipeline]:
    """The pipelines of a task's board; equal seeds give equal ones.

    Args:
        planned: the task.
        seed: of the draws.
        teams: how many.
    """
    fixed = _fixed(planned)
    draws = [_drawn(fixed, random.Random(f"{seed} {team}")) for team in range(teams)]
    return [ReferencePipeline(team, {**fixed, **drawn}) for team, drawn in enumerate(draws)]


def _fixed(planned: PlannedTask) -> dict[str, Any]:
    """What all pipelines of a task share: columns by kinds, targets, and the form of predictions."""
    found, target = planned.columns, planned.rows.target
    train = planned.where == TRAIN
    dates = {}
    for name in columns_of(found, ColumnKind.DATE):
        read = read_dates(planned.rows.features[name])
        if read is not None:
            dates[name] = strptime_form(read.words)
    return {
        "id": planned.id_column,
        "targets": list(map(str, target.answers)),
        "asked": [part for part in PARTS[1:] if part in planned.counts],
        "numbers": columns_of(found, ColumnKind.WHOLE, ColumnKind.NUMBER),
        "categories": columns_of(found, ColumnKind.CATEGORY),
        "texts": columns_of(found, ColumnKind.TEXT),
        "dates": dates,
        "form": _form(planned.metric),
        "exclusive": len(target.answers.columns) > 1 and not target.binary,
        "may_log": not target.are_classes and all((values[train] >= 0).all() for values in target.values.values()),
    }


def _form(metric: Metric) -> str:
    if metric.labels:
        return "labels"
    if metric.name in ("auc", "log_loss"):
        return "probabilities"
    return "levels" if metric.name == "quadratic_kappa" else "numbers"


def _drawn(fixed: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """One draw from the space."""
    learner = rng.choice(LEARNERS)
    share = rng.choice((1.0, 1.0, 0.75, 0.5))
    made: dict[str, Any] = {
        "model": learner,
        "params": {
            "C": round(10 ** rng.uniform(-2.5, 1.5), 5),
            "neighbours": rng.choice((3, 5, 10, 20, 30)),
            "depth": rng.choice((2, 3, 4, 6, 8)),
            "trees": rng.choice((30, 60, 100)),
            "leaf": rng.choice((1, 2, 4, 8, 16)),
            "share": round(rng.uniform(0.15, 1.0), 2),
            "rate": round(10 ** rng.uniform(-1.7, -0.5), 4),
            "rounds": rng.choice((20, 40, 80, 120)),
            "leaves": rng.choice((4, 8, 15, 31)),
        },
        "levels": rng.choice((10, 30, 60)),
        "words": rng.choice((200, 1000, 4000)),
        "ngrams": rng.choice((1, 2)),
        "analyzer": rng.choice(("word", "word", "char_wb")),
        "log": bool(fixed["may_log"]) and rng.random() < 0.5,
        "seed": rng.randrange(10**6),
    }
    pools = {name: list(fixed[name]) for name in ("numbers", "categories", "texts")}
    dates = dict(fixed["dates"])
    whole = [(pool, name) for pool, names in pools.items() for name in names]
    if share < 1.0 and len(whole) > 1:
        kept = _some(whole, share, rng)
        made |= {pool: [name for p, name in kept if p == pool] for pool in pools}
        made["dates"] = dates
    return made


def _some(columns: Sequence[tuple[str, str]], share: float, rng: random.Random) -> list[tuple[str, str]]:
    """A random share of columns, in their order; at least one."""
    kept = set(rng.sample(range(len(columns)), max(1, round(share * len(columns)))))
    return [column for place, column in enumerate(columns) if place in kept]
