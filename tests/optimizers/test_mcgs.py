"""Monte Carlo graph search against a plain emulation of the published rules, and against cases worked by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.mcgs.graph import Elite, GraphBranch, GraphNode
from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.testing.optimizer_contract import Ask, Scenario, simulate
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Proposal, Status
from tests.support.fixed_draws import FixedDraws
from tests.support.mcgs_emulation import Emulation

MAX = Problem(Direction.MAXIMIZE, 100)


SETTINGS = {
    "default": {},
    "tree": {"evolution": False, "fusion": False, "aggregation": False},
    "fusion": {"evolution": False, "fusion_start": 0.0, "initial_drafts": 5, "fusion_min_successful_nodes": 1},
    "eager": {"initial_drafts": 1, "num_drafts": 3, "num_improves": 2, "topk_max_improves": 3, "lower_bound": 0.1,
              "explore_switch_start": 0.1, "explore_switch_end": 0.4, "min_exploration_weight": 0.4,
              "fusion_start": 0.2, "aggregation_start": 0.1, "branch_stagnation_threshold": 2,
              "topk_stagnation_threshold": 3, "max_improve_failure": 1, "max_fusion_drafts": 5},
    "short lives": {"num_drafts": 2, "num_improves": 1, "topk_max_improves": 1, "max_improve_failure": 0,
                    "back_debug_depth": 1, "max_debug_depth": 2, "explore_switch_start": 0.0,
                    "explore_switch_end": 0.2, "topk_late_k": 1, "topk_late_max_per_branch": 1,
                    "force_backprop_mid_threshold": 0.9, "force_backprop_late_threshold": 0.9},
}  # fmt: skip


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_every_decision_is_that_of_the_published_rules(params):
    seen = Counter()
    for seed in range(40):
        context = tuple(Context)[seed % 2]
        steps = 40 if context is Context.NATIVE else 150
        scenario = Scenario(
            seed, tuple(Direction)[seed % 3 % 2], steps=steps, context=context,
            p_fail=(0.0, 0.2, 0.5, 0.9)[seed % 4], scores=("smooth", "ties", "wide", "equal")[seed // 4 % 4],
        )  # fmt: skip
        search = factory("mcgs")(params, scenario.problem, scenario.rng)
        asked = [e for e in simulate(search, scenario.outcome, steps=steps) if isinstance(e, Ask)][:steps]
        used = [e.used for e in asked]
        emulation = Emulation(scenario, lambda i, used=used: used[i] if i < len(used) else 1.0, **params)
        expected = emulation.run()
        for i, (e, want) in enumerate(zip(asked, expected, strict=True)):
            p = e.proposal
            assert (p.op, p.base, p.parents, p.context) == want, (seed, i)
            seen[p.op] += 1
            seen["evolution"] += p.op is Op.IMPROVE and context is Context.SHARED and p.context is not None
            seen["aggregation"] += p.op is Op.DRAFT and context is Context.SHARED and p.context is not None
        seen["reopened"] += emulation.forgotten > 0
    assert min(seen[Op.DRAFT], seen[Op.IMPROVE], seen[Op.DEBUG]) > 100
    s = MCGSSettings(**params)
    assert (seen["reopened"] > 20) is (s.num_improves == 1)
    assert (seen["aggregation"] > 5) is s.aggregation
    if s.num_improves > 1:  # else no branch lives long enough to stagnate
        assert (seen[Op.MERGE] > 20) is s.fusion
        assert (seen["evolution"] > 20) is s.evolution


def step(search, score=None, used=0.0, status=Status.ERROR):
    p = search.ask(used)
    search.tell(Outcome(p.id, p.op, Status.OK if score is not None else status, score))
    return p.op, p.base, p.parents[1:], p.context


# One branch. 0 scores 0.5; 1, 2 and 3 gain nothing: three failures of 0, and three valid programs below the best, so
# that 3 is improved with its path in view. 4 gains nothing either: terminal, +1 for it and all above.
@pytest.mark.parametrize("direction", list(Direction))
def test_a_branch_by_hand(direction):
    draws, sign = FixedDraws(), direction.sign
    search = factory("mcgs")({"initial_drafts": 1, "num_drafts": 1}, Problem(direction, 100), draws)
    assert step(search, 0.5 * sign) == (Op.DRAFT, None, (), None)
    assert [step(search, x * sign) for x in (0.4, 0.3, 0.2)] == [(Op.IMPROVE, i, (), None) for i in range(3)]
    zero = search.root.children[0]
    assert (zero.failures, zero.visits, zero.branch.since_best, zero.branch.locked) == (3, 0, 3, True)
    assert step(search, 0.1 * sign) == (Op.IMPROVE, 3, (), (0, 1, 2, 3))
    assert [(n.visits, n.total, n.failures) for n in search.root.children[0].path()] == [(1, 1.0, 0)] * 2
    assert not zero.branch.locked
    draws.values = [0.5]  # UCT: the root is full, 0 has room and no flag; a path of one program is no path
    assert step(search, 0.6 * sign) == (Op.IMPROVE, 0, (), None)
    assert step(search) == (Op.IMPROVE, 5, (), None)  # 0.6 is the new best: not stagnant, and the branch goes on
    assert [step(search) for _ in range(3)] == [(Op.DEBUG, i, (), None) for i in (6, 7, 8)]
    assert (zero.visits, zero.total) == (2, 0.0)  # three debugs deep: -1
    draws.values = [0.5]
    assert step(search, used=0.0) == (Op.IMPROVE, 0, (), None)  # the flag of 5 was copied away with that of 9
    assert not draws.values


def test_fusion_and_the_best_programs_by_hand():
    draws = FixedDraws()
    search = factory("mcgs")({"initial_drafts": 2, "num_drafts": 2, "aggregation": "off"}, MAX, draws)
    for score in (0.5, 0.8, 0.4, 0.9, 0.3, 0.85, 0.2):  # 0, 2, 4, 6 and 1, 3, 5 in turn
        step(search, score)
    assert [n.branch.since_best for n in search.root.children] == [3, 1]
    assert step(search, 0.7) == (Op.IMPROVE, 5, (), None)
    draws.values = [0.29]
    assert step(search, 0.1, used=0.5) == (Op.MERGE, 6, (3, 5), (3, 5))  # the two best of the other branch
    # 8 is terminal: branch 0 is backed up. 9 goes on in branch 1
    assert step(search, 0.6, used=0.5) == (Op.IMPROVE, 7, (), None)
    draws.values = [0.61, 0.0]  # at 0.6 the share of UCT is 1 - 0.8 / 2 = 0.6; the best is 3, of the 6 left
    assert step(search, None, used=0.6) == (Op.IMPROVE, 3, (), None)
    draws.values = [0.95]  # 9: its branch has three below its best, and 0.95 is no fusion
    assert step(search, None, used=0.6) == (Op.IMPROVE, 9, (), (1, 3, 5, 7, 9))
    assert not draws.values


def test_drafts_from_the_best_of_all_branches():
    draws = FixedDraws()
    params = {"initial_drafts": 2, "num_drafts": 2, "max_improve_failure": 0, "fusion_start": 1.0}
    search = factory("mcgs")(params, MAX, draws)
    for score in (0.5, 0.8, 0.5, 0.8):  # both branches end at once, with two valid programs each
        step(search, score)
    draws.values = [0.9]
    assert step(search, used=0.49)[:2] == (Op.IMPROVE, 0)
    draws.values = [0.0]
    assert step(search, status=Status.REPLY_UNUSABLE, used=0.5) == (Op.DRAFT, None, (), (1, 0))  # not counted
    draws.values = [0.0, 0.9]  # from 0.8 on, whether its branch is backed up is drawn last
    first = search.ask(0.833)
    draws.values = [0.0]
    second = search.ask(0.5)
    assert [(p.op, p.context) for p in (first, second)] == [(Op.DRAFT, (1, 0))] * 2
    draws.values = [0.0]
    assert search.ask(0.5).op is not Op.DRAFT  # two at most


def test_one_worker_a_branch():
    search = factory("mcgs")({"initial_drafts": 1, "num_drafts": 2}, MAX, FixedDraws(*[0.0] * 9))
    first, second = search.ask(0), search.ask(0)
    assert search.ask(0) is None
    search.tell(Outcome(second.id, second.op, Status.OK, 0.5))
    assert (search.ask(0).base, search.ask(0)) == (1, None)  # the branch goes on; the other draft is in flight
    search.tell(Outcome(first.id, first.op, Status.REPLY_UNUSABLE))
    assert search.ask(0).op is Op.DRAFT  # as if it had not been asked


def test_the_best_programs_of_any_history_are_those_of_the_whole():
    for seed in range(50):
        scenario = Scenario(seed, scores=("smooth", "ties")[seed % 2])
        kept, everything = Elite(5, 2), []
        for i in range(60):
            node = GraphNode(i, None, GraphBranch(int(scenario.rng(i).integers(4))), valid=True)
            node.score = scenario.outcome(Proposal(i, Op.DRAFT)).score or 0.0
            kept.add(node)
            everything.append(node)
            taken, count = [], Counter()
            for one in sorted(everything, key=lambda n: (-n.score, n.id)):
                if count[one.branch.id] < 2 and len(taken) < 5:
                    taken.append(one)
                    count[one.branch.id] += 1
            assert kept.nodes == taken
