"""The stand-in data of the golden reports made whole: what was left out of them for its size, made here and small.

Beside them, tiny downloads of competitions of which there is no stand-in, for MLE-bench's own preparation.
"""

from __future__ import annotations

import csv
import random
import struct
import zipfile
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
PICTURES = 200


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
        places = [round(draw.uniform(-74, 41), 6) for _ in range(4)]
        rows.append([f"{when}.{i:07}", round(draw.uniform(3, 60), 4), f"{when} UTC", *places, i % 5])
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


def downloads(folder: Path) -> Sequence[str]:
    """Make tiny downloads in Kaggle's forms of the competitions of which there is no stand-in; returns their names."""
    for name, make in _DOWNLOADS.items():
        make(folder / name, random.Random(name))
    return list(_DOWNLOADS)


def _pictured(table: str, key: str, named: str, labels: Mapping[str, Sequence[object]], more: str = "") -> _Make:
    """Pictures, and a table of labels.

    Args:
        table: its name.
        key: its column of names of pictures.
        named: a picture, with {} for its key.
        labels: what stands in its other columns.
        more: a picture of the test set.
    """

    def make(raw: Path, draw: random.Random) -> None:
        ids = [f"Train_{i}" if key == "image_id" else f"{draw.getrandbits(48):012x}" for i in range(PICTURES)]
        write(raw / table, [key, *labels], [[id, *map(draw.choice, labels.values())] for id in ids])
        for id in ids:
            picture(raw / named.format(id), id)
        for i in range(PICTURES // 5 if more else 0):
            picture(raw / more.format(i), f"test {i}")

    return make


def _ranzcr(raw: Path, draw: random.Random) -> None:
    kinds = {"ETT": ("Abnormal", "Borderline", "Normal"), "CVC": ("Abnormal", "Borderline")}
    kinds["NGT"] = ("Abnormal", "Borderline", "Incompletely Imaged", "Normal")
    columns = {f"{kind} - {how}": (0, 1) for kind, hows in kinds.items() for how in hows}
    _pictured("train.csv", "StudyInstanceUID", "train/{}.jpg", columns)(raw, draw)
    ids = [row["StudyInstanceUID"] for row in rows_of(raw / "train.csv")]
    write(raw / "train_annotations.csv", ["StudyInstanceUID", "label"], [[id, "CVC - Normal"] for id in ids[::3]])


def _dogs(raw: Path, draw: random.Random) -> None:
    raw.mkdir(parents=True)
    train = [f"{kind}.{i}" for kind in ("cat", "dog") for i in range(PICTURES // 2)]
    for split, names in (("train", train), ("test", ["1"])):
        with zipfile.ZipFile(raw / f"{split}.zip", "w") as packed:
            for name in names:
                packed.writestr(f"{split}/{name}.jpg", f"{split} {name}")


def _playground(key: str, label: str, rows: int, labels: Sequence[int]) -> _Make:
    def make(raw: Path, draw: random.Random) -> None:
        write(
            raw / "train.csv", [key, "x", label], ([i, draw.getrandbits(48), draw.choice(labels)] for i in range(rows))
        )

    return make


def _russian(raw: Path, draw: random.Random) -> None:
    columns = ["sentence_id", "token_id", "class", "before", "after"]
    rows = [
        [s, i, "PLAIN", f"w{draw.getrandbits(40)}", f"v{draw.getrandbits(40)}"] for s in range(60) for i in range(5)
    ]
    for name, some in (("train", rows), ("test_2", rows[:1]), ("sample_submission_2", rows[:1])):
        write(raw / f"ru_{name}.csv", columns, some)
        with zipfile.ZipFile(raw / f"ru_{name}.csv.zip", "w") as packed:
            packed.write(raw / f"ru_{name}.csv", f"ru_{name}.csv")
        (raw / f"ru_{name}.csv").unlink()


_Make = Callable[[Path, random.Random], None]
_BREEDS = {"breed": ("affenpinscher", "airedale", "beagle")}
_LEAVES = dict.fromkeys(("healthy", "multiple_diseases", "rust", "scab"), (0, 1))
_DOWNLOADS: Mapping[str, _Make] = {
    "aptos2019-blindness-detection": _pictured("train.csv", "id_code", "train_images/{}.png", {"diagnosis": range(5)}),
    "dog-breed-identification": _pictured("labels.csv", "id", "train/{}.jpg", _BREEDS),
    "dogs-vs-cats-redux-kernels-edition": _dogs,
    "histopathologic-cancer-detection": _pictured(
        "train_labels.csv", "id", "train/{}.tif", {"label": (0, 1)}, "test/{}.tif"
    ),
    "plant-pathology-2020-fgvc7": _pictured("train.csv", "image_id", "images/{}.jpg", _LEAVES),
    "ranzcr-clip-catheter-line-classification": _ranzcr,
    "tabular-playground-series-dec-2021": _playground("Id", "Cover_Type", 400, range(1, 8)),
    "tabular-playground-series-may-2022": _playground("id", "target", 202_000, (0, 1)),
    "text-normalization-challenge-russian-language": _russian,
}
