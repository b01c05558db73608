"""The scope rule: which earlier attempts a prompt shows, and how ambitious it asks to be. One rule for all strategies.

Two operator sets. `aide` (after AIDE): all valid nodes for drafts and improvements, none for a repair, no cue.
`aira` (after AIRA-dojo): the siblings of the program to be written (earlier drafts for a draft, earlier children of
the base for an improvement), the failing ancestors up to the last success for a repair, and a complexity cue by the
number of siblings. Both are capped by a token budget, which the references are not: the best and the newest are
taken in turn until the budget is full (or 40 are taken), and are shown best first.

What a proposal costs here does not depend on the number of nodes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Mapping, Sequence
from itertools import chain, islice

from mlesearch.operators.attempts import Attempts, tokens
from mlesearch.types import Direction, Node, Op, Proposal

MAX_ATTEMPTS = 40
"""Most attempts that one prompt shows, however short they are."""

MERGED_AT_LEAST = 3
"""Programs of other lines of work that a merge shows whatever they cost: without them it would merge nothing."""

_SIBLING_OPS = frozenset({Op.DRAFT, Op.IMPROVE, Op.HYPOTHESIZE, Op.SELECT})
"""Operators that look for something new; the two judgements see what an improvement of their base would see."""


_Entry = tuple[bool, float, int, int]
"""Whether it failed, a key (valid: -sign * score; failed: -id), id, tokens: in ascending order the best come first,
ties go to the earlier node, and the failed ones come last, the newest first."""


class Ranked:
    """Nodes by score and by arrival; only valid ones have a place by score."""

    def __init__(self, sign: int) -> None:
        """Args: sign: +1 where higher is better, -1 where lower is better."""
        self._sign = sign
        self._best: list[_Entry] = []
        self._arrived: list[_Entry] = []

    def __len__(self) -> int:
        """How many nodes."""
        return len(self._arrived)

    def add(self, node: Node, cost: int) -> None:
        """One more node, whose display takes `cost` tokens."""
        if node.valid and node.score is not None:
            entry = (False, -self._sign * node.score, node.id, cost)
            insort(self._best, entry)
        else:
            entry = (True, float(-node.id), node.id, cost)
        self._arrived.append(entry)

    def take(self, budget: int, *, at_least: int = 0) -> list[int]:
        """The best, the newest, the second best, and so on, each once, until the budget or the limit is reached.

        Args:
            budget: tokens.
            at_least: how many are taken whatever they cost.

        Returns:
            Ids, the best first.
        """
        in_turn = chain.from_iterable(zip(self._best, reversed(self._arrived), strict=False))
        kept: dict[int, _Entry] = {}
        for entry in chain(in_turn, islice(reversed(self._arrived), len(self._best), None)):
            id = entry[2]
            if id in kept:
                continue
            budget -= entry[3]
            if (budget < 0 and len(kept) >= at_least) or len(kept) == MAX_ATTEMPTS:
                break
            kept[id] = entry
        return [entry[2] for entry in sorted(kept.values())]


class Capped(ABC):
    """What both sets share: the token budget, explicit contexts, merges, and the order shown."""

    def __init__(self, direction: Direction, context_tokens: int, attempts: Attempts) -> None:
        """Args: direction: of the score; context_tokens: budget; attempts: the store shared with the operators."""
        self._sign = direction.sign
        self._budget = context_tokens
        self._attempts = attempts

    def context(self, proposal: Proposal, nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """Ids of the earlier attempts to show.

        Args:
            proposal: an explicit context of its own is kept, in its order, as far as the token budget allows.
            nodes: every finished program by id.
        """
        if proposal.context is not None:
            return self.cap(proposal.op, proposal.context, nodes)
        if proposal.op is Op.MERGE:
            others = dict.fromkeys(p for p in proposal.parents if p != proposal.base and nodes[p].valid)
            return self.cap(proposal.op, tuple(others), nodes)
        return self.rule(proposal, nodes)

    def cue(self, proposal: Proposal) -> str:
        """No cue."""
        return ""

    def cap(self, op: Op, context: Sequence[int], nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """As much of a context as the budget holds: the best and the newest in turn, shown in the given order.

        Nodes of a MERGE are shown with their programs and count as such; `MERGED_AT_LEAST` of them are always shown.
        """
        ids = tuple(context)
        cost = self._cost_in_merge if op is Op.MERGE else self._attempts.tokens
        costs = [cost(nodes[i]) for i in ids]
        if len(ids) <= MAX_ATTEMPTS and sum(costs) <= self._budget:
            return ids
        ranked = Ranked(self._sign)
        for i, size in sorted(zip(ids, costs, strict=True)):
            ranked.add(nodes[i], size)
        kept = set(ranked.take(self._budget, at_least=MERGED_AT_LEAST if op is Op.MERGE else 0))
        return tuple(i for i in ids if i in kept)

    def _cost_in_merge(self, node: Node) -> int:
        """A merge shows the programs of its context."""
        return tokens(self._attempts.program(node, "other"))

    @abstractmethod
    def add(self, node: Node) -> None:
        """Learn of a finished program."""

    @abstractmethod
    def rule(self, proposal: Proposal, nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """The set's own rule, for a proposal that names no context."""


class AideScope(Capped):
    """All valid nodes for drafts and improvements, none for a repair; no cue."""

    def __init__(self, direction: Direction, context_tokens: int, attempts: Attempts) -> None:
        """See `Capped`."""
        super().__init__(direction, context_tokens, attempts)
        self._valid = Ranked(direction.sign)

    def add(self, node: Node) -> None:
        """Learn of a finished program."""
        if node.valid:
            self._valid.add(node, self._attempts.tokens(node))

    def rule(self, proposal: Proposal, nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """All valid nodes, unless a program is repaired."""
        return tuple(self._valid.take(self._budget)) if proposal.op in _SIBLING_OPS else ()


class AiraScope(Capped):
    """Siblings for drafts and improvements, failing ancestors for a repair; a cue by the number of siblings."""

    def __init__(self, direction: Direction, context_tokens: int, attempts: Attempts) -> None:
        """See `Capped`."""
        super().__init__(direction, context_tokens, attempts)
        self._children: dict[int | None, Ranked] = {}

    def add(self, node: Node) -> None:
        """Learn of a finished program."""
        children = self._children.get(node.base)
        if children is None:
            children = self._children[node.base] = Ranked(self._sign)
        children.add(node, self._attempts.tokens(node))

    def cue(self, proposal: Proposal) -> str:
        """By the number of finished children of the base (for a draft: of drafts): below 2, below 4, from 4 on."""
        if proposal.op not in {Op.DRAFT, Op.IMPROVE}:
            return ""
        children = self._children.get(proposal.base)
        count = len(children) if children is not None else 0
        return "simple" if count < 2 else "normal" if count < 4 else "complex"

    def rule(self, proposal: Proposal, nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """Siblings of what is to be written, or the failing ancestors of what is to be repaired."""
        if proposal.op is Op.DEBUG:
            return self._ancestors(proposal.base, nodes)
        children = self._children.get(proposal.base)
        if proposal.op not in _SIBLING_OPS or children is None:
            return ()
        return tuple(children.take(self._budget))

    def _ancestors(self, base: int | None, nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """The program to repair and those before it, nearest first, up to and including the last valid one."""
        left, kept = self._budget, list[int]()
        while base is not None and len(kept) < MAX_ATTEMPTS:
            node = nodes[base]
            left -= self._attempts.tokens(node)
            if left < 0:
                break
            kept.append(base)
            base = None if node.valid else node.base
        return tuple(kept)
