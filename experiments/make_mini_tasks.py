"""Makes the tasks of the mini suite: seeded data, prepared folders, sha256 of every file in task.yaml.

    python experiments/make_mini_tasks.py [--out FOLDER] [task ...]
    python -m mlesearch.experiments.make_mini_tasks --reported --out tasks [task ...]

Without `--out` it writes into the package (mlesearch/tasks/data/mini). It writes the data and `task.yaml`; a task's
`description.md` is written by hand in the package, and taken along. A `leaderboard.csv` that is there, with its
`leaderboard:` entry, is left alone: executed reference pipelines make the board, not this script. With `--reported` it
makes NAME_reported instead: validation rows are training rows, and programs report their own score.

Floats are rounded to 3 decimals and pixels to one digit, so that the last bit of `exp` or `sin` does not show. With
the numpy version named in task.yaml the bytes are the same; with another one they may differ in single values.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from mlesearch.experiments.mini import (
    canvas,
    demand,
    digits,
    friedman,
    rentals,
    reviews,
    strides,
    tickets,
    transfers,
    wear,
)
from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Row
from mlesearch.tasks.folder import DECLARED
from mlesearch.tasks.leaderboard import BOARD

PACKAGE_FOLDER = Path(__file__).resolve().parents[1] / "mlesearch" / "tasks" / "data" / "mini"

MAKERS: dict[str, tuple[int, Callable[[Generator], Made]]] = {
    "canvas": (4101, canvas.canvas),
    "demand": (4107, demand.demand),
    "digits": (4109, digits.digits),
    "friedman": (4104, friedman.friedman),
    "rentals": (4102, rentals.rentals),
    "reviews": (4110, reviews.reviews),
    "strides": (4108, strides.strides),
    "tickets": (4103, tickets.tickets),
    "transfers": (4106, transfers.transfers),
    "wear": (4105, wear.wear),
}
"""By name: seed and maker."""

KINDS = {"images": "image", "text": "text", "signals": "series", "time": "series"}
"""The category of a task by a tag of it; of the others "tabular"."""

BOTH, TEST_ALONE = (
    "Predict every row of `validation.csv` and of `test.csv` into one",
    "Predict every row of `test.csv` into one",
)


def _csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def target_of(name: str) -> str:
    """The column of a task's training data that is predicted."""
    seed, make = MAKERS[name]
    return make(np.random.default_rng(seed)).target


def _rows(name: str) -> tuple[Made, dict[str, list[Row]]]:
    """A task as it was made, and its rows by split, with ids."""
    seed, make = MAKERS[name]
    rng = np.random.default_rng(seed)
    made = make(rng)
    ids = iter(1000 + rng.permutation(sum(len(rows) for rows in made.rows.values())))
    return made, {
        split: [{"id": int(next(ids))} | row for row in made.rows[split]] for split in (TRAIN, VALIDATION, TEST)
    }


def _declared(name: str, made: Made, rows: Mapping[str, Sequence[Row]], files: Mapping[str, bytes]) -> Row:
    """The content of task.yaml."""
    meta: Row = {
        "id": name,
        "title": made.meta.title,
        "version": made.meta.version,
        "suite": "mini",
        "category": next((KINDS[tag] for tag in made.meta.tags if tag in KINDS), "tabular"),
        "metric": made.meta.metric,
        "metric_rules": "mlebench",
        "direction": made.meta.direction,
        "validation": "harness" if rows[VALIDATION] else "reported",
        "id_column": "id",
        "target_columns": made.columns,
        "program_time_s": 60,
        "rows": {split: len(rows[split]) for split in rows if rows[split]},
        "tags": made.meta.tags,
        "known_issues": [],
        "licence": made.meta.licence,
        "made_by": {"script": "experiments/make_mini_tasks.py", "seed": MAKERS[name][0], "numpy": np.__version__},
        "sha256": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(files.items())},
    }
    meta |= made.meta.more
    if made.meta.prediction_range is not None:
        meta["prediction_range"] = list(made.meta.prediction_range)
    return meta


def files_of(name: str, *, reported: bool = False) -> tuple[dict[str, bytes], Row]:
    """The task's files (relative path to bytes) without task.yaml, and the content of task.yaml.

    Args:
        name: of the task.
        reported: make the twin whose programs report their own score: its training rows are those of both splits, and
            its test rows and board are the same.
    """
    made, rows = _rows(name)
    description = (PACKAGE_FOLDER / name / "description.md").read_text(encoding="utf-8")
    if reported:
        rows = {TRAIN: rows[TRAIN] + rows[VALIDATION], VALIDATION: [], TEST: rows[TEST]}
        for said, instead in ((BOTH, TEST_ALONE), *made.meta.reported_words):
            if description.count(said) != 1:
                raise ValueError(f"{name}/description.md holds {said!r} {description.count(said)} times, expected once")
            description = description.replace(said, instead)
    hidden = {split: [{k: v for k, v in row.items() if k != made.target} for row in rows[split]] for split in rows}
    asked = rows[VALIDATION] + rows[TEST]
    files = {
        "description.md": description.encode(),
        "public/train.csv": _csv(rows[TRAIN]),
        "public/test.csv": _csv(hidden[TEST]),
        "public/sample_submission.csv": _csv(
            [{"id": row["id"]} | dict.fromkeys(made.columns, made.filler) for row in asked]
        ),
        "private/test.csv": _csv([{"id": row["id"]} | made.answer(row) for row in rows[TEST]]),
    }
    if not reported:
        files["public/validation.csv"] = _csv(hidden[VALIDATION])
        files["private/validation.csv"] = _csv([{"id": row["id"]} | made.answer(row) for row in rows[VALIDATION]])
    declared = _declared(name, made, rows, files)
    if reported:
        declared |= {"id": f"{name}_reported", "suite": "mini_reported"}
        declared |= {"reported_split": made.meta.reported_split} if made.meta.reported_split else {}
    return files, declared


def write(name: str, out: Path, *, reported: bool = False) -> Path:
    """Write one task under `out`, keeping a board that is there; a twin gets that of its task. Returns the folder."""
    files, meta = files_of(name, reported=reported)
    folder = out / str(meta["id"])
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    if reported:
        (folder / BOARD).write_bytes((PACKAGE_FOLDER / name / BOARD).read_bytes())
    known = (PACKAGE_FOLDER / name if reported else folder) / DECLARED
    if known.exists():
        old = yaml.safe_load(known.read_text(encoding="utf-8"))
        meta |= {"leaderboard": old["leaderboard"]} if "leaderboard" in old else {}
    text = yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=110)
    (folder / DECLARED).write_text(text, encoding="utf-8")
    return folder


def main() -> None:
    """Command line: which tasks, and where to."""
    parser = argparse.ArgumentParser(description="Make the tasks of the mini suite.")
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"any of {', '.join(MAKERS)}; none: all")
    parser.add_argument("--out", type=Path, default=PACKAGE_FOLDER, help="folder that holds the tasks")
    parser.add_argument(
        "--reported", action="store_true", help="make the twins whose programs report their own score; needs --out"
    )
    arguments = parser.parse_args()
    if arguments.reported and arguments.out == PACKAGE_FOLDER:
        parser.error("--reported makes tasks that do not ship: name a folder for them, such as --out tasks")
    unknown = [name for name in arguments.tasks if name not in MAKERS]
    if unknown:
        parser.error(f"unknown task {unknown[0]!r}; choose from {', '.join(MAKERS)}")
    for name in arguments.tasks or MAKERS:
        print(f"{name}: written to {write(name, arguments.out, reported=arguments.reported)}")


if __name__ == "__main__":
    main()
