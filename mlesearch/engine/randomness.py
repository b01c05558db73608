"""The randomness of a run: one number for each (task, seed), and a strategy's generator for each proposal."""

from __future__ import annotations

import hashlib

import numpy as np


def replicate_entropy(task: str, seed: int) -> int:
    """The randomness of one (task, seed), the same for every strategy and model: 63 bits of a sha256."""
    return int.from_bytes(hashlib.sha256(f"{task}\x00{seed}".encode()).digest()[:8], "big") >> 1


def proposal_rng(entropy: int, proposal: int) -> np.random.Generator:
    """A strategy's randomness for one proposal."""
    return np.random.default_rng([entropy, proposal])
