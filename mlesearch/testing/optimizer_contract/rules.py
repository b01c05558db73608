"""The rules that hold at every event of a run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from mlesearch.optimizers.base import made_program
from mlesearch.types import JUDGEMENT_OPS, Op, Outcome, Proposal, Verdict


class Rules:
    """The rules that hold at every event; each `assert` says which one was broken."""

    def __init__(self, expansion: Callable[[Proposal], Hashable | None] = lambda p: None) -> None:
        """`expansion`: see `OptimizerContract.expansion`."""
        self._expansion = expansion
        self._count = 0
        self._programs: set[int] = set()
        self._valid: set[int] = set()
        self._pending: dict[int, Proposal] = {}
        self._expanding: set[Hashable] = set()

    def asked(self, p: Proposal) -> None:
        """Check a proposal."""
        assert p.id == self._count, f"dense ids: proposal {self._count} has id {p.id}"
        assert p.op in JUDGEMENT_OPS or p.op.makes_program, f"operator: a strategy never proposes {p.op}"
        named = [i for i in (p.base, p.subject, *p.parents, *(p.context or ())) if i is not None]
        for node in named:
            assert type(node) is int, f"plain ids: {p} holds a {type(node).__name__} where an int is expected"
            assert node in self._programs, f"only finished programs: {p} names {node}, which is none"
        assert p.context is None or len(set(p.context)) == len(p.context), f"context: {p} names a program twice"
        for guidance in p.guidance:
            assert guidance.node is None or guidance.node in self._programs, f"{guidance} names no finished program"
        if p.op in (Op.DEBUG, Op.IMPROVE, Op.MERGE):
            assert p.base is not None, f"{p.op} needs a base: {p}"
        if p.op is Op.DEBUG:
            assert p.base not in self._valid, f"a DEBUG repairs a program that failed, but {p.base} is valid: {p}"
        if p.op is Op.IMPROVE:
            assert p.base in self._valid, f"an IMPROVE edits a valid program, but {p.base} failed: {p}"
        if p.op is Op.MERGE:
            self._merges(p)
        if p.op is Op.DIAGNOSE:
            assert p.subject is not None, f"DIAGNOSE needs a subject: {p}"
        if p.op is Op.DRAFT:
            assert p.base is None, f"a DRAFT edits nothing: {p}"
        key = self._expansion(p)
        assert key is None or key not in self._expanding, f"in flight already: {p}"
        if key is not None:
            self._expanding.add(key)
        self._pending[p.id] = p
        self._count += 1

    def _merges(self, p: Proposal) -> None:
        """A merge combines its base, which is valid, with other valid programs."""
        combined = p.parents if p.context is None else p.context
        others = [node for node in combined if node != p.base]
        assert p.base in self._valid, f"a MERGE edits a valid program, but {p.base} failed: {p}"
        assert combined, f"a MERGE combines its base with other programs, but names none: {p}"
        assert others, f"a MERGE combines its base with other programs, but names only the base itself: {p}"
        for node in others:
            assert node in self._valid, f"a MERGE combines valid programs, but {node} failed: {p}"

    def told(self, outcome: Outcome, verdicts: Sequence[Verdict]) -> None:
        """Check the verdicts on an outcome."""
        self._expanding.discard(self._expansion(self._pending.pop(outcome.id)))
        if made_program(outcome):
            self._programs.add(outcome.id)
        if outcome.op.makes_program and outcome.valid:
            self._valid.add(outcome.id)
        for verdict in verdicts:
            assert verdict.node in self._programs, f"verdicts are about finished programs: {verdict}"
