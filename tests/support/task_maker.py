"""Builds small task folders, whole or broken, for tests of tasks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

ROWS = {"train": 6, "validation": 5, "test": 8}
BOARD = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]


def write_csv(path: Path, header: str, rows: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def make_task(folder: Path, *, board: list[float] | None = None, **declared: object) -> Path:
    """A whole task: y = 10 + id / 10 under RMSE; the sample submission predicts 12. Keys set to None are left out."""
    content: dict[str, object] = {
        "id": "small",
        "title": "A small task",
        "version": "3",
        "metric": "rmse",
        "direction": "minimize",
        "validation": "harness",
        "program_time_s": 30,
    } | declared
    content = {key: value for key, value in content.items() if value is not None}
    ids = iter(range(1, 1 + sum(ROWS.values())))
    split = {name: [next(ids) for _ in range(n)] for name, n in ROWS.items()}
    write_csv(folder / "public" / "train.csv", "id,x,y", [f"{i},{i * i},{10 + i / 10}" for i in split["train"]])
    for name in ("validation", "test"):
        write_csv(folder / "public" / f"{name}.csv", "id,x", [f"{i},{i * i}" for i in split[name]])
        write_csv(folder / "private" / f"{name}.csv", "id,y", [f"{i},{10 + i / 10}" for i in split[name]])
    asked = split["validation"] + split["test"] if content.get("validation") == "harness" else split["test"]
    write_csv(folder / "public" / "sample_submission.csv", "id,y", [f"{i},10" for i in asked])
    write_csv(folder / "leaderboard.csv", "score", [repr(float(score)) for score in board or BOARD])
    (folder / "description.md").write_text("Predict y.\n", encoding="utf-8")
    (folder / "task.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def predictions(error: float = 0.0, only: tuple[str, ...] = ("validation", "test")) -> dict[int, float]:
    """Right answers plus an error, by id, for the rows of these splits."""
    start = np.cumsum([0, *ROWS.values()])
    names = list(ROWS)
    ids = [i + 1 for name in only for i in range(start[names.index(name)], start[names.index(name) + 1])]
    return {i: 10 + i / 10 + error for i in ids}


def write_submission(path: Path, values: dict[int, float], header: str = "id,y") -> Path:
    write_csv(path, header, [f"{i},{value!r}" for i, value in values.items()])
    return path
