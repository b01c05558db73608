"""Held-out sets that MLE-bench's own preparations make of the stand-ins: ten of the golden data, nine prepared here."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench.competition import fresh_split, load
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.preflight import check
from mlesearch.tasks.mlebench.prepared import look
from mlesearch.tasks.mlebench.preparing import prepare
from mlesearch.tasks.mlebench.recipes import RECIPES
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.mlebench.twice import data_folder_of, held_out
from mlesearch.tasks.protocol import Task
from mlesearch.types import Level
from tests.support.mlebench_real import golden, real_python
from tests.support.whole_competitions import GIVEN, complete, downloads

pytestmark = pytest.mark.mlebench


@dataclass(frozen=True, slots=True)
class Place:
    """Data of all competitions with a recipe, and what grades them."""

    data: Path
    graders: GraderPool

    def load(self, name: str, validation: str = "twice") -> Task:
        terms = MlebenchTerms(data_dir=str(self.data), python=str(real_python()), verify="off", validation=validation)
        return load(name, terms, self.graders)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("twice")
    golden(folder)
    complete(folder / "data")
    with GraderPool(real_python(), folder / "data") as graders:
        for name in downloads(folder / "downloads"):
            prepare(folder / "data", facts(name), graders, source=folder / "downloads" / name, verify=False)
        yield Place(folder / "data", graders)


def texts(folder: Path) -> dict[str, str]:
    """What stands in the text files of a public folder whose archives are unpacked, by their relative names."""
    kinds = (".csv", ".json", ".jsonl")
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.suffix in kinds}


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@dataclass(frozen=True, slots=True)
class Labels:
    """Where the labels of a competition are.

    Attributes:
        files: of labelled rows, below the public folder.
        key: column of what tells rows apart; empty where they are numbered anew.
        columns: of labels, which no other file but the sample has.
        unlabelled: files that ask for predictions.
    """

    files: tuple[str, ...]
    key: str
    columns: tuple[str, ...]
    unlabelled: tuple[str, ...] = ("test.csv",)


LABELS: Mapping[str, Labels] = {
    "spooky-author-identification": Labels(("train.csv",), "id", ("author",)),
    "new-york-city-taxi-fare-prediction": Labels(("labels.csv",), "key", ("fare_amount",)),
    "nomad2018-predict-transparent-conductors": Labels(
        ("train.csv",), "", ("formation_energy_ev_natom", "bandgap_energy_ev")
    ),
    "random-acts-of-pizza": Labels(("train.json",), "request_id", ("requester_received_pizza",), ("test.json",)),
    "aerial-cactus-identification": Labels(("train.csv",), "id", ("has_cactus",), ()),
    "leaf-classification": Labels(("train.csv",), "id", ("species",)),
    "text-normalization-challenge-english-language": Labels(("en_train.csv",), "", ("after",), ("en_test_2.csv",)),
    "tgs-salt-identification-challenge": Labels(("train.csv",), "id", ("rle_mask",), ()),
    "tensorflow2-question-answering": Labels(
        ("simplified-nq-train.jsonl",), "example_id", ("annotations",), ("simplified-nq-test.jsonl",)
    ),
    "dog-breed-identification": Labels(("labels.csv",), "id", ("breed",), ()),
    "aptos2019-blindness-detection": Labels(("train.csv",), "id_code", ("diagnosis",)),
    "ranzcr-clip-catheter-line-classification": Labels(("train.csv",), "StudyInstanceUID", ("ETT - Abnormal",), ()),
    "plant-pathology-2020-fgvc7": Labels(("train.csv",), "", ("rust",)),
    "histopathologic-cancer-detection": Labels(("train_labels.csv",), "id", ("label",), ()),
    "tabular-playground-series-dec-2021": Labels(("train.csv",), "Id", ("Cover_Type",)),
    "tabular-playground-series-may-2022": Labels(("train.csv",), "", ("target",)),
    "text-normalization-challenge-russian-language": Labels(("ru_train.csv",), "", ("after",), ("ru_test_2.csv",)),
}
"""Without denoising and dogs-vs-cats, whose labels are pictures and names of pictures."""


def records(name: str, text: str) -> list[dict[str, object]]:
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines() if line]
    return json.loads(text) if name.endswith(".json") else [dict(row) for row in table(text)]


def plain(rows: Sequence[Mapping[str, object]], without: Sequence[str] = ()) -> Counter[str]:
    """Rows as texts, as often as they occur."""
    return Counter(json.dumps({k: v for k, v in r.items() if k not in without}, sort_keys=True) for r in rows)


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_the_validation_rows_are_nowhere_in_public(place: Place, name: str) -> None:
    """By content: labelled rows of the search and held-out rows are all labelled rows, and no file has both."""
    labels, whole, task = LABELS[name], place.load(name, "reported"), place.load(name)
    before, now = texts(whole.public_dir), texts(task.public_dir)
    assert set(now) == set(before)
    (labelled,) = labels.files
    all_rows, left = records(labelled, before[labelled]), records(labelled, now[labelled])
    numbered = () if labels.key else ("id", "image_id", "sentence_id")
    held = plain(all_rows, numbered) - plain(left, numbered)
    assert not plain(left, numbered) - plain(all_rows, numbered)
    assert len(left) < len(all_rows)
    assert sum(held.values()) == len(all_rows) - len(left)
    for unlabelled in labels.unlabelled:
        rows = records(unlabelled, now[unlabelled])
        assert not set(labels.columns) & set(rows[0])
        columns = set(rows[0]) - set(numbered)
        asked = Counter(json.dumps({k: v for k, v in r.items() if k in columns}, sort_keys=True) for r in rows)
        expected = [{k: v for k, v in json.loads(row).items() if k in columns} for row in held.elements()]
        assert asked == plain(expected), "the rows to predict are those that were held out"
    sample = next(text for file, text in now.items() if "submission" in file.lower())
    if "normalization" not in name:  # whose sample says that nothing changes
        assert all(len({row[column] for row in table(sample)}) == 1 for column in task.target_columns)
    if labels.key:
        ids = {str(json.loads(row)[labels.key]) for row in held}
        assert not ids & {str(row[labels.key]) for row in left}
        with_ids = {file for file, text in now.items() if any(id in text for id in ids if len(id) > 4)}
        assert with_ids <= {*labels.unlabelled, *(file for file in now if "submission" in file.lower())}


@pytest.mark.parametrize("name", ["denoising-dirty-documents", "tgs-salt-identification-challenge"])
def test_pictures_that_are_labels_are_gone(place: Place, name: str) -> None:
    whole, task = place.load(name, "reported"), place.load(name)
    folder = "train_cleaned" if "denoising" in name else "train/masks"
    before = {p.name: p.read_bytes() for p in (whole.public_dir / folder).iterdir()}
    left = {p.name for p in (task.public_dir / folder).iterdir()}
    held = {name: content for name, content in before.items() if name not in left}
    assert held
    seen = {p.read_bytes() for p in task.public_dir.rglob("*") if p.is_file()}
    assert not seen & set(held.values())
    place_of_tests = task.public_dir / ("test" if "denoising" in name else "test/images")
    assert {p.name for p in place_of_tests.iterdir()} == set(held)


def test_names_of_pictures_that_are_labels_are_gone(place: Place) -> None:
    """Dogs and cats: what is asked for is numbered, and no such picture is among the named ones."""
    task = place.load("dogs-vs-cats-redux-kernels-edition")
    train, test = ({p.read_bytes() for p in (task.public_dir / name).iterdir()} for name in ("train", "test"))
    assert train
    assert test
    assert not train & test
    assert all(p.stem.isdigit() for p in (task.public_dir / "test").iterdir())


@pytest.mark.parametrize("name", RECIPES)
def test_the_real_grader_scores_it(place: Place, name: str) -> None:
    """The preflight finds nothing; the perfect submission beats the sample; fresh splits have other rows."""
    task, known = place.load(name), facts(name)
    terms = MlebenchTerms(data_dir=str(place.data), python=str(real_python()), verify="off", validation="twice")
    findings = check(name, terms, place.graders)
    assert [f.text for f in findings if f.subject == "validation"]
    assert not [f for f in findings if f.level is Level.ERROR]
    split = look(data_folder_of(task), known)
    perfect, sample = (place.graders.grade(name, p, data_dir=data_folder_of(task)) for p in (split.gold, split.sample))
    assert perfect.gold_medal
    assert known.direction.better(perfect.score, sample.score)
    assert not place.graders.grade(name, split.gold).gold_medal, "these are other rows than those of the test set"
    fresh = look(data_folder_of(fresh_split(task, terms, place.graders, 1)), known)
    assert fresh.answers.read_bytes() != split.answers.read_bytes()
    assert {p.name for p in fresh.public.iterdir()} == {p.name for p in split.public.iterdir()}


@pytest.mark.parametrize("name", GIVEN)
def test_it_is_the_same_wherever_it_is_made(place: Place, tmp_path: Path, name: str) -> None:
    version = place.load(name).version
    shutil.copytree(place.data / name, tmp_path / "data" / name, ignore=shutil.ignore_patterns("mlesearch"))
    with GraderPool(real_python(), tmp_path / "data") as graders:
        other = Place(tmp_path / "data", graders)
        assert other.load(name).version == version
        here, there = (held_out(look(p.data, facts(name)), p.graders) for p in (place, other))
        assert here.answers.read_bytes() == there.answers.read_bytes()
        assert here.sample.read_bytes() == there.sample.read_bytes()
