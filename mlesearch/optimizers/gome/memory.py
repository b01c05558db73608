"""The success memory shared by all traces, and the kernel that draws from it (momentum)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlesearch.types import Component, Direction, Embedding

FloatArray = NDArray[np.float64]

LazyRng = Callable[[], np.random.Generator]
"""The randomness of one proposal, made when it is first needed."""

CLIP = 2.0
"""The kernel's values are clipped to plus and minus this before the softmax."""

DRAWN = 2
"""Entries drawn for each candidate, without replacement."""

KEPT = 2
"""Entries of the pool that are kept, beside the global best."""


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """An accepted experiment that improved its trace, or was its first.

    Attributes:
        index: its position in the memory: a smaller one is older.
        text: the hypothesis (or plan) that it implemented.
        score: validation score.
        trace: where it was made.
        node: its program.
        component: that the hypothesis changed; None where there were several or none.
        gain: the score against that of the program it edited, positive where better; None for a trace's first.
        finding: what the diagnosis said about it.
    """

    index: int
    text: str
    score: float
    trace: int
    node: int
    component: Component | None = None
    gain: float | None = None
    finding: str = ""


class Memory:
    """The entries in the order they came, no text twice, their embeddings as one array, and the running best."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self.entries: list[MemoryEntry] = []
        self.best: MemoryEntry | None = None
        self._vectors: FloatArray = np.zeros((0, 0))
        self._scores: FloatArray = np.zeros(0)
        self._best_two: dict[int, list[MemoryEntry]] = {}
        self._by_text: dict[str, int] = {}

    def add(
        self,
        text: str,
        score: float,
        trace: int,
        node: int,
        embedding: Embedding | FloatArray | None,
        component: Component | None = None,
        gain: float | None = None,
        finding: str = "",
    ) -> None:
        """Remember an experiment; without an embedding it is similar to nothing.

        An experiment whose text is remembered already takes the place of the earlier one if its score is better, and is
        passed over if not.
        """
        index = self._by_text.setdefault(text, len(self.entries))
        entry = MemoryEntry(index, text, score, trace, node, component, gain, finding)
        vector = unit(embedding)
        if index == len(self.entries):
            self.entries.append(entry)
            self._grow(0 if vector is None else vector.size)
            self._best_two[trace] = self._two_best([*self._best_two.get(trace, []), entry])
        elif self._direction.better(score, self.entries[index].score):
            before, self.entries[index] = self.entries[index].trace, entry
            for changed in {before, trace}:
                self._best_two[changed] = self._two_best([e for e in self.entries if e.trace == changed])
        else:
            return
        if self.best is None or self.best.index == index or self._direction.better(score, self.best.score):
            self.best = entry
        self._scores[index] = score
        if vector is not None and vector.size == self._vectors.shape[1]:
            self._vectors[index] = vector

    def similarity(self, candidates: Sequence[Embedding | None]) -> FloatArray:
        """Cosines, shape (candidates, entries); 0 where either has no embedding."""
        n, dim = len(self.entries), self._vectors.shape[1]
        rows = np.zeros((len(candidates), dim))
        for i, embedding in enumerate(candidates):
            vector = unit(embedding)
            if vector is not None and vector.size == dim:
                rows[i] = vector
        cosines: FloatArray = np.einsum(
            "ij,kj->ik", rows, self._vectors[:n]
        )  # no BLAS: its threads cost more than this
        return cosines

    def gains(self, reference: float | None, scale: float | None) -> FloatArray:
        """Score differences Delta_j to a reference in the task's direction, divided by `scale`; shape (entries,).

        Zeros where the reference or the scale is None or the scale is 0.
        """
        scores = self._scores[: len(self.entries)]
        if reference is None or not scale:
            return np.zeros(len(scores))
        with np.errstate(over="ignore", invalid="ignore"):
            return np.nan_to_num(self._direction.sign * (scores - reference) / scale, nan=0.0)

    def best_of_others(self, trace: int, count: int) -> list[MemoryEntry]:
        """The best entries of all traces but one, best first; at most two of each trace."""
        found = [e for t, two in self._best_two.items() if t != trace for e in two]
        found.sort(key=lambda e: (-self._direction.sign * e.score, e.index))
        return found[:count]

    def _two_best(self, entries: list[MemoryEntry]) -> list[MemoryEntry]:
        return sorted(entries, key=lambda e: (-self._direction.sign * e.score, e.index))[:2]

    def _grow(self, dim: int) -> None:
        """Make room for one more entry, doubling, and for the first embedding's dimension."""
        n = len(self.entries)
        dim = self._vectors.shape[1] or dim
        if n > self._scores.size or dim != self._vectors.shape[1]:
            rows = max(16, 2 * n)
            vectors, scores = np.zeros((rows, dim)), np.zeros(rows)
            if self._vectors.shape[1]:
                vectors[: self._vectors.shape[0]] = self._vectors
            scores[: self._scores.size] = self._scores
            self._vectors, self._scores = vectors, scores


def unit(embedding: Embedding | FloatArray | None) -> FloatArray | None:
    """An embedding as a unit vector; None where there is none or it is zero."""
    if embedding is None:
        return None
    vector = np.asarray(embedding, dtype=np.float64)
    norm = math.sqrt(float(vector @ vector))
    return vector / norm if norm > 0 and math.isfinite(norm) else None


def probabilities(
    similarity: FloatArray, gains: FloatArray, length: int, alpha: float, beta: float, half_life: float
) -> FloatArray:
    """p_ij = softmax over j of clip(U_ij), U_ij = alpha cos(e_i, e_j) exp(-gamma L) + beta tanh(Delta_j).

    Args:
        similarity: cosines of candidates i and entries j, shape (candidates, entries).
        gains: Delta_j, shape (entries,).
        length: L, steps of the trace.
        alpha: weight of similarity.
        beta: weight of the score difference; 0 while the trace has nothing accepted.
        half_life: gamma = ln 2 / half_life.

    Returns:
        Shape (candidates, entries); each row sums to 1.
    """
    decay = math.exp(-math.log(2.0) / half_life * length)
    u = np.clip(alpha * similarity * decay + beta * np.tanh(gains), -CLIP, CLIP)
    weights = np.exp(u)
    p: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return p


def draw(p: FloatArray, draws: LazyRng, count: int = DRAWN) -> list[int]:
    """Draw `count` distinct entries for each candidate, one after another in proportion to p; the distinct ones of all.

    The smallest of exponential variables divided by their weights are such a draw (Efraimidis and Spirakis 2006).

    Returns:
        Indices of entries, ascending, that is oldest first.
    """
    if p.shape[1] <= count:
        return list(range(p.shape[1]))
    keys = draws().standard_exponential(p.shape) / p
    drawn = np.argpartition(keys, count - 1, axis=1)[:, :count]
    return [int(j) for j in np.unique(drawn)]


def keep(pooled: Sequence[int], p: FloatArray, pool: str, count: int = KEPT) -> list[int]:
    """The entries of the pool that are used: those of largest summed p, or `as_released` the oldest."""
    if pool == "as_released":
        return sorted(pooled)[:count]
    total = p.sum(axis=0)
    return sorted(pooled, key=lambda j: (-total[j], j))[:count]
