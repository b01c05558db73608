"""How the download of a competition is built again from its public folder, so that it can be prepared once more.

A competition that has a recipe here can hold out a validation set in the real format (`twice`). The others can't: their
test set is Kaggle's own and not a part of the training data (insults, jigsaw-toxic), or their preparation insists on
what only the whole download has (mlsp, siim, whale).
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.files import is_litter
from mlesearch.tasks.mlebench.archives import is_archive
from mlesearch.types import ConfigError

_NUMERIC_ID = re.compile(rb'("example_id":\s*)"(-?\d+)"')
_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Linked:
    """A file or folder of the public folder, used as it is; the preparation only reads it.

    Attributes:
        source: name in the public folder.
        name: in the download; empty: the same.
    """

    source: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Packed:
    """A zip of the download.

    Attributes:
        name: of the zip.
        members: (path in it, name in the public folder) of files, folders, and zips, whose members are meant.
    """

    name: str
    members: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NumericIds:
    """A file of JSON lines whose `example_id` are texts; in the download they are numbers, as pandas reads both."""

    source: str


RawPart = Linked | Packed | NumericIds


def _as_it_is(*sources: str) -> tuple[RawPart, ...]:
    return tuple(Linked(source) for source in sources)


def _text_normalization(language: str) -> tuple[RawPart, ...]:
    names = ("train.csv.zip", "test_2.csv.zip", "sample_submission_2.csv.zip")
    return _as_it_is(*(f"{language}_{name}" for name in names))


RECIPES: Mapping[str, tuple[RawPart, ...]] = {
    "aerial-cactus-identification": (Linked("train.csv"), Packed("train.zip", (("train", "train.zip"),))),
    "aptos2019-blindness-detection": _as_it_is("train.csv", "train_images"),
    "denoising-dirty-documents": (
        Packed("train.zip", (("train", "train"),)),
        Packed("train_cleaned.zip", (("train_cleaned", "train_cleaned"),)),
    ),
    "dog-breed-identification": _as_it_is("labels.csv", "train"),
    "dogs-vs-cats-redux-kernels-edition": (
        Packed("train.zip", (("train", "train"),)),
        Packed("test.zip", (("test/sample_submission.csv", "sample_submission.csv"),)),
    ),
    "histopathologic-cancer-detection": _as_it_is("train_labels.csv", "train", "test"),
    "leaf-classification": (
        Packed("train.csv.zip", (("train.csv", "train.csv"),)),
        Packed("images.zip", (("images", "images"),)),
    ),
    "new-york-city-taxi-fare-prediction": (
        Linked("labels.csv", "train.csv"),
        Linked("GCP-Coupons-Instructions.rtf"),
    ),
    "nomad2018-predict-transparent-conductors": (
        Packed("train.zip", (("train", "train"),)),
        Packed("train.csv.zip", (("train.csv", "train.csv"),)),
        Packed("test.zip"),
        Packed("test.csv.zip"),
    ),
    "plant-pathology-2020-fgvc7": _as_it_is("train.csv", "images"),
    "random-acts-of-pizza": _as_it_is("train.json", "test.json"),
    "ranzcr-clip-catheter-line-classification": _as_it_is("train.csv", "train_annotations.csv", "train"),
    "spooky-author-identification": (Packed("train.zip", (("train.csv", "train.csv"),)),),
    "tabular-playground-series-dec-2021": _as_it_is("train.csv"),
    "tabular-playground-series-may-2022": _as_it_is("train.csv"),
    "tensorflow2-question-answering": (NumericIds("simplified-nq-train.jsonl"),),
    "text-normalization-challenge-english-language": _text_normalization("en"),
    "text-normalization-challenge-russian-language": _text_normalization("ru"),
    "tgs-salt-identification-challenge": (
        Packed(
            "competition_data.zip",
            (("competition_data/train.csv", "train.csv"), ("competition_data/train", "train")),
        ),
        Linked("depths.csv"),
    ),
}
"""By competition: what the package's preparation reads of a download."""


def rebuild(competition: str, public: Path, raw: Path) -> None:
    """Build the download of a competition again, as far as its preparation reads it.

    Args:
        competition: one of `RECIPES`.
        public: its public folder.
        raw: an empty folder.

    Raises:
        ConfigError: the public folder lacks a file of the recipe.
    """
    for part in RECIPES[competition]:
        try:
            _carry_out(part, public, raw)
        except FileNotFoundError as error:
            raise ConfigError(
                f"mlebench:{competition}: {error.filename} is not there, and its validation split is made from it; "
                f"prepare the competition again, or set mlebench.validation=reported"
            ) from None


def _carry_out(part: RawPart, public: Path, raw: Path) -> None:
    match part:
        case Linked(source, name):
            (public / source).stat()
            (raw / (name or source)).symlink_to((public / source).absolute())
        case Packed(name, members):
            with zipfile.ZipFile(raw / name, "w", zipfile.ZIP_STORED) as packed:
                for inside, source in members:
                    _pack(packed, inside, public / source)
        case NumericIds(source):
            with (public / source).open("rb") as lines, (raw / source).open("wb") as target:
                target.writelines(_NUMERIC_ID.sub(rb"\1\2", line, count=1) for line in lines)


def _pack(packed: zipfile.ZipFile, inside: str, source: Path) -> None:
    """Put a file, a folder, or what is in a zip into another zip."""
    if source.is_dir():
        for path, relative in _files(source):
            _copy(packed, f"{inside}/{relative}", path)
    elif is_archive(source.name):
        with zipfile.ZipFile(source) as other:
            for info in other.infolist():
                if not info.is_dir():
                    packed.writestr(zipfile.ZipInfo(f"{inside}/{info.filename}", _DATE), other.read(info))
    else:
        _copy(packed, inside, source)


def _copy(packed: zipfile.ZipFile, inside: str, source: Path) -> None:
    info = zipfile.ZipInfo(inside, _DATE)
    info.file_size = source.stat().st_size
    with source.open("rb") as content, packed.open(info, "w") as target:
        while chunk := content.read(_CHUNK):
            target.write(chunk)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files below a folder and their relative names, in a fixed order."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if not is_litter(name):
                path = Path(root, name)
                yield path, path.relative_to(folder).as_posix()
