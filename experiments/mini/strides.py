"""Short recordings of a sensor on the hip; persons in one file are in no other."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

PERSONS = {TRAIN: 24, VALIDATION: 20, TEST: 34}
WINDOWS, SAMPLES = 36, 40
ACTIVITIES = ("rest", "walk", "upstairs", "downstairs", "run")
_SHARES = (0.16, 0.26, 0.22, 0.22, 0.14)
_TEMPO = (0.35, 1.8, 1.62, 1.95, 2.6)
_FORCE = ((0.06, 0.03, 0.02), (1.0, 0.42, 0.16), (0.85, 0.62, 0.14), (1.1, 0.46, 0.42), (2.3, 0.8, 0.5))
"""Strength of the first three harmonics of each activity."""


def strides(rng: Generator) -> Made:
    """Activities differ in tempo and harmonics; every person has a tempo, a force and a tilt of the sensor."""
    seconds = np.arange(SAMPLES) / 20
    number, rows = 0, {}
    for split, persons in PERSONS.items():
        found: list[Row] = []
        for _ in range(persons):
            number += 1
            tempo, force = np.exp(rng.normal(0, 0.07)), np.exp(rng.normal(0, 0.30))
            tilt, lag = rng.normal(0, 1.1), rng.normal(0, 0.5, 3)
            rough = rng.uniform(0.2, 0.55)
            for activity in rng.choice(len(ACTIVITIES), size=WINDOWS, p=_SHARES):
                phase = rng.uniform(0, 2 * np.pi)
                pace = _TEMPO[activity] * tempo * np.exp(rng.normal(0, 0.04))
                level = tilt + 0.25 * rng.normal() + (0.25 if activity == 2 else -0.2 if activity == 3 else 0.0)
                signal = np.full(SAMPLES, level)
                for k, strength in enumerate(_FORCE[activity], 1):
                    wave = np.sin(k * (2 * np.pi * pace * seconds + phase) + lag[k - 1])
                    signal = signal + strength * force * np.exp(rng.normal(0, 0.18)) * wave
                signal = signal + rough * rng.normal(0, 1, SAMPLES) + 0.15 * np.cumsum(rng.normal(0, 1, SAMPLES)) * 0.5
                shown = np.rint(10 * signal).astype(int)
                row: Row = {"person": f"H{number:02d}"} | {f"t{i:02d}": int(v) for i, v in enumerate(shown)}
                found.append(row | {"activity": ACTIVITIES[activity]})
        rows[split] = [found[i] for i in rng.permutation(len(found))]
    meta = Meta(
        "Activities from strides",
        "log_loss",
        "minimize",
        ["signals", "multiclass", "groups"],
        "CC0 (generated)",
        more={"group_column": "person"},
        reported_split="GroupKFold(n_splits=5) over `person`; the mean of the five scores",
        reported_words=(
            ("Those of `train.csv`, of `validation.csv` and of `test.csv`", "Those of `train.csv` and of `test.csv`"),
        ),
    )
    return Made(rows, "activity", 0.2, meta, {name: name for name in ACTIVITIES})
