"""Friedman's first function, with its inputs in odd units and among idle ones."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

SIZES = {TRAIN: 500, VALIDATION: 400, TEST: 1500}
UNITS = (1.0, 100.0, 5.0, 0.2, 40.0, 1000.0, 0.5, 300.0, 10.0, 2.0)
SKEWED = (5, 7, 9)
"""Idle inputs with a long tail, so that distances are mostly theirs unless they are scaled by rank."""


def friedman(rng: Generator) -> Made:
    """10 sin(pi a b) + 20 (c - 1/2)^2 + 10 d + 5 e + noise of variance 1 (J. Friedman, MARS, 1991), in other units."""
    n = sum(SIZES.values())
    x = rng.uniform(0, 1, size=(n, len(UNITS)))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    y += rng.normal(0, 1, n)
    shown = x * UNITS
    for column in SKEWED:
        shown[:, column] = UNITS[column] * np.exp(3 * x[:, column]) / 20
    every: list[Row] = [
        {**{f"s{j}": round(float(v), 3) for j, v in enumerate(values)}, "yield": round(float(out), 3)}
        for values, out in zip(shown, y, strict=True)
    ]
    rows, start = {}, 0
    for split, size in SIZES.items():
        rows[split] = every[start : start + size]
        start += size
    meta = Meta("Yield of a process", "rmse", "minimize", ["tabular", "regression"], "CC0 (generated)")
    return Made(rows, "yield", 14.4, meta)
