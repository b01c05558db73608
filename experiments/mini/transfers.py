"""Transfers between accounts, a few of them frauds of several kinds."""

from __future__ import annotations

import numpy as np

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

SIZES = {TRAIN: 1500, VALIDATION: 1500, TEST: 3000}
ACCOUNTS = 120
PAYEES = 40
SHARE = 0.08


def transfers(rng: Generator) -> Made:
    """Honest transfers follow the habits of their account; three kinds of fraud break one or two of them, slightly."""
    n = sum(SIZES.values())
    account = rng.integers(0, ACCOUNTS, n)
    level = rng.normal(4.2, 1.1, ACCOUNTS)
    spread = rng.uniform(0.25, 0.7, ACCOUNTS)
    awake = rng.uniform(9, 19, ACCOUNTS)
    width = rng.uniform(1.5, 4.0, ACCOUNTS)
    abroad = rng.random(ACCOUNTS) < 0.25
    risk = rng.beta(0.8, 8, PAYEES)
    popularity = 1 / np.arange(1, PAYEES + 1) ** 0.9
    kind = np.where(rng.random(n) < SHARE, 1 + rng.choice(3, n, p=[0.45, 0.3, 0.25]), 0)

    amount = np.exp(level[account] + spread[account] * rng.normal(0, 1, n))
    hour = awake[account] + width[account] * rng.normal(0, 1, n)
    payee = rng.choice(PAYEES, size=n, p=popularity / popularity.sum())
    gap = rng.gamma(1.1, 900, n)
    device = rng.random(n) < 0.07
    foreign = rng.random(n) < np.where(abroad[account], 0.5, 0.03)
    balance = amount * rng.lognormal(1.6, 0.9, n)

    large, burst, mule = (kind == k for k in (1, 2, 3))
    amount = np.where(large, amount * np.exp(spread[account] * rng.uniform(1.6, 3.2, n)), amount)
    amount = np.where(burst, amount * 0.45, amount)
    gap = np.where(burst, rng.gamma(1.0, 45, n), gap)
    hour = np.where(burst | large, hour + rng.uniform(3, 9, n), hour)
    risky = rng.choice(PAYEES, size=n, p=risk / risk.sum())
    payee = np.where(mule | (large & (rng.random(n) < 0.4)), risky, payee)
    device = device | (mule & (rng.random(n) < 0.55)) | (large & (rng.random(n) < 0.2))
    foreign = foreign | (mule & (rng.random(n) < 0.35))
    balance = np.where(large, amount * rng.lognormal(0.5, 0.6, n), balance)

    def row(i: int) -> Row:
        return {
            "account": f"K{account[i]:03d}",
            "payee": f"P{payee[i]:02d}",
            "amount": round(float(amount[i]), 2),
            "balance": round(float(balance[i]), 2),
            "hour": round(float(hour[i] % 24), 2),
            "minutes_since_last": round(float(gap[i])),
            "new_device": int(device[i]),
            "abroad": int(foreign[i]),
            "fraud": int(kind[i] > 0),
        }

    every, rows, start = [row(i) for i in range(n)], {}, 0
    for split, size in SIZES.items():
        rows[split] = every[start : start + size]
        start += size
    tags = ["tabular", "binary", "imbalanced"]
    meta = Meta("Fraud among transfers", "auc", "maximize", tags, "CC0 (generated)")
    return Made(rows, "fraud", 0.5, meta)
