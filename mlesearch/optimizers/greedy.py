"""AIDE's tree search: a few drafts, then debug a buggy leaf now and then, else improve the best program.

Jiang et al. 2025, "AIDE: AI-Driven Exploration in the Space of Code" (arXiv:2502.13138), and the search policy of the
published package `aideml`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.native import Shown, Siblings, failing_ancestors
from mlesearch.types import Context, Op, Outcome, Problem, Proposal, Rng, Verdict


class Draws(Protocol):
    """The randomness that the policy reads, in this order: `random` once, then `choice` when it debugs.

    The standard library's `random.Random` is one, so that the policy can be compared with one that reads it.
    """

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def choice(self, seq: Sequence[int], /) -> int:
        """One of the elements, uniformly."""
        ...


class NumpyDraws:
    """`Draws` from a NumPy generator."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def random(self) -> float:
        """Uniform in [0, 1)."""
        return float(self._generator.random())

    def choice(self, seq: Sequence[int], /) -> int:
        """One of the elements, uniformly."""
        return seq[int(self._generator.integers(len(seq)))]


@dataclass(frozen=True, slots=True)
class GreedySettings:
    """Parameters.

    Attributes:
        num_drafts: roots made before anything else.
        debug_prob: probability of looking for a buggy leaf.
        max_debug_depth: a buggy leaf is debugged while its depth is at most this (3: four debugs in a row).
        native_context: what `run.context=native` shows: "all_valid" programs, as AIDE does (a debug: none), or those in
            "scope", as AIRA-dojo's paper does: siblings (a debug: what failed since the last valid program).
    """

    num_drafts: int = param(5, low=1)
    debug_prob: float = param(0.5, low=0.0, high=1.0)
    max_debug_depth: int = param(3, low=0)
    native_context: str = param("all_valid", choices=("all_valid", "scope"))


class Greedy:
    """The four rules, in order: draft up to `num_drafts` roots; debug; draft while nothing is valid; improve the best.

    A leaf has no child, in flight or finished. The debug depth of a node is 0 unless it is a DEBUG child, else its
    parent's + 1. A reply that held no program leaves no node: its draft is not a root, and the leaf whose debug it was
    is a leaf again with its depth raised by one, so that a chain of unusable replies ends as a chain of bugs does.
    """

    def __init__(self, settings: GreedySettings, problem: Problem, draws: Callable[[int], Draws]) -> None:
        """`draws(id)` is the randomness of proposal `id`; it is called at most once per proposal."""
        self._s = settings
        self._direction = problem.direction
        native = problem.context is Context.NATIVE
        self._all_valid = Shown(problem.direction) if native and settings.native_context == "all_valid" else None
        self._siblings = Siblings(problem.direction) if native and settings.native_context == "scope" else None
        self._debugged: dict[int, int] = {}  # a debug that failed: the buggy program that it was made from
        self._draws = draws
        self._asked = 0
        self._roots = 0
        self._pending: dict[int, Proposal] = {}
        self._depth: dict[int, int] = {}  # of a buggy node
        self._buggy_leaves: list[int] = []  # those that may be debugged, in the order of creation
        self._best: tuple[float, int] | None = None

    def ask(self, used: float) -> Proposal:
        """See `Optimizer.ask`."""
        op, base = self._policy()
        parents = () if base is None else (base,)
        proposal = Proposal(self._asked, op, base=base, parents=parents, context=self._context(op, base))
        self._asked += 1
        self._pending[proposal.id] = proposal
        if base is None:
            self._roots += 1
        elif op is Op.DEBUG:
            del self._buggy_leaves[bisect_left(self._buggy_leaves, base)]
        return proposal

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        proposal = self._pending.pop(outcome.id)
        if not made_program(outcome):
            self._forget(proposal)
            return ()
        self._show(proposal, outcome)
        if outcome.valid and outcome.score is not None:
            best = self._best
            if (
                best is None
                or self._direction.better(outcome.score, best[0])
                or (outcome.score == best[0] and outcome.id < best[1])
            ):
                self._best = (outcome.score, outcome.id)
        else:
            base = proposal.base
            self._add_leaf(outcome.id, self._depth[base] + 1 if proposal.op is Op.DEBUG and base is not None else 0)
        return ()

    def _policy(self) -> tuple[Op, int | None]:
        """The operator and the node it is applied to."""
        if self._roots < self._s.num_drafts:
            return Op.DRAFT, None
        draws = self._draws(self._asked)
        if draws.random() < self._s.debug_prob and self._buggy_leaves:
            return Op.DEBUG, draws.choice(self._buggy_leaves)
        if self._best is None:
            return Op.DRAFT, None
        return Op.IMPROVE, self._best[1]

    def _add_leaf(self, node: int, depth: int) -> None:
        self._depth[node] = depth
        if depth <= self._s.max_debug_depth:
            insort(self._buggy_leaves, node)

    def _forget(self, proposal: Proposal) -> None:
        """A proposal left no program: the tree is as before it, but a debug of its base was spent."""
        if proposal.base is None:
            self._roots -= 1
        elif proposal.op is Op.DEBUG:
            self._add_leaf(proposal.base, self._depth[proposal.base] + 1)

    def _show(self, proposal: Proposal, outcome: Outcome) -> None:
        """Learn of a program that a native context may show."""
        score = outcome.score if outcome.valid else None
        if self._all_valid is not None and score is not None:
            self._all_valid.add(outcome.id, score)
        if self._siblings is not None:
            self._siblings.add(proposal.base, outcome.id, score)
            if proposal.op is Op.DEBUG and proposal.base is not None and score is None:
                self._debugged[outcome.id] = proposal.base

    def _context(self, op: Op, base: int | None) -> tuple[int, ...] | None:
        """The native context of a proposal; None with the shared one."""
        if self._siblings is not None:
            return (
                failing_ancestors(base, self._debugged)
                if op is Op.DEBUG and base is not None
                else self._siblings.of(base)
            )
        if self._all_valid is not None:
            return () if op is Op.DEBUG else self._all_valid.ids
        return None


DESCRIPTIONS = (
    Description(
        idea="a few drafts, then debug a buggy leaf now and then, else improve the best program",
        source="AIDE: Jiang et al. 2025, arXiv:2502.13138; aira_greedy: Toledo et al. 2025, arXiv:2507.02554",
        settings=GreedySettings,
        family="tree search",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Greedy:
    """The factory; parameters: `GreedySettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Greedy(read_params("greedy", GreedySettings, params), problem, lambda id: NumpyDraws(rng(id)))
