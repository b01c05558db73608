"""Validation sets that are split from a competition's public data by its own preparation, made once and whole."""

import json
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench import twice
from mlesearch.tasks.mlebench.competition import fresh_split, load
from mlesearch.tasks.mlebench.facts import facts, table
from mlesearch.tasks.mlebench.kept import from_json, is_kept, to_json
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.preflight import check, check_once
from mlesearch.tasks.mlebench.prepared import Prepared, look
from mlesearch.tasks.mlebench.recipes import RECIPES
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.mlebench.twice import held_out
from mlesearch.tasks.protocol import Validation
from mlesearch.types import ConfigError, GraderUnavailable, Level
from tests.support.command import python
from tests.support.competitions import CACTUS, FOUR, PIZZA, SPOOKY, TAXI, StandIn, stand_in
from tests.support.whole_competitions import GIVEN, rows_of

TERMS = MlebenchTerms(validation="twice")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    """Read only."""
    return stand_in(tmp_path_factory.mktemp("twice"), splits=True)


@pytest.fixture
def made(package: StandIn, tmp_path: Path) -> StandIn:
    """The same interpreter, and data of its own."""
    shutil.copytree(package.data, tmp_path / "data")
    return replace(package, data=tmp_path / "data")


@pytest.fixture
def pool(made: StandIn) -> Iterator[GraderPool]:
    with GraderPool(made.python, made.data) as graders:
        yield graders


def terms(made: StandIn, **more: str) -> MlebenchTerms:
    return replace(TERMS, data_dir=str(made.data), python=str(made.python), **more)


def found(made: StandIn, name: str) -> Prepared:
    return look(made.data, facts(name))


def cells(path: Path) -> set[str]:
    return {cell for row in rows_of(path) for cell in row.values()}


