"""Preparations of four competitions as the real ones are: from the same files of a download, to the same files."""

from __future__ import annotations

import csv
import json
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlebench.utils import read_csv

CLASSES = ("EAP", "HPL", "MWS")
SHARE = 1 / 3


def train_test_split(rows: Sequence[Any], *, test_size: float, random_state: int) -> tuple[list[Any], list[Any]]:
    """What stands for scikit-learn's, which the environment of the tests has not."""
    order = list(rows)
    random.Random(random_state).shuffle(order)
    count = round(len(order) * test_size)
    return order[count:], order[:count]


def _rows(path: Path) -> list[dict[str, str]]:
    table = read_csv(path)
    return [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]


def _write(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def spooky(raw: Path, public: Path, private: Path) -> None:
    """A table in a zip; answers are one column a class."""
    with zipfile.ZipFile(raw / "train.zip") as packed:
        packed.extractall(raw)
    train, test = train_test_split(_rows(raw / "train.csv"), test_size=SHARE, random_state=0)
    answers = [{"id": row["id"], **{name: int(row["author"] == name) for name in CLASSES}} for row in test]
    _write(public / "train.csv", train, ("id", "text", "author"))
    _write(public / "test.csv", test, ("id", "text"))
    sample = [{**row, "EAP": 0.4, "HPL": 0.3, "MWS": 0.3} for row in answers]
    _write(public / "sample_submission.csv", sample, ("id", *CLASSES))
    _write(private / "test.csv", answers, ("id", *CLASSES))


def taxi(raw: Path, public: Path, private: Path) -> None:
    """A table that is given another name, and a file that is copied."""
    train, test = train_test_split(_rows(raw / "train.csv"), test_size=SHARE, random_state=0)
    _write(public / "labels.csv", train, ("key", "fare_amount", "x"))
    _write(public / "test.csv", test, ("key", "x"))
    _write(public / "sample_submission.csv", [{**row, "fare_amount": 30} for row in test], ("key", "fare_amount"))
    _write(private / "test.csv", test, ("key", "fare_amount"))
    name = "GCP-Coupons-Instructions.rtf"
    (public / name).write_bytes((raw / name).read_bytes())


def pizza(raw: Path, public: Path, private: Path) -> None:
    """Records, of which those to predict lack the label; and the same in zips."""
    records, old_test = (json.loads((raw / f"{name}.json").read_bytes()) for name in ("train", "test"))
    train, test = train_test_split(records, test_size=SHARE, random_state=0)
    hidden = [{key: record[key] for key in old_test[0]} for record in test]
    for name, found in (("train", train), ("test", hidden)):
        (public / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")
        with zipfile.ZipFile(public / f"{name}.zip", "w") as packed:
            packed.write(public / f"{name}.json", f"{name}.json")
    label = "requester_received_pizza"
    answers = [{**record, label: int(record[label])} for record in test]
    _write(private / "test.csv", answers, ("request_id", label))
    _write(public / "sampleSubmission.csv", [{**row, label: 0} for row in answers], ("request_id", label))


def cactus(raw: Path, public: Path, private: Path) -> None:
    """Pictures of the training data in one zip, to be shared out to two."""
    with zipfile.ZipFile(raw / "train.zip") as packed:
        packed.extractall(raw)
    train, test = train_test_split(_rows(raw / "train.csv"), test_size=SHARE, random_state=0)
    for name, rows in (("train", train), ("test", test)):
        with zipfile.ZipFile(public / f"{name}.zip", "w") as packed:
            for row in rows:
                packed.write(raw / "train" / row["id"], row["id"])
    columns = ("id", "has_cactus")
    _write(public / "train.csv", train, columns)
    _write(private / "test.csv", test, columns)
    _write(public / "sample_submission.csv", [{**row, "has_cactus": 0.5} for row in test], columns)
