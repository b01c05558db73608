"""Which node is submitted in the end: shared by all strategies, honouring their journaled verdicts.

A void node (one whose score a strategy found not to count) is never chosen. Ties go to the earlier node.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlesearch.types import ConfigError, Direction, Node, Verdict, VerdictKind

RULES = ("best_validation", "revalidate", "latest_accepted")

MOST_CANDIDATES = 4
"""`revalidate` runs at most this many times k nodes again: with independent drafts every node is a root."""


def check_rule(rule: str) -> None:
    """Refuse an unknown rule.

    Raises:
        ConfigError: lists the rules.
    """
    if rule not in RULES:
        raise ConfigError(f"run.selection: no rule is called {rule!r}; there are: {', '.join(RULES)}")


class Selection:
    """The running choice of a run: told of every node and verdict, it always knows what to submit."""

    def __init__(self, rule: str, direction: Direction) -> None:
        """See `RULES`.

        Raises:
            ConfigError: unknown rule.
        """
        check_rule(rule)
        self._rule = rule
        self._direction = direction
        self._valid: dict[int, float] = {}
        self._root: dict[int, int] = {}  # of every node, the draft that it was edited from
        self._void: set[int] = set()
        self._accepted: list[int] = []
        self._best: int | None = None

    def add(self, node: Node) -> None:
        """Learn of a finished node."""
        self._root[node.id] = node.id if node.base is None else self._root[node.base]
        if node.valid and node.score is not None:
            self._valid[node.id] = node.score
            if node.id not in self._void and self._beats(node.id, self._best):
                self._best = node.id

    def decide(self, verdicts: Iterable[Verdict]) -> None:
        """Learn of verdicts."""
        for v in verdicts:
            if v.kind is VerdictKind.VOID:
                self._void.add(v.node)
                if v.node == self._best:
                    self._best = self._recompute()
            elif v.kind is VerdictKind.ACCEPTED:
                self._accepted.append(v.node)

    @property
    def void(self) -> frozenset[int]:
        """Nodes whose score does not count."""
        return frozenset(self._void)

    @property
    def best(self) -> int | None:
        """The best node on validation that is not void; None while there is none."""
        return self._best

    @property
    def revalidates(self) -> bool:
        """Whether the rule runs candidates again before it chooses."""
        return self._rule == "revalidate"

    def candidates(self, k: int) -> tuple[int, ...]:
        """What `revalidate` runs again: the k best on validation, and the best of every other root.

        The roots' best are taken in the order of their scores, up to `MOST_CANDIDATES` times k nodes in all; no void
        node is among them.

        Returns:
            Ids, the best on validation first.
        """
        ranked = self.ranked
        kept = ranked[:k]
        roots = {self._root[n] for n in kept}
        for node in ranked[k:]:
            if len(kept) == MOST_CANDIDATES * k:
                break
            if self._root[node] not in roots:
                roots.add(self._root[node])
                kept.append(node)
        return tuple(kept)

    @property
    def ranked(self) -> list[int]:
        """All valid nodes that are not void, the best on validation first."""
        counts = (n for n in self._valid if n not in self._void)
        return sorted(counts, key=lambda n: (-self._direction.sign * self._valid[n], n))

    @property
    def chosen(self) -> int | None:
        """What the rule submits if the run ended now (`revalidate`: if nothing could be run again)."""
        if self._rule == "latest_accepted":
            for node in reversed(self._accepted):
                if node in self._valid and node not in self._void:
                    return node
        return self._best

    def _beats(self, a: int, b: int | None) -> bool:
        if b is None:
            return True
        x, y = self._valid[a], self._valid[b]
        return self._direction.better(x, y) or (x == y and a < b)

    def _recompute(self) -> int | None:
        best: int | None = None
        for node in self._valid:
            if node not in self._void and self._beats(node, best):
                best = node
        return best