def contents(folder: Path) -> dict[str, object]:
    """Of every file below a folder; of a zip what it holds."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "digests.json"):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as packed:
                found[name] = {member: packed.read(member) for member in packed.namelist()}
        else:
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", FOUR)
def test_a_search_sees_the_second_split_alone(made: StandIn, pool: GraderPool, name: str) -> None:
    whole, task = load(name, terms(made, validation="reported"), pool), load(name, terms(made), pool)
    assert task.validation is Validation.HARNESS
    assert whole.validation is Validation.REPORTED
    assert whole.full is None
    assert task.full is not None
    assert (task.full.public_dir, task.full.private_dir) == (whole.public_dir, whole.private_dir)
    assert {p.name for p in task.public_dir.iterdir()} == {p.name for p in whole.public_dir.iterdir()}
    assert (task.id_column, task.target_columns) == (whole.id_column, whole.target_columns)
    assert task.version != whole.version
    (answers,) = task.private_dir.glob("*.csv")
    held, real = rows_of(answers), rows_of(whole.private_dir / "test.csv")
    ids = {row[task.id_column] for row in held}
    assert ids
    assert not ids & {row[task.id_column] for row in real}, "no row of the real test set"
    sample = next(path for path in task.public_dir.glob("*.csv") if "ubmission" in path.name)
    assert {row[task.id_column] for row in rows_of(sample)} == ids
    assert "runs once more" in task.contract
    assert "validation_score" not in task.contract


def test_labels_of_the_validation_rows_are_nowhere_in_public(made: StandIn, pool: GraderPool) -> None:
    """By content: the label of a row stands beside its id, or its text, or its picture, and these are gone with it."""
    tasks = {name: load(name, terms(made), pool) for name in FOUR}
    spooky = tasks[SPOOKY]
    for row in rows_of(spooky.private_dir / "test.csv"):
        label = next(name for name in spooky.target_columns if row[name] == "1")
        assert f"A text of {label}." in cells(spooky.public_dir / "test.csv"), "the texts of this stand-in name it"
        assert row["id"] not in cells(spooky.public_dir / "train.csv")
    taxi = tasks[TAXI]
    for row in rows_of(taxi.private_dir / "test.csv"):
        assert row["key"] not in cells(taxi.public_dir / "labels.csv")
        others = (path.read_text() for path in taxi.public_dir.glob("*.csv") if path.name != "labels.csv")
        assert all(f",{row['fare_amount']}" not in text for text in others)
    pizza = tasks[PIZZA]
    for row in rows_of(pizza.private_dir / "test.csv"):
        records = {
            name: [r for r in json.loads((pizza.public_dir / name).read_text()) if row["request_id"] in r.values()]
            for name in ("train.json", "test.json")
        }
        assert records == {"train.json": [], "test.json": [{"request_id": row["request_id"]}]}
    cactus = tasks[CACTUS]
    for row in rows_of(cactus.private_dir / "test.csv"):
        assert row["id"] not in cells(cactus.public_dir / "train.csv")
        places = sorted(p.relative_to(cactus.public_dir).as_posix() for p in cactus.public_dir.rglob(row["id"]))
        assert places == [f"test/{row['id']}"]


def test_the_real_grader_scores_the_held_out_rows(made: StandIn, pool: GraderPool) -> None:
    task = load(SPOOKY, terms(made), pool)
    place = twice.data_folder_of(task)
    perfect, sample = task.private_dir / "test.csv", task.public_dir / "sample_submission.csv"
    assert pool.grade(SPOOKY, perfect, data_dir=place).score == 0
    assert pool.grade(SPOOKY, sample, data_dir=place).score == 0.46667
    assert not pool.grade(SPOOKY, perfect).valid_submission, "by the real answers these are other rows"
    assert pool.grade(SPOOKY, made.data / SPOOKY / "prepared/private/test.csv").score == 0


def test_it_is_made_once_and_is_the_same_wherever_it_is_made(
    made: StandIn, pool: GraderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    versions = {name: load(name, terms(made), pool, said.append).version for name in FOUR}
    assert said == [f"mlebench:{name}: making its validation split, once" for name in FOUR]
    monkeypatch.setattr(GraderPool, "prepare", lambda *args, **named: pytest.fail("made again"))
    assert {name: load(name, terms(made), pool, said.append).version for name in FOUR} == versions
    monkeypatch.undo()
    shutil.copytree(made.data, tmp_path / "moved" / "data", ignore=shutil.ignore_patterns("mlesearch"))
    elsewhere = replace(made, data=tmp_path / "moved" / "data")
    with GraderPool(made.python, elsewhere.data) as other:
        for name in FOUR:
            assert load(name, terms(elsewhere), other).version == versions[name]
            here, there = held_out(found(made, name), pool), held_out(found(elsewhere, name), other)
            assert contents(here.folder / "prepared") == contents(there.folder / "prepared")


def test_other_data_make_another_split(made: StandIn, pool: GraderPool) -> None:
    free = terms(made, verify="off")
    first = held_out(found(made, SPOOKY), pool)
    version = load(SPOOKY, free, pool).version
    train = made.data / SPOOKY / "prepared/public/train.csv"
    train.write_text(train.read_text().replace("A text of EAP", "Another text"))
    assert held_out(found(made, SPOOKY), pool).folder != first.folder
    assert load(SPOOKY, free, pool).version != version


def test_fresh_splits_differ_by_seed_and_are_kept(made: StandIn, pool: GraderPool) -> None:
    task = load(TAXI, terms(made), pool)
    splits = {seed: fresh_split(task, terms(made), pool, seed) for seed in range(1, 6)}
    answers = {seed: (split.private_dir / "test.csv").read_text() for seed, split in splits.items()}
    assert len({*answers.values(), (task.private_dir / "test.csv").read_text()}) > 3
    assert fresh_split(task, terms(made), pool, 1) == splits[1]
    assert len({split.private_dir for split in splits.values()}) == len(splits)
    first = splits[1]
    assert pool.grade(TAXI, first.private_dir / "test.csv", data_dir=twice.data_folder_of(first)).score == 0


MAKE = """
import os, signal
from pathlib import Path
from mlesearch.tasks.mlebench import twice
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.prepared import look

def die(*args, **named):
    os.kill(os.getpid(), signal.SIGKILL)

python, data, name, module, function = sys.argv[1:]
setattr(Path if module == "Path" else getattr(twice, module, twice), function, die)
with GraderPool(Path(python), Path(data)) as graders:
    twice.held_out(look(Path(data), facts(name)), graders)
