"""Makes the tasks of the mini suite: seeded data, prepared folders, sha256 of every file in task.yaml.

    python experiments/make_mini_tasks.py [--out FOLDER] [task ...]

Without `--out` it writes into the package (mlesearch/tasks/data/mini). It writes the data and `task.yaml`; a task's
`description.md` is written by hand in the package, and taken along. A `leaderboard.csv` that is there, with its
`leaderboard:` entry, is left alone: executed reference pipelines make the board, not this script.

Floats are rounded to 3 decimals and pixels to one digit, so that the last bit of `exp` or `sin` does not show. With
the numpy version named in task.yaml the bytes are the same; with another one they may differ in single values.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

PACKAGE_FOLDER = Path(__file__).resolve().parents[1] / "mlesearch" / "tasks" / "data" / "mini"
TRAIN, VALIDATION, TEST = "train", "validation", "test"

Row = dict[str, object]
Generator = np.random.Generator


@dataclass(frozen=True)
class Meta:
    """What stands in task.yaml as it is."""

    title: str
    metric: str
    direction: str
    tags: list[str]
    licence: str
    prediction_range: tuple[float | None, float | None] | None = None


@dataclass(frozen=True)
class Made:
    """A generated task: its rows by split, in order, and what stands in task.yaml."""

    rows: Mapping[str, Sequence[Row]]
    target: str
    filler: object  # the value that the sample submission predicts
    meta: Meta


# ---------------------------------------------------------------------------------------------------- canvas

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
    meta = Meta("Digits on a canvas", "accuracy", "maximize", ["images", "multiclass"], DIGITS_LICENCE)
    return Made(rows, "digit", 0, meta)


# --------------------------------------------------------------------------------------------------- rentals

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
    meta = Meta("Monthly rents of flats", "rmsle", "minimize", tags, licence, prediction_range=(0, None))
    return Made(rows, "rent", 500, meta)


# --------------------------------------------------------------------------------------------------- tickets

_TOPICS: dict[str, str] = {
    "billing": "invoice charged payment bill fee price amount receipt debit overcharged discount tax balance",
    "delivery": "parcel courier shipment delivered package tracking "
    "depot dispatch doorstep arrival carrier postage van",
    "account": "password login username account locked profile "
    "email signin verification code settings security register",
    "defect": "broken cracked scratched faulty noise leaking dead damaged battery screen overheats loose rattles",
    "returns": "refund return exchange label voucher credit "
    "reimbursed sendback swap withdrawal money replacement cancel",
    "software": "app crash update freeze install bug version error sync download menu page loading",
    "advice": "recommend compare compatible manual size which "
    "suitable difference advise model spare accessories explain",
}
_SHARES = (0.20, 0.18, 0.16, 0.16, 0.12, 0.11, 0.07)
_ASSERT = (
    "the {a} and the {b} need attention",
    "my message is about the {a} and {b}",
    "there is something with {a} since yesterday , {b} too",
    "please look at the {a} , also {b}",
    "{a} again , and {b}",
    "it is the {a} this time",
    "i write because of {a} {b}",
    "{a} is what i ask about",
    "could you check {a} or {b} for me",
)
_DENY = (
    "it is not the {a}",
    "this has nothing to do with {a}",
    "i have no question about {a}",
    "there was never a problem with the {a} or {b}",
    "no trouble with {a}",
    "not about {a} this time",
    "i do not ask for {a} or {b}",
    "never mind the {a}",
)
_FILL = (
    "hello", "good morning", "thank you in advance", "i have been a customer for years", "please answer soon",
    "best regards", "i tried to call twice", "my order number is below", "kind regards from the coast",
    "i hope you can help", "this is the second time i write", "sorry for the long message",
)  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _typo(word: str, rng: Generator) -> str:
    """The word with one slip of the keys: a letter dropped, doubled, swapped with the next, or replaced."""
    if len(word) < 3:
        return word
    at = int(rng.integers(0, len(word) - 1))
    kind = int(rng.integers(0, 4))
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + _LETTERS[int(rng.integers(0, 26))] + word[at + 1 :]


def _sentence(templates: Sequence[str], words: Sequence[str], rng: Generator) -> str:
    a, b = rng.choice(len(words), size=2, replace=False)
    return templates[int(rng.integers(0, len(templates)))].format(a=words[a], b=words[b])


def _ticket(topic: int, lexicon: Sequence[Sequence[str]], rng: Generator) -> str:
    """One text: assertions of its topic, denials of others, filler, in any order; then typos."""
    parts = [_sentence(_ASSERT, lexicon[topic], rng) for _ in range(1 + int(rng.random() < 0.35))]
    others = [t for t in range(len(lexicon)) if t != topic]
    denied = int(rng.choice(others))
    denials = int(rng.choice(4, p=[0.28, 0.38, 0.22, 0.12]))
    parts += [_sentence(_DENY, lexicon[denied], rng) for _ in range(denials)]
    if rng.random() < 0.15:
        parts.append(_sentence(_ASSERT, lexicon[int(rng.choice(others))], rng))
    parts += [_FILL[int(rng.integers(0, len(_FILL)))] for _ in range(int(rng.integers(0, 4)))]
    parts = [parts[i] for i in rng.permutation(len(parts))]
    slip = float(rng.choice([0.05, 0.25, 0.5], p=[0.3, 0.4, 0.3]))
    words = " . ".join(parts).split()
    typed = [_typo(w, rng) if w.isalpha() and rng.random() < slip else w for w in words]
    return " ".join(typed).replace(" .", ".").replace(" ,", ",")


def tickets(rng: Generator) -> Made:
    """Messages to a shop, to be sorted by what they are about; many also say what they are not about."""
    names = list(_TOPICS)
    lexicon = [_TOPICS[name].split() for name in names]
    sizes = {TRAIN: 1400, VALIDATION: 600, TEST: 2000}
    rows: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        rows[split] = []
        for topic in rng.choice(len(names), size=size, p=_SHARES):
            channel = ("mail", "chat", "phone")[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
            rows[split].append({"channel": channel, "text": _ticket(int(topic), lexicon, rng), "topic": names[topic]})
    meta = Meta("Sorting messages to a shop", "macro_f1", "maximize", ["text", "multiclass"], "CC0 (generated)")
    return Made(rows, "topic", "billing", meta)


# ------------------------------------------------------------------------------------------------- preparing

MAKERS: dict[str, tuple[int, Callable[[Generator], Made]]] = {
    "canvas": (4101, canvas),
    "rentals": (4102, rentals),
    "tickets": (4103, tickets),
}


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def files_of(name: str) -> tuple[dict[str, bytes], dict[str, object]]:
    """The task's files (relative path to bytes) without task.yaml, and the content of task.yaml."""
    seed, make = MAKERS[name]
    rng = np.random.default_rng(seed)
    made = make(rng)
    ids = iter(1000 + rng.permutation(sum(len(rows) for rows in made.rows.values())))
    rows = {split: [{"id": int(next(ids))} | row for row in made.rows[split]] for split in (TRAIN, VALIDATION, TEST)}
    hidden = {split: [{k: v for k, v in row.items() if k != made.target} for row in rows[split]] for split in rows}
    asked = rows[VALIDATION] + rows[TEST]
    files = {
        "description.md": (PACKAGE_FOLDER / name / "description.md").read_bytes(),
        "public/train.csv": _csv(rows[TRAIN]),
        "public/validation.csv": _csv(hidden[VALIDATION]),
        "public/test.csv": _csv(hidden[TEST]),
        "public/sample_submission.csv": _csv([{"id": row["id"], made.target: made.filler} for row in asked]),
    }
    for split in (VALIDATION, TEST):
        files[f"private/{split}.csv"] = _csv([{"id": row["id"], made.target: row[made.target]} for row in rows[split]])
    meta: dict[str, object] = {
        "id": name,
        "title": made.meta.title,
        "version": "2",  # 1: with the plain rules of the metrics
        "suite": "mini",
        "metric": made.meta.metric,
        "metric_rules": "mlebench",
        "direction": made.meta.direction,
        "validation": "harness",
        "id_column": "id",
        "target_columns": [made.target],
        "program_time_s": 60,
        "rows": {split: len(rows[split]) for split in (TRAIN, VALIDATION, TEST)},
        "tags": made.meta.tags,
        "known_issues": [],
        "licence": made.meta.licence,
        "made_by": {"script": "experiments/make_mini_tasks.py", "seed": seed, "numpy": np.__version__},
        "sha256": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())},
    }
    if made.meta.prediction_range is not None:
        meta["prediction_range"] = list(made.meta.prediction_range)
    return files, meta


def write(name: str, out: Path) -> None:
    """Write one task under `out`, keeping a board that is there."""
    files, meta = files_of(name)
    folder = out / name
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    declared = folder / "task.yaml"
    if declared.exists():
        old = yaml.safe_load(declared.read_text(encoding="utf-8"))
        meta |= {"leaderboard": old["leaderboard"]} if "leaderboard" in old else {}
    declared.write_text(yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


def main() -> None:
    """Command line: which tasks, and where to."""
    parser = argparse.ArgumentParser(description="Make the tasks of the mini suite.")
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"any of {', '.join(MAKERS)}; none: all")
    parser.add_argument("--out", type=Path, default=PACKAGE_FOLDER, help="folder that holds the tasks")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.tasks if name not in MAKERS]
    if unknown:
        parser.error(f"unknown task {unknown[0]!r}; choose from {', '.join(MAKERS)}")
    for name in arguments.tasks or MAKERS:
        write(name, arguments.out)
        print(f"{name}: written to {arguments.out / name}")


if __name__ == "__main__":
    main()
