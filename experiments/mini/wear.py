"""Inspections of machines: readings that differ by machine, dead sensors, an ordinal grade of wear."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

SIZES = {TRAIN: 800, VALIDATION: 600, TEST: 1800}
MACHINES = 32
DEAD = -999
"""What a sensor without power writes."""

CUTS = (-1.0, -0.25, 0.55, 1.35)
"""Where the latent wear, of mean 0 and variance 1, passes from a grade to the next."""


def wear(rng: Generator) -> Made:
    """A latent wear drives vibration, heat, current and particles, on top of load, speed and the machine's level."""
    n = sum(SIZES.values())
    machine = rng.integers(0, MACHINES, n)
    hours = rng.gamma(2.0, 420.0, n)
    load = np.clip(rng.normal(0.62, 0.16, n), 0.15, 1.0)
    speed = np.clip(rng.normal(1450, 320, n), 500, 2600)
    ambient = rng.normal(21, 7, n)
    dust = rng.gamma(1.6, 1.0, n)
    strain = np.log1p(hours / 300) * (0.45 + load) + 0.12 * dust * (load > 0.7) + 0.35 * (speed > 1900)
    frailty = rng.normal(0, 0.3, MACHINES)
    latent = strain + frailty[machine] * 0.6 + rng.normal(0, 0.42, n)
    latent = (latent - latent.mean()) / latent.std()
    grade = np.digitize(latent, CUTS)

    own = rng.normal(0, 1, size=(4, MACHINES))
    loose = 0.55 * latent - 0.17 * latent**2
    vibration = np.exp(loose + 1.3 * np.log(speed / 1450) + 0.55 * own[0][machine] + rng.normal(0, 0.20, n))
    peak = vibration * np.exp(0.5 + 0.35 * np.sin(1.6 * latent) + rng.normal(0, 0.14, n))
    rub = 3.2 * np.log1p(np.exp(2.2 * (latent - 0.2)))
    heat = ambient + 16 * load + rub + 5.5 * own[1][machine] + rng.normal(0, 1.8, n)
    oil = ambient + 22 * load + 1.2 * own[1][machine] + rng.normal(0, 2.0, n)
    drag = 0.09 * np.tanh(1.8 * (latent + 0.4))
    current = 30 * load * np.exp(drag + 0.10 * own[2][machine] + rng.normal(0, 0.04, n))
    shed = np.exp(-((latent - 0.5) ** 2)) + 0.25 * dust * (latent > 0.8)
    particles = rng.poisson(np.exp(1.6 + 1.1 * shed + 0.6 * own[3][machine]))

    dead = {
        "vibration": rng.random(n) < np.where(latent > 1.0, 0.28, 0.05),
        "peak": rng.random(n) < 0.06,
        "heat": rng.random(n) < 0.08,
        "particles": rng.random(n) < np.where(latent < -0.8, 0.22, 0.06),
    }

    def row(i: int) -> Row:
        shown: Row = {
            "machine": f"M{machine[i]:02d}",
            "hours": round(float(hours[i])),
            "load": round(float(load[i]), 3),
            "speed": round(float(speed[i])),
            "ambient": round(float(ambient[i]), 1),
            "vibration": round(float(vibration[i]), 3),
            "peak": round(float(peak[i]), 3),
            "heat": round(float(heat[i]), 1),
            "oil": round(float(oil[i]), 1),
            "current": round(float(current[i]), 2),
            "particles": int(particles[i]),
            "dust": round(float(dust[i]), 2),
            "grade": int(grade[i]),
        }
        return shown | {name: DEAD for name, off in dead.items() if off[i]}

    every, rows, start = [row(i) for i in range(n)], {}, 0
    for split, size in SIZES.items():
        rows[split] = every[start : start + size]
        start += size
    meta = Meta("Grades of wear", "quadratic_kappa", "maximize", ["tabular", "ordinal"], "CC0 (generated)")
    return Made(rows, "grade", 2, meta)
