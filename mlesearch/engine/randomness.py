"""The randomness of a run: one number for each (task, seed), and a strategy's generator for each proposal."""

from __future__ import annotations

import hashlib

import numpy as np


def replicate_entropy(task: str, seed: int) -> int:
    """The randomness of one (task, seed), the same for every strategy and model: 63 bits of a sha256."""
    return int.from_bytes(hashlib.sha256(f"{task}\x00{seed}".encode()).digest()[:8], "big") >> 1


def proposal_rng(entropy: int, proposal: int) -> np.random.Generator:
    """A strategy's randomness for one proposal: `default_rng([entropy, proposal])`.

    The seed sequence gets the same 32-bit words in an array, which it takes as they are: from a list of integers it
    makes them in three times the time.
    """
    high = entropy >> 32
    words = np.array([entropy & 0xFFFF_FFFF, high, proposal] if high else [entropy, proposal], dtype=np.uint32)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
