"""How far the programs of a run lie apart, by the embedder that all strategies share.

The distance of two programs is one less the cosine of their vectors: 0 for equal texts, about 1 for texts that have
nothing in common. It is of texts, not of what they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mlesearch.models.embed import HashedNgramEmbedder
from mlesearch.storage.blobs import BLOBS, Blobs, BlobStore
from mlesearch.storage.journal import JournalError
from mlesearch.study.runs.fold import FoldedRun

MOST = 8
"""So many programs of a run are compared at most, evenly spaced from its first to its last: it takes a few ms a run."""

DIGITS = 9
"""Sums of vectors differ in their last bits among machines, and rows of a replay must not."""

_EMBEDDER = HashedNgramEmbedder()

Vectors = npt.NDArray[np.float64]


def program_spread(f: FoldedRun, blobs: BlobStore | None = None) -> tuple[float | None, float | None]:
    """The mean distance of all pairs of a run's programs, and the farthest of any from the first.

    Args:
        f: the run, folded.
        blobs: where its programs are; None: in its folder.

    Returns:
        Both None with fewer than two programs, or where one of them is not there any more.
    """
    digests = program_digests(f)
    if len(digests) < 2:
        return None, None
    held = Blobs(f.folder / BLOBS) if blobs is None else blobs
    try:
        vectors = np.stack([_vector(held.get(digest)) for digest in spaced(digests)])
    except JournalError:
        return None, None
    return spread_and_reach(vectors)


def program_digests(f: FoldedRun) -> list[str]:
    """The programs that were run, in full or on a sample, in the order of telling."""
    ran: Mapping[int, str] = {id: e["program"] for id, e in (*f.sample_runs.items(), *f.executed.items())}
    return [ran[id] for id in f.told if id in ran]


def spaced(items: Sequence[str], most: int = MOST) -> list[str]:
    """Some of them, evenly spaced, the first and the last included; all where there are no more."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def spread_and_reach(vectors: Vectors) -> tuple[float, float]:
    """The mean of one less the cosine over all pairs, and the largest of it to the first.

    Args:
        vectors: shape (N, dim), N at least 2, of length 1.
    """
    count = len(vectors)
    whole = vectors.sum(axis=0)
    cosines = (float((whole * whole).sum()) - count) / (count * (count - 1))
    nearest = float((vectors[1:] * vectors[0]).sum(axis=1).min())
    spread, reach = (round(max(0.0, 1.0 - cosine), DIGITS) for cosine in (cosines, nearest))
    return spread, reach


@lru_cache(maxsize=4096)
def _vector(program: str) -> Vectors:
    vector = np.array(_EMBEDDER.make(program), dtype=np.float64)
    vector.flags.writeable = False
    return vector
