"""Sequential conditioned sampling: drafts that are shown a sample of earlier programs."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from mlesearch.optimizers.base import factory
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Status


def sequential(seed=0, context=Context.SHARED, **params):
    problem = Problem(Direction.MAXIMIZE, None, context)
    return factory("random")(
        {"p_draft": 1.0, "shown": 3, **params}, problem, lambda id: np.random.default_rng([seed, id])
    )


def test_every_proposal_is_a_draft_that_is_shown_a_sample_of_the_programs_before_it():
    for context in Context:
        s = sequential(context=context)
        programs: list[int] = []
        for i in range(30):
            p = s.ask(0.5)
            assert (p.op, p.base, p.parents) == (Op.DRAFT, None, ())
            assert len(p.context) == min(3, len(programs))
            assert list(p.context) == sorted(set(p.context) & set(programs))
            unusable = i % 4 == 3
            status = Status.REPLY_UNUSABLE if unusable else Status.ERROR if i % 4 == 1 else Status.OK
            s.tell(Outcome(p.id, p.op, status, 0.5 if status is Status.OK else None))
            if not unusable:
                programs.append(p.id)


def test_the_sample_is_uniform():
    counts: Counter[int] = Counter()
    runs = 2000
    for seed in range(runs):
        s = sequential(seed)
        for _ in range(6):
            p = s.ask(0.5)
            s.tell(Outcome(p.id, p.op, Status.OK, 0.5))
        counts.update(s.ask(0.5).context)
    assert set(counts) == set(range(6))
    expected, sd = runs / 2, math.sqrt(runs / 4)
    assert all(abs(n - expected) < 4.5 * sd for n in counts.values())


def test_without_a_sample_the_null_model_decides_as_ever():
    plain = factory("random")({}, Problem(Direction.MAXIMIZE, None), lambda id: np.random.default_rng([1, id]))
    shown = factory("random")(
        {"shown": 2}, Problem(Direction.MAXIMIZE, None), lambda id: np.random.default_rng([1, id])
    )
    for i in range(60):
        p, q = plain.ask(0.5), shown.ask(0.5)
        assert p.context is None
        assert (q.context is None) == (q.op is not Op.DRAFT)
        if p.op is Op.DRAFT:
            assert q.op is Op.DRAFT  # the draw that decides comes first
        for s, x in ((plain, p), (shown, q)):
            s.tell(Outcome(x.id, x.op, Status.OK if i % 3 else Status.ERROR, 0.5 if i % 3 else None))
