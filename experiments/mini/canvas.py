"""Handwritten digits of scikit-learn somewhere on a noisy canvas."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

DIGITS_LICENCE = (
    "CC BY 4.0: pixels of 'Optical Recognition of Handwritten Digits' (E. Alpaydin, C. Kaynak; UCI Machine Learning "
    "Repository), as bundled with scikit-learn, turned, scaled, placed and made noisy"
)


def _draw_digit(image: np.ndarray, rng: Generator) -> np.ndarray:
    """An 8x8 digit, rotated, scaled and placed somewhere on a noisy 16x16 canvas of digits 0 to 9."""
    angle = rng.uniform(-0.6, 0.6)
    scale = rng.uniform(0.75, 1.25)
    reach = 4.0 * scale
    centre_y, centre_x = rng.uniform(reach - 1.0, 16.0 - reach, size=2)
    grid_y, grid_x = np.mgrid[0:16, 0:16].astype(float)
    dy, dx = (grid_y - centre_y) / scale, (grid_x - centre_x) / scale
    source_y = np.cos(angle) * dy - np.sin(angle) * dx + 3.5
    source_x = np.sin(angle) * dy + np.cos(angle) * dx + 3.5
    padded = np.zeros((10, 10))
    padded[1:9, 1:9] = image
    y, x = np.clip(source_y + 1, 0, 8.999), np.clip(source_x + 1, 0, 8.999)
    y0, x0 = y.astype(int), x.astype(int)
    fy, fx = y - y0, x - x0
    ink = (
        padded[y0, x0] * (1 - fy) * (1 - fx)
        + padded[y0 + 1, x0] * fy * (1 - fx)
        + padded[y0, x0 + 1] * (1 - fy) * fx
        + padded[y0 + 1, x0 + 1] * fy * fx
    )
    strength = rng.uniform(0.75, 1.0)
    noise = np.abs(rng.normal(0.0, 1.0, size=(16, 16)))
    specks = (rng.random((16, 16)) < 0.02) * rng.uniform(3.0, 8.0, size=(16, 16))
    canvas = ink / 16 * 9 * strength + noise + specks
    clipped: np.ndarray = np.clip(np.rint(canvas), 0, 9).astype(int)
    return clipped


def canvas(rng: Generator) -> Made:
    """Digits somewhere on a canvas; the splits draw on different handwritten originals."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = rng.permutation(len(digits.target))
    pools = {TRAIN: order[:720], VALIDATION: order[720:1030], TEST: order[1030:]}
    sizes = {TRAIN: 1750, VALIDATION: 750, TEST: 2000}
    rows: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        pool = np.resize(pools[split], size)
        rng.shuffle(pool)
        rows[split] = []
        for original in pool:
            pixels = _draw_digit(digits.images[original], rng).ravel()
            row: Row = {f"p{i:03d}": int(value) for i, value in enumerate(pixels)}
            rows[split].append(row | {"digit": int(digits.target[original])})
    meta = Meta("Digits on a canvas", "accuracy", "maximize", ["images", "multiclass"], DIGITS_LICENCE, version="2")
    return Made(rows, "digit", 0, meta)
