"""Advertisements of flats, typed by many hands."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

_HEATING = ("gas", "district", "heat pump", "electric", "oil", "stove")
_HEATING_EFFECT = (0.0, 0.04, 0.10, -0.06, -0.05, -0.14)
_CONDITION = ("poor", "fair", "good", "renovated", "new")


def rentals(rng: Generator) -> Made:
    """Monthly rents: an additive log-rent with a map, kinks and interactions, recorded the way people record things."""
    n_train, n_validation, n_test = 1400, 600, 2000
    n = n_train + n_validation + n_test
    centres = np.array([[4.0, 7.0], [11.0, 12.0], [13.5, 3.5], [6.0, 14.0]])
    pull, width = np.array([0.50, 0.36, 0.30, 0.20]), np.array([2.2, 1.7, 2.4, 1.5])
    east, north = rng.uniform(0, 16, n), rng.uniform(0, 16, n)
    distance = np.hypot(east[:, None] - centres[:, 0], north[:, None] - centres[:, 1])
    place = (pull * np.exp(-((distance / width) ** 2) / 2)).sum(axis=1)
    river = np.abs(north - 8 - 2.5 * np.sin(east / 2.6))
    place += 0.22 * np.exp(-river / 0.8)
    district = np.floor(east / 4).astype(int) * 4 + np.floor(north / 4).astype(int)

    rooms = rng.choice([1, 2, 3, 4, 5, 6], size=n, p=[0.16, 0.28, 0.27, 0.17, 0.08, 0.04])
    area = (14 + 19.5 * rooms) * np.exp(rng.normal(0, 0.20, n))
    built = np.where(rng.random(n) < 0.35, rng.integers(1880, 1945, n), rng.integers(1946, 2024, n))
    condition = np.clip(np.rint(rng.normal(2.0 + (built > 1995) * 0.8, 0.9)), 0, 4).astype(int)
    floor = rng.integers(0, 12, n)
    lift = rng.random(n) < np.where(floor > 4, 0.8, 0.35)
    balcony = np.where(rng.random(n) < 0.55, rng.gamma(2.5, 2.4, n), 0.0)
    heating = rng.choice(6, size=n, p=[0.40, 0.24, 0.12, 0.12, 0.09, 0.03])
    furnished = rng.random(n) < 0.22
    month = rng.integers(1, 13, n)
    agency = np.minimum(rng.zipf(1.35, n), 90)
    agency_effect = rng.normal(0, 0.10, 91)
    energy = np.clip(rng.normal(230 - 1.05 * (built - 1940) - 12 * condition, 28), 25, 420)

    age = 2024 - built
    log_rent = 4.55 + 0.74 * np.log(area / 10) + 0.035 * rooms + place
    log_rent += np.array([-0.17, -0.07, 0.0, 0.11, 0.17])[condition]
    log_rent += np.where(built < 1919, 0.12, -0.0032 * np.minimum(age, 70)) + np.where(lift, 0.0, -0.020 * floor)
    log_rent += 0.05 * np.log1p(balcony) + np.array(_HEATING_EFFECT)[heating] + agency_effect[agency]
    log_rent += np.where(furnished, np.where(rooms <= 2, 0.22, 0.03), 0.0)
    log_rent += 0.035 * np.cos((month - 8) / 12 * 2 * np.pi)
    log_rent += 0.00055 * (170 - energy)
    rent = np.exp(log_rent + rng.normal(0, 0.095, n))
    log_ratio = np.log(rent / np.median(rent))

    feet = rng.random(n) < 0.32
    shown_area = np.where(feet, area * 10.764, area)
    no_unit = rng.random(n) < 0.12
    euros = rng.random(n) < 0.5
    charges = rent * np.clip(rng.normal(0.16, 0.035, n), 0.06, 0.3)
    hide_charges = rng.random(n) < 1 / (1 + np.exp(-(log_ratio * 3.0 + 0.9)))
    hide_energy = rng.random(n) < np.clip((energy - 120) / 260, 0.03, 0.9)
    hide_built = rng.random(n) < np.where(built < 1946, 0.35, 0.06)

    def typed_charges(i: int) -> str:
        return f"{charges[i]:.0f} EUR" if euros[i] else f"{charges[i] * 12:.0f} EUR/year"

    def row(i: int) -> Row:
        return {
            "area": round(float(shown_area[i]), 1),
            "area_unit": "" if no_unit[i] else ("sqft" if feet[i] else "m2"),
            "rooms": int(rooms[i]),
            "floor": int(floor[i]),
            "lift": "yes" if lift[i] else "no",
            "built": "" if hide_built[i] else int(built[i]),
            "condition": _CONDITION[condition[i]],
            "balcony_m2": round(float(balcony[i]), 1) if balcony[i] > 0 else "",
            "heating": _HEATING[heating[i]],
            "energy_kwh_m2": "" if hide_energy[i] else round(float(energy[i]), 0),
            "furnished": "yes" if furnished[i] else "no",
            "month": int(month[i]),
            "agency": f"A{agency[i]:02d}",
            "district": f"D{district[i]:02d}",
            "east_km": round(float(east[i]), 3),
            "north_km": round(float(north[i]), 3),
            "charges": "" if hide_charges[i] else typed_charges(i),
            "rent": round(float(rent[i]), 1),
        }

    every = [row(i) for i in range(n)]
    rows = {
        TRAIN: every[:n_train],
        VALIDATION: every[n_train : n_train + n_validation],
        TEST: every[n_train + n_validation :],
    }
    tags, licence = ["tabular", "regression"], "CC0 (generated)"
    meta = Meta("Monthly rents of flats", "rmsle", "minimize", tags, licence, prediction_range=(0, None), version="2")
    return Made(rows, "rent", 500, meta)
