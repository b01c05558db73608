"""The stand-in data of the golden reports made whole: what was left out of them for its size, made here and small.

Beside them, tiny public folders of competitions of which there is no stand-in, in the forms that MLE-bench's own
preparations read and write.
"""

from __future__ import annotations

import csv
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

GIVEN = (
    "spooky-author-identification",
    "new-york-city-taxi-fare-prediction",
    "nomad2018-predict-transparent-conductors",
    "random-acts-of-pizza",
    "aerial-cactus-identification",
    "leaf-classification",
    "text-normalization-challenge-english-language",
    "denoising-dirty-documents",
    "tgs-salt-identification-challenge",
    "tensorflow2-question-answering",
)
"""Competitions of the golden data that can be prepared once more."""
TAXI_ROWS = 10_400
"""Its preparation always takes 9,914 of them for the test set."""


def complete(data: Path) -> None:
    """Add to the golden data what their public folders lack.

    Args:
        data: folder of competitions, as `golden` unpacks it.
    """
    for name, make in _LACKING.items():
        make(data / name / "prepared" / "public")


def png(path: Path, seed: int, side: int = 4) -> None:
    """A greyscale picture of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    rows = b"".join(b"\0" + bytes(draw.randrange(256) for _ in range(side)) for _ in range(side))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def picture(path: Path, what: object) -> None:
    """A file that stands for a picture, of a content of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"a picture of {what}".encode())


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV by columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def _taxi(public: Path) -> None:
    places_of = [f"{end}_{axis}" for end in ("pickup", "dropoff") for axis in ("longitude", "latitude")]
    columns = ["key", "fare_amount", "pickup_datetime", *places_of, "passenger_count"]
    draw = random.Random(0)
    rows = []
    for i in range(TAXI_ROWS):
        when = f"2011-{1 + i % 12:02}-{1 + i % 28:02} {i % 24:02}:{i % 60:02}:00"
        places = [f"{draw.uniform(-74, 41):.6f}" for _ in range(4)]
        rows.append([f"{when}.{i:07}", f"{draw.uniform(3, 60):.4f}", f"{when} UTC", *places, i % 5])
    write(public / "labels.csv", columns, rows)


def _nomad(public: Path) -> None:
    for split in ("train", "test"):
        for row in rows_of(public / f"{split}.csv"):
            picture(public / split / row["id"] / "geometry.xyz", f"the atoms of {split} {row['id']}")


def _leaf(public: Path) -> None:
    for split in ("train", "test"):
        for row in rows_of(public / f"{split}.csv"):
            picture(public / "images" / f"{row['id']}.jpg", row["id"])


def _denoising(public: Path) -> None:
    for i in range(20):
        png(public / "train" / f"{i + 1}.png", i)
        png(public / "train_cleaned" / f"{i + 1}.png", 1000 + i)
    png(public / "test" / "100.png", 5)


def _salt(public: Path) -> None:
    for row in rows_of(public / "train.csv"):
        picture(public / "train" / "images" / f"{row['id']}.png", row["id"])
        picture(public / "train" / "masks" / f"{row['id']}.png", f"the mask of {row['id']}")
    for row in rows_of(public / "sample_submission.csv"):
        picture(public / "test" / "images" / f"{row['id']}.png", row["id"])


_LACKING: Mapping[str, Callable[[Path], None]] = {
    "new-york-city-taxi-fare-prediction": _taxi,
    "nomad2018-predict-transparent-conductors": _nomad,
    "leaf-classification": _leaf,
    "denoising-dirty-documents": _denoising,
    "tgs-salt-identification-challenge": _salt,
}


def public_json(path: Path) -> list[dict[str, object]]:
    """The records of a JSON file, or of one of JSON lines."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line] if path.suffix == ".jsonl" else json.loads(text)
