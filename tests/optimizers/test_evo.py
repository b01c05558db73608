"""Evolutionary search against a plain emulation of the published rules, and against cases worked by hand."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.evo.islands import Islands
from mlesearch.testing.optimizer_contract import Ask, Scenario, simulate
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Proposal, Status
from tests.support.fixed_draws import FixedDraws

MAX = Problem(Direction.MAXIMIZE, 100)
DEFAULTS = {
    "replacement": "generational", "individuals_per_generation": 5, "num_islands": 1, "max_island_size": 500,
    "crossover_prob": 0.5, "num_generations_till_crossover": 2, "migration_prob": 0.0,
    "num_generations_till_migration": 999, "initial_temp": 1.0, "final_temp": 1.0, "num_generations": 100,
    "max_debug_depth": 10,
}  # fmt: skip


class End(Exception):
    """The steps are spent."""


class Emulation:
    """The rules of src/dojo/solvers/evo/evo.py for one worker: nested loops, exact sums, every weight anew."""

    def __init__(self, scenario: Scenario, **params):
        self.scenario, self.p = scenario, {**DEFAULTS, **params}
        self.sign = scenario.direction.sign
        self.native = scenario.context is Context.NATIVE
        self.islands = [[] for _ in range(self.p["num_islands"])]  # of (node, signed score)
        self.offered = []
        self.valid = []
        self.made = []

    def run(self):
        try:
            for generation in itertools.count():
                self.generation(generation)
        except End:
            return self.made

    def generation(self, number):
        p, children = self.p, []
        for k in range(p["individuals_per_generation"]):
            draws = self.scenario.rng(len(self.made))
            if k == 0 and number > 0:
                self.migrate(number - 1, draws)
            place, op, parents = self.sample(number, draws)
            child = self.child(op, parents)
            if child is not None:
                children.append((place, child))
                if p["replacement"] == "steady_state":
                    self.admit(number, children)
        self.admit(number, children)

    def program(self, op, parents, context):
        id = len(self.made)
        if id == self.scenario.steps:
            raise End
        self.made.append((op, parents[0] if parents else None, parents, context))
        outcome = self.scenario.outcome(Proposal(id, op, *parents[:1]))
        if outcome.valid:
            self.valid.append(id)
        return id, outcome

    def child(self, op, parents):
        shown = (parents[1],) if op is Op.MERGE else tuple(self.valid) if self.native else None
        id, outcome = self.program(op, parents, shown)
        chain = []
        for _ in range(self.p["max_debug_depth"]):
            if outcome.status is not Status.REPLY_UNUSABLE and not outcome.valid:
                chain.append(id)
            if outcome.valid or not chain:
                break
            id, outcome = self.program(Op.DEBUG, (chain[-1],), tuple(chain[:-1]) if self.native else None)
        return (id, self.sign * outcome.score) if outcome.valid else None

    def admit(self, generation, children):
        for place, (node, score) in children:
            island = self.islands[place]
            self.offered.append(score)
            mean = sum(Fraction(s) for _, s in island) / len(island) if island else None
            if generation == 0 or mean is None or Fraction(score) >= mean:
                island.append((node, score))
            while len(island) > self.p["max_island_size"]:
                island.remove(min(island, key=lambda m: m[1]))
        children.clear()

    def normalised(self, score):
        low, high = Fraction(min(self.offered)), Fraction(max(self.offered))
        return 0.5 if low == high else float((Fraction(score) - low) / (high - low))

    def pick(self, scores, temperature, draws, taken=()):
        weights = [0.0 if i in taken else math.exp(self.normalised(s) / temperature) for i, s in enumerate(scores)]
        point = draws.random() * math.fsum(weights)
        for i, weight in enumerate(weights):
            point -= weight
            if point < 0 and weight:
                return i
        raise AssertionError

    def sample(self, generation, draws):
        p = self.p
        if generation == 0 or not any(self.islands):
            return int(draws.integers(p["num_islands"])), Op.DRAFT, ()
        fallen = min(1.0, generation / p["num_generations"])
        temperature = p["initial_temp"] - (p["initial_temp"] - p["final_temp"]) * fallen
        probability = 0.0 if generation < p["num_generations_till_crossover"] else p["crossover_prob"]
        crossover = draws.random() < probability and any(len(island) >= 2 for island in self.islands)
        places = [i for i, island in enumerate(self.islands) if len(island) >= 1 + crossover]
        means = [sum(Fraction(s) for _, s in self.islands[i]) / len(self.islands[i]) for i in places]
        place = places[self.pick(means, temperature, draws)]
        island = self.islands[place]
        taken = []
        for _ in range(1 + crossover):
            taken.append(self.pick([s for _, s in island], temperature, draws, taken))
        return place, Op.MERGE if crossover else Op.IMPROVE, tuple(island[i][0] for i in taken)

    def migrate(self, generation, draws):
        p = self.p
        if len(self.islands) < 2 or generation == 0 or generation < p["num_generations_till_migration"]:
            return
        if draws.random() >= p["migration_prob"]:
            return
        best = [max((s for _, s in island), default=-math.inf) for island in self.islands]
        order = sorted(range(len(best)), key=lambda i: (-best[i], i))  # the best first, ties to the earlier
        half = len(best) // 2
        for weak in reversed(order[len(best) - half :]):
            self.islands[weak] = [m for m in self.islands[weak] if m[1] == best[weak]][:1]
            founders = sorted(order[: len(best) - half], key=lambda i: -order.index(i))
            founders = [i for i in founders if len(self.islands[i]) > 1]
            if not founders:
                continue
            founder = founders[int(draws.integers(len(founders)))]
            others = [m for m in self.islands[founder] if m[1] != best[founder]]
            if others:
                moved = others[self.pick([s for _, s in others], 1.0, draws)]
                self.islands[founder].remove(moved)
                self.islands[weak].append(moved)
                while len(self.islands[weak]) > p["max_island_size"]:
                    self.islands[weak].remove(min(self.islands[weak], key=lambda m: m[1]))


SETTINGS = {
    "default": {},
    "steady": {"replacement": "steady_state"},
    "small": {"individuals_per_generation": 2, "max_island_size": 2, "num_generations_till_crossover": 1,
              "max_debug_depth": 1},
    "islands": {"num_islands": 3, "individuals_per_generation": 3, "max_island_size": 4, "migration_prob": 0.5,
                "num_generations_till_migration": 1, "initial_temp": 2.0, "final_temp": 0.1, "num_generations": 9,
                "max_debug_depth": 2, "crossover_prob": 0.8},
    "steady islands": {"replacement": "steady_state", "num_islands": 4, "individuals_per_generation": 4,
                       "migration_prob": 1.0, "num_generations_till_migration": 2, "max_debug_depth": 0,
                       "final_temp": 0.05, "num_generations": 5},
}  # fmt: skip


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_every_decision_is_that_of_the_published_rules(params):
    seen = dict.fromkeys(Op, 0)
    for seed in range(40):
        context = tuple(Context)[seed % 2]
        scenario = Scenario(
            seed, tuple(Direction)[seed % 3 % 2], steps=40 if context is Context.NATIVE else 150, context=context,
            p_fail=(0.0, 0.2, 0.5, 0.9)[seed % 4], scores=("smooth", "ties", "wide", "equal")[seed // 4 % 4],
        )  # fmt: skip
        search = factory("evo")(params, scenario.problem, scenario.rng)
        events = simulate(search, scenario.outcome, steps=scenario.steps)
        asked = [e.proposal for e in events if isinstance(e, Ask)][: scenario.steps]
        assert [(p.op, p.base, p.parents, p.context) for p in asked] == Emulation(scenario, **params).run()
        for p in asked:
            seen[p.op] += 1
    assert all(seen[op] > 50 for op in (Op.DRAFT, Op.IMPROVE, Op.MERGE)), seen
    assert seen[Op.DEBUG] > 50 or params.get("max_debug_depth") == 0, seen


def told(p, score=None, status=Status.ERROR):
    return Outcome(p.id, p.op, status if score is None else Status.OK, score)


# Two a generation, crossover from generation 1 on with probability 0.5. Scores 0 and 1: weights e^0 = 1, e^1 = 2.718 of
# 3.718 in all, so the first program is drawn below 1 / 3.718 = 0.2690.
@pytest.mark.parametrize("direction", list(Direction))
def test_by_hand(direction):
    draws, sign = FixedDraws(), direction.sign
    params = {"individuals_per_generation": 2, "num_generations_till_crossover": 1, "max_debug_depth": 2}
    evo = factory("evo")(params, Problem(direction), draws)
    zero, one = evo.ask(0), evo.ask(0)
    assert [(p.op, p.base) for p in (zero, one)] == [(Op.DRAFT, None)] * 2
    assert evo.ask(0) is None  # the generation is not done
    evo.tell(told(one, 1.0 * sign))
    evo.tell(told(zero, 0.0 * sign))
    draws.values = [0.5, 0.9, 0.268]  # not below 0.5: one parent; the only island; below 0.2690: the first
    two = evo.ask(0)
    assert (two.op, two.base, two.parents, two.context) == (Op.IMPROVE, 0, (0,), None)
    draws.values = [0.49, 0.0, 0.270, 0.0]  # two parents: the second, then the one that is left
    three = evo.ask(0)
    assert (three.op, three.base, three.parents, three.context) == (Op.MERGE, 1, (1, 0), (0,))
    evo.tell(told(three))
    four = evo.ask(0)  # a buggy child is debugged at once
    assert (four.op, four.base) == (Op.DEBUG, 3)
    evo.tell(told(two, 0.5 * sign))  # the mean of 0 and 1: it joins
    evo.tell(told(four, status=Status.REPLY_UNUSABLE))  # the same once more, one debug spent
    five = evo.ask(0)
    assert (five.op, five.base) == (Op.DEBUG, 3)
    evo.tell(told(five))
    # two debugs: given up. The island is 0, 1, 2 with weights 1, 2.718, e^0.5 = 1.649 of 5.367: 2 from 0.6928 on
    draws.values = [0.9, 0.0, 0.693]
    assert evo.ask(0).base == 2
    draws.values = [0.9, 0.0, 0.692]
    six = evo.ask(0)
    assert (six.id, six.base) == (7, 1)
    assert not draws.values


def test_a_child_below_the_mean_does_not_join_and_the_worst_leaves_a_full_island():
    islands = Islands(1, 2)
    islands.admit(0, 0, 0.1, tested=False)
    islands.admit(0, 1, 0.1, tested=False)
    islands.admit(0, 2, 0.0999, tested=True)
    assert islands.all[0].nodes == [0, 1]
    islands.admit(0, 3, 0.1, tested=True)  # exactly the mean; among equals the earliest leaves
    assert islands.all[0].nodes == [1, 3]
    islands.admit(0, 4, 0.05, tested=False)
    assert islands.all[0].nodes == [1, 3]


def test_steady_state_never_waits_and_a_child_joins_at_once():
    draws = FixedDraws()
    params = {"replacement": "steady_state", "individuals_per_generation": 2, "crossover_prob": 0.0}
    evo = factory("evo")(params, MAX, draws)
    zero, one, two = (evo.ask(0) for _ in range(3))
    assert [p.op for p in (zero, one, two)] == [Op.DRAFT] * 3  # nothing to breed from: a draft beyond generation 0
    evo.tell(told(one, 0.5))
    draws.values = [0.0, 0.0, 0.99]
    assert evo.ask(0).base == 1
    evo.tell(told(two, 0.4))  # of generation 1, and below the mean
    evo.tell(told(zero, 0.1))  # a draft of generation 0 joins whatever its score
    # normalised over 0.1 to 0.5, the refused 0.4 included: weights e^1 and e^0 in the order in which they joined
    draws.values = [0.0, 0.0, 0.7310]  # 2.718 / 3.718 = 0.73106
    assert evo.ask(0).base == 1
    draws.values = [0.0, 0.0, 0.7311]
    assert evo.ask(0).base == 0


def test_weaker_islands_keep_their_best_and_get_another():
    islands = Islands(2, 5)
    for place, node, score in ((0, 0, 0.1), (0, 1, 0.3), (1, 2, 0.5), (1, 3, 0.9), (1, 4, 0.2)):
        islands.admit(place, node, score, tested=False)
    # of island 1, without its best: 0.5 -> (0.5 - 0.1) / 0.8 = 0.5, 0.2 -> 0.125; weights 1.6487, 1.1331 of 2.7819,
    # so the first is drawn below 0.5927
    islands.reset(FixedDraws(0.592))
    assert [island.nodes for island in islands.all] == [[1, 2], [3, 4]]
    islands.reset(FixedDraws(0.0))
    assert [island.nodes for island in islands.all] == [[2, 4], [3]]


@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
def test_parents_are_drawn_as_by_numpy_without_replacement(temperature):
    islands = Islands(1, 10)
    for node, score in enumerate((0.0, 0.3, 0.9, 1.0)):
        islands.admit(0, node, score, tested=False)
    draws = np.random.default_rng(7)
    weights = np.exp((np.array([0.0, 0.3, 0.9, 1.0]) - 1) / temperature)
    expected = np.zeros((4, 4))
    for a, b in itertools.permutations(range(4), 2):
        expected[a, b] = weights[a] / weights.sum() * weights[b] / (weights.sum() - weights[a])
    counts = np.zeros((4, 4))
    for _ in range(4000):
        counts[tuple(islands.parents(2, temperature, draws)[1])] += 1
    assert np.abs(counts / 4000 - expected).max() < 0.03
