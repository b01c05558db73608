"""Daily sales of products in shops; the days to predict come after those that are known."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

PRODUCTS, SHOPS = 7, 4
DAYS = {TRAIN: 91, VALIDATION: 28, TEST: 42}
HOLIDAYS = (9, 24, 38, 52, 66, 80, 96, 108, 123, 136, 150)


def demand(rng: Generator) -> Made:
    """Level, weekday, promotion, holiday and weather act by factors; the level of each series wanders."""
    n_days = sum(DAYS.values())
    day = np.arange(n_days)
    weekday = day % 7
    holiday = np.isin(day, HOLIDAYS).astype(int)
    eve = np.isin(day + 1, HOLIDAYS).astype(int)
    warmth = 14 + 5 * np.sin((day - 60) / 161 * 2 * np.pi) + rng.normal(0, 3.0, n_days)
    shop_factor = np.exp(rng.normal(0, 0.35, SHOPS))
    product_level = np.exp(rng.normal(3.0, 0.45, PRODUCTS))
    elasticity = rng.uniform(1.4, 2.0, PRODUCTS)
    thirst = rng.uniform(0.01, 0.025, PRODUCTS)
    shop_week = rng.normal(0, 0.03, size=(SHOPS, 7)) + np.array([-0.12, -0.1, -0.05, 0, 0.18, 0.35, -0.3])
    every: list[tuple[int, Row]] = []
    for shop in range(SHOPS):
        for product in range(PRODUCTS):
            wander = np.cumsum(rng.normal(0, 0.004, n_days))
            trend = rng.normal(0.0008, 0.0001) * day
            promotion = np.zeros(n_days, dtype=int)
            for start in rng.choice(n_days, size=9, replace=False):
                promotion[start : start + int(rng.integers(2, 6))] = 1
            cut = np.where(promotion == 1, np.round(rng.uniform(0.08, 0.4, n_days), 2), 0.0)
            log = np.log(product_level[product] * shop_factor[shop]) + wander + trend + shop_week[shop][weekday]
            log = log + elasticity[product] * cut + 0.1 * promotion
            log = log + thirst[product] * (warmth - 14) + 0.45 * eve - 0.9 * holiday
            mean = np.exp(log)
            sold = rng.negative_binomial(30, 30 / (30 + mean))
            for d in day:
                row: Row = {
                    "day": int(d),
                    "weekday": int(weekday[d]),
                    "shop": f"S{shop}",
                    "product": f"P{product}",
                    "promotion": int(promotion[d]),
                    "discount": round(float(cut[d]), 2),
                    "holiday": int(holiday[d]),
                    "warmth": round(float(warmth[d]), 1),
                    "sold": int(sold[d]),
                }
                every.append((int(d), row))
    rows, start = {}, 0
    for split, length in DAYS.items():
        chosen = [pair for pair in every if start <= pair[0] < start + length]
        mixed = [chosen[i] for i in rng.permutation(len(chosen))]
        rows[split] = [row for _, row in sorted(mixed, key=lambda pair: pair[0])]
        start += length
    meta = Meta(
        "Sales of the next weeks",
        "mae",
        "minimize",
        ["tabular", "time", "regression"],
        "CC0 (generated)",
        more={"time_column": "day"},
        reported_split=f"rows of day {DAYS[TRAIN]} and later are held out, those before it are fitted",
        reported_words=(
            ("The 91 days of `train.csv`", "The 119 days of `train.csv`"),
            ("then the 28 days of\n`validation.csv`, then the 42", "then the 42"),
        ),
    )
    return Made(rows, "sold", 15, meta)
