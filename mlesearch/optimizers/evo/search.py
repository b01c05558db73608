"""Evolution: improve or cross over programs drawn by score; a child joins if it is no worse than the average.

AIRA-dojo's evolutionary search: Toledo et al. 2025, "AI Research Agents for Machine Learning: Search, Exploration, and
Generalization in MLE-bench" (arXiv:2507.02554), and src/dojo/solvers/evo/evo.py of its released code. The steady state
is that of its successor (Hambardzumyan et al. 2026, arXiv:2603.26499): no worker waits for a generation to end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mlesearch.optimizers.base import made_program, param
from mlesearch.optimizers.evo.islands import Islands
from mlesearch.optimizers.native import MOST_SHOWN, Shown
from mlesearch.types import Context, Op, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class EvoSettings:
    """Parameters.

    Attributes:
        replacement: "generational" (children join when all of their generation are done) or "steady_state" (at once).
        individuals_per_generation: children of a generation; those of the first one are drafts.
        num_islands: sub-populations, which breed apart.
        max_island_size: an island that grows beyond it loses its worst program.
        crossover_prob: probability that a child has two parents.
        num_generations_till_crossover: the first generation that crosses over; the drafts are generation 0.
        migration_prob: probability, after a generation, that the weaker half of the islands starts anew.
        num_generations_till_migration: the first generation after which that may happen.
        initial_temp: temperature at which islands and parents are drawn at first.
        final_temp: temperature after `num_generations`, reached linearly.
        num_generations: see `final_temp`.
        max_debug_depth: debugs in a row before a buggy child is given up.
    """

    replacement: str = param("generational", choices=("generational", "steady_state"))
    individuals_per_generation: int = param(5, low=1)
    num_islands: int = param(1, low=1, high=100)
    max_island_size: int = param(500, low=1, high=10_000)
    crossover_prob: float = param(0.5, low=0.0, high=1.0)
    num_generations_till_crossover: int = param(2, low=1)
    migration_prob: float = param(0.0, low=0.0, high=1.0)
    num_generations_till_migration: int = param(999, low=1)
    initial_temp: float = param(1.0, low=0.01)
    final_temp: float = param(1.0, low=0.01)
    num_generations: int = param(100, low=1)
    max_debug_depth: int = param(10, low=0)


@dataclass(slots=True, eq=False)
class Individual:
    """A child: the program that was asked for and the debugs of it.

    Attributes:
        number: of individuals before it.
        island: the place of its parents' island, which it may join.
        debugs: spent on it.
        chain: its buggy programs.
    """

    number: int
    island: int
    debugs: int = 0
    chain: list[int] = field(default_factory=list)


class Evo:
    """A generation of drafts, then generations of children, each debugged at once until it is valid or given up.

    What a generation decides is drawn from the islands as they were when it began; its valid children join in the order
    in which they were asked for. In the steady state a generation is only a count, and a child joins when it is done.
    """

    def __init__(self, settings: EvoSettings, problem: Problem, rng: Rng) -> None:
        self._s = settings
        self._sign = problem.direction.sign
        self._rng = rng
        self._valid = Shown(problem.direction) if problem.context is Context.NATIVE else None
        self._islands = Islands(settings.num_islands, settings.max_island_size)
        self._asked = 0
        self._individuals = 0
        self._unfinished = 0
        self._pending: dict[int, Individual] = {}
        self._due: deque[Individual] = deque()  # buggy ones, whose next debug comes before anything else
        self._done: list[tuple[int, int, int, float]] = []  # valid, not yet admitted: number, island, node, score

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`. A generation begins when all individuals of the one before are done."""
        if self._due:
            individual = self._due.popleft()
            return self._propose(individual, Op.DEBUG, individual.chain[-1:])
        generation, place = divmod(self._individuals, self._s.individuals_per_generation)
        if not place and self._unfinished and self._s.replacement == "generational":
            return None
        draws = self._rng(self._asked)
        if not place:
            self._end_generation(generation - 1, draws)
        island, parents = self._breed(generation, draws)
        individual = Individual(self._individuals, island)
        self._individuals += 1
        self._unfinished += 1
        return self._propose(individual, (Op.DRAFT, Op.IMPROVE, Op.MERGE)[len(parents)], parents)

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        individual = self._pending.pop(outcome.id)
        if outcome.valid and outcome.score is not None:
            if self._valid is not None:
                self._valid.add(outcome.id, outcome.score)
            self._done.append((individual.number, individual.island, outcome.id, self._sign * outcome.score))
            if self._s.replacement == "steady_state":
                self._admit()
        else:
            if made_program(outcome):
                individual.chain.append(outcome.id)
            if individual.chain and individual.debugs < self._s.max_debug_depth:
                individual.debugs += 1
                self._due.append(individual)
                return ()
        self._unfinished -= 1
        return ()

    def _breed(self, generation: int, draws: np.random.Generator) -> tuple[int, list[int]]:
        """The island of the next individual and its parents: none for a draft, two to be crossed over."""
        s, islands = self._s, self._islands
        if not generation or not islands.largest:
            return int(draws.integers(s.num_islands)), []
        temperature = s.initial_temp - (s.initial_temp - s.final_temp) * min(1.0, generation / s.num_generations)
        crosses = draws.random() < s.crossover_prob and generation >= s.num_generations_till_crossover
        return islands.parents(2 if crosses and islands.largest > 1 else 1, temperature, draws)

    def _end_generation(self, generation: int, draws: np.random.Generator) -> None:
        """Its children join; then, now and then, the weaker islands start anew."""
        self._admit()
        s = self._s
        if s.num_islands > 1 and generation >= s.num_generations_till_migration and draws.random() < s.migration_prob:
            self._islands.reset(draws)

    def _admit(self) -> None:
        """Valid children join if they are good enough, the drafts of generation 0 whatever their scores."""
        for number, island, node, score in sorted(self._done):
            self._islands.admit(island, node, score, tested=number >= self._s.individuals_per_generation)
        self._done.clear()

    def _propose(self, individual: Individual, op: Op, parents: Sequence[int]) -> Proposal:
        """Natively all valid programs are shown, to a debug the earlier ones of its chain; a merge names its second."""
        context: tuple[int, ...] | None = None
        if op is Op.MERGE:
            context = (parents[1],)
        elif self._valid is not None:
            context = tuple(individual.chain[:-1][-MOST_SHOWN:]) if op is Op.DEBUG else self._valid.ids
        base = parents[0] if parents else None
        proposal = Proposal(self._asked, op, base=base, parents=tuple(parents), context=context)
        self._asked += 1
        self._pending[proposal.id] = individual
        return proposal
