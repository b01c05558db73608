"""Momentum at work: what of the success memory a step is shown, and which of its hypotheses it implements."""

from __future__ import annotations

from functools import cache, partial

from mlesearch.optimizers.gome import propose
from mlesearch.optimizers.gome.accept import Scores
from mlesearch.optimizers.gome.memory import FloatArray, LazyRng, Memory, MemoryEntry, draw, keep, probabilities
from mlesearch.optimizers.gome.settings import GomeSettings
from mlesearch.optimizers.gome.traces import Stage, Step, Trace
from mlesearch.types import Rng

WITHOUT_KERNEL = 2
"""Entries of other traces that are shown beside the global best where there are no hypotheses to compare."""


class Momentum:
    """The only place of this strategy that draws: for one proposal first memory entries, then the hypothesis."""

    def __init__(self, settings: GomeSettings, memory: Memory, scores: Scores, rng: Rng) -> None:
        self._s = settings
        self._memory = memory
        self._scores = scores
        self._rng = rng

    def prepare(self, trace: Trace, step: Step, used: float, id: int) -> None:
        """Retrieve and choose, as far as the stage of a step needs it, before its proposal `id` is made."""
        if step.stage is Stage.HYPOTHESIZE:
            if self._s.selection == "rank" and self._remembers(step):
                step.retrieved = self._with_best(trace.recalled)
        elif step.stage in (Stage.SELECT, Stage.IMPLEMENT):
            draws = cache(partial(self._rng, id))
            if not step.retrieval_done:
                step.retrieved = self.retrieve(trace, step, draws) if self._remembers(step) else ()
                step.retrieval_done = True
            if step.stage is Stage.IMPLEMENT and step.candidates and not step.chosen:
                step.chosen = (propose.rank(step.candidates, used, draws),)
                trace.current = tuple(propose.avoided(h) for h in step.chosen)

    def retrieve(self, trace: Trace, step: Step, draws: LazyRng) -> tuple[MemoryEntry, ...]:
        """The global best, then what the kernel draws for the candidates."""
        kept: list[MemoryEntry] = []
        if not self._s.diagnosis:
            kept = self._memory.best_of_others(trace.index, WITHOUT_KERNEL)
        elif step.candidates and self._memory.entries:
            p = self.kernel(trace, step)
            kept = [self._memory.entries[j] for j in keep(draw(p, draws), p, self._s.pool)]
        trace.recalled = tuple(kept)
        return self._with_best(trace.recalled)

    def kernel(self, trace: Trace, step: Step) -> FloatArray:
        """Probabilities of the memory entries for the candidates of a step, shape (candidates, entries)."""
        scale = 1.0 if self._s.scale == "raw" else self._scores.interquartile_range
        gains = self._memory.gains(trace.best_score, scale)
        similarity = self._memory.similarity([h.embedding for h in step.candidates])
        return probabilities(similarity, gains, trace.length, self._s.alpha, self._s.beta, self._s.half_life)

    def _remembers(self, step: Step) -> bool:
        """Whether a step is shown the success memory: not while its trace is told to differ from the others."""
        return self._s.momentum and (step.base is not None or not self._s.diversify)

    def _with_best(self, entries: tuple[MemoryEntry, ...]) -> tuple[MemoryEntry, ...]:
        best = self._memory.best
        return entries if best is None else (best, *(e for e in entries if e is not best))
