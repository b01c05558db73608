"""Handwritten digits of scikit-learn as they are, but for stains."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.canvas import DIGITS_LICENCE
from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

SIZES = {TRAIN: 500, VALIDATION: 450, TEST: 847}


def digits(rng: Generator) -> Made:
    """All 1,797 digits; each may be shifted by a pixel, and two in five have a stain or a hole."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = rng.permutation(len(found.target))
    every: list[Row] = []
    for i in order:
        padded = np.zeros((10, 10))
        down, right = rng.choice(3, size=2, p=[0.12, 0.76, 0.12])
        padded[down : down + 8, right : right + 8] = found.images[i]
        image = padded[1:9, 1:9] * rng.uniform(0.55, 1.0) + np.abs(rng.normal(0, 0.8, size=(8, 8)))
        y, x = rng.integers(0, 7, size=2)
        if rng.random() < 0.4:
            image[y : y + 2, x : x + 2] = rng.choice([0.0, 12.0])
        shown = np.clip(np.rint(image), 0, 16).astype(int).ravel()
        row: Row = {f"p{j:02d}": int(v) for j, v in enumerate(shown)}
        every.append(row | {"digit": int(found.target[i])})
    rows, start = {}, 0
    for split, size in SIZES.items():
        rows[split] = every[start : start + size]
        start += size
    licence = DIGITS_LICENCE.replace("turned, scaled, placed and made noisy", "shifted, dimmed and stained")
    meta = Meta("Probabilities of digits", "log_loss", "minimize", ["images", "multiclass", "probabilities"], licence)
    return Made(rows, "digit", 0.1, meta, {k: f"digit_{k}" for k in range(10)})