"""


@pytest.mark.parametrize("at", ["twice rebuild", "twice _check_made", "Path rename"])
def test_what_is_half_made_never_looks_made(made: StandIn, pool: GraderPool, at: str) -> None:
    """A process that is killed leaves a folder of another name, which goes when the split is made the next time."""
    done = subprocess.run(python(MAKE, made.python, made.data, SPOOKY, *at.split()), check=False)
    assert done.returncode == -signal.SIGKILL
    kept = made.data / SPOOKY / "mlesearch"
    left = sorted(p.name for p in kept.iterdir() if p.name != "digests.json")
    assert len(left) == 1
    assert left[0].startswith(".making-twice-")
    split = held_out(found(made, SPOOKY), pool)
    assert split.answers.is_file()
    assert sorted(p.name for p in kept.iterdir()) == ["digests.json", split.folder.parent.name]


def test_a_damaged_split_is_refused(made: StandIn, pool: GraderPool) -> None:
    held_out(found(made, SPOOKY), pool).answers.unlink()
    with pytest.raises(ConfigError, match=r"validation split is damaged .*remove .*twice-"):
        load(SPOOKY, terms(made), pool)


def test_what_fails_leaves_nothing_and_says_what_to_do(made: StandIn, pool: GraderPool) -> None:
    public = made.data / SPOOKY / "prepared/public"
    (public / "train.csv").rename(public / "other.csv")
    with pytest.raises(ConfigError, match=r"train.csv is not there.*mlebench.validation=reported"):
        held_out(found(made, SPOOKY), pool)
    (public / "train.csv").write_text("id,text\na,b\nc,d\ne,f\n")
    with pytest.raises(ConfigError, match=r"could not be made: .*KeyError.*; set mlebench.validation=reported"):
        held_out(found(made, SPOOKY), pool)
    (public / "other.csv").replace(public / "train.csv")
    (public / "more.csv").write_text("x\n")
    with pytest.raises(ConfigError, match=r"came out wrong \(other files than .*: more.csv\)"):
        held_out(found(made, SPOOKY), pool)
    assert {p.name for p in (made.data / SPOOKY / "mlesearch").iterdir()} <= {"digests.json"}


def test_where_it_is_impossible(made: StandIn, pool: GraderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RECIPES, TAXI)  # type: ignore[arg-type]  # a dictionary, declared as what is only read
    task = load(TAXI, terms(made), pool)
    assert task == load(TAXI, terms(made, validation="reported"), pool)
    with pytest.raises(ConfigError, match=rf"mlebench:{TAXI}: mlebench.validation=twice is impossible"):
        load(TAXI, terms(made, fallback="refuse"), pool)
    assert load(TAXI, terms(made, validation="reported", fallback="refuse"), pool) == task


def test_the_preflight_grades_the_held_out_set(made: StandIn, pool: GraderPool) -> None:
    findings = check(SPOOKY, terms(made), pool)
    assert not [f for f in findings if f.level is Level.ERROR]
    assert [f.text for f in findings if f.subject == "validation"] == [
        "on the held-out set a perfect submission scores 0.0 and the sample scores 0.46667"
    ]
    assert check_once(SPOOKY, terms(made), pool)
    assert check_once(SPOOKY, terms(made), pool) == [], "once a version"


def test_what_a_run_keeps_of_it_can_be_read_without_the_data(made: StandIn, pool: GraderPool) -> None:
    task = load(SPOOKY, terms(made), pool)
    again = from_json(json.loads(json.dumps(to_json(task))), Path("task.json"))
    assert is_kept(again)
    assert again.full is not None
    assert (again.version, again.contract, again.validation) == (task.version, task.contract, task.validation)
    text = json.dumps(to_json(task))
    assert str(made.data) not in text
    reported = to_json(load(SPOOKY, terms(made, validation="reported"), pool))
    assert "twice" not in reported
    assert from_json(reported, Path("task.json")).full is None


def test_the_recipes_are_those_of_the_table() -> None:
    assert set(RECIPES) == {name for name, known in table().items() if known.twice in ("tested", "by reading")}
    assert set(GIVEN) == {name for name, known in table().items() if known.twice == "tested"}
    assert {name for name, known in table().items() if known.twice == "no"} == {
        "detecting-insults-in-social-commentary",
        "jigsaw-toxic-comment-classification-challenge",
        "mlsp-2013-birds",
        "siim-isic-melanoma-classification",
        "the-icml-2013-whale-challenge-right-whale-redux",
    }


def test_a_preparation_that_splits_otherwise_gives_no_fresh_split(pool: GraderPool, tmp_path: Path) -> None:
    """One split it gives all the same, and the worker goes on."""
    for name in ("raw", "public", "private"):
        (tmp_path / name).mkdir()
    (tmp_path / "raw/train.csv").write_text("id,y\na,1\nb,2\n")
    places = {name: tmp_path / name for name in ("raw", "public", "private")}
    with pytest.raises(GraderUnavailable, match="its preparation has no train_test_split"):
        pool.prepare("positions", **places, timeout_s=60, random_state=1)
    pool.prepare("positions", **places, timeout_s=60)
    assert (tmp_path / "private/test.csv").read_text() == "id,y\nb,2\n"
