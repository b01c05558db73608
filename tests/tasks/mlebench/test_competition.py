"""A prepared competition as a task: found where it lies, versioned by what it holds, refused in words."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlesearch.tasks.leaderboard import mlebench_thresholds
from mlesearch.tasks.mlebench import kept
from mlesearch.tasks.mlebench.competition import load
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.preflight import check
from mlesearch.tasks.mlebench.prepared import State, data_folder, kept_folder, look
from mlesearch.tasks.mlebench.public_view import view
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Level
from tests.support.competitions import CACTUS, FOUR, PIZZA, SPOOKY, TAXI, StandIn, interpreter, stand_in

NORMALIZATION = "text-normalization-challenge-english-language"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return stand_in(tmp_path_factory.mktemp("standin"))


@pytest.fixture(scope="module")
def pool(made: StandIn) -> Iterator[GraderPool]:
    with GraderPool(made.python, made.data) as graders:
        yield graders


@pytest.fixture
def data(made: StandIn, tmp_path: Path) -> Path:
    """A copy of the data that a test may damage."""
    shutil.copytree(made.data, tmp_path / "data", ignore=shutil.ignore_patterns("mlesearch"))
    return tmp_path / "data"


def loaded(name: str, data: Path, pool: GraderPool, **terms: object) -> Task:
    return load(name, MlebenchTerms(data_dir=str(data), **terms), pool)  # type: ignore[arg-type]  # tests pass what they mean


@pytest.mark.parametrize("name", FOUR)
def test_a_competition_is_a_task(made: StandIn, pool: GraderPool, name: str) -> None:
    task = loaded(name, made.data, pool)
    assert (task.thresholds, task.direction) == mlebench_thresholds(name)
    assert task.official is not None
    assert task.official.board == "table"
    assert task.description.startswith("A competition of Kaggle as MLE-bench prepares it.")
    assert f"# {name}" in task.description
    sample = "sampleSubmission.csv" if name == PIZZA else "sample_submission.csv"
    assert f"`input/{sample}`" in task.contract
    assert (task.public_dir / sample).is_file()
    assert task.suite == "mlebench"
    assert task.program_time_s == 9 * 3600
    told = task.description + task.contract
    assert str(made.data) not in told
    assert "private" not in told


def test_data_without_archives_are_used_as_they_lie_and_nothing_is_written_into_them(
    made: StandIn, pool: GraderPool
) -> None:
    for name in (SPOOKY, TAXI):
        assert loaded(name, made.data, pool).public_dir == made.data / name / "prepared" / "public"


def test_archives_are_unpacked_once_beside_the_data_by_links(data: Path, pool: GraderPool) -> None:
    task = loaded(CACTUS, data, pool)
    assert sorted(os.listdir(task.public_dir)) == ["sample_submission.csv", "test", "train", "train.csv"]
    public = data / CACTUS / "prepared" / "public"
    assert sorted(os.listdir(public)) == ["sample_submission.csv", "test.zip", "train.csv", "train.zip"]
    assert (task.public_dir / "train.csv").stat().st_ino == (public / "train.csv").stat().st_ino
    before = task.public_dir.stat().st_mtime_ns
    assert loaded(CACTUS, data, pool).public_dir == task.public_dir
    assert task.public_dir.stat().st_mtime_ns == before
    as_it_is = loaded(CACTUS, data, pool, unpack="off")
    assert as_it_is.public_dir == public
    assert "unpacked already" in task.description
    assert "unpacked already" not in as_it_is.description


def test_a_table_that_lies_beside_its_archive_is_not_unpacked_again(data: Path, pool: GraderPool) -> None:
    task = loaded(PIZZA, data, pool)
    assert sorted(os.listdir(task.public_dir)) == ["sampleSubmission.csv", "test.json", "train.json"]


@pytest.mark.parametrize("unpacks", [True, False])
def test_a_private_sample_is_placed_where_programs_find_it(tmp_path: Path, unpacks: bool) -> None:
    place = tmp_path / NORMALIZATION / "prepared"
    (place / "public").mkdir(parents=True)
    (place / "private").mkdir()
    (place / "public" / "en_train.csv").write_text("a\n")
    for name in ("answers.csv", "sample_submission.csv"):
        (place / "private" / name).write_text("id,after\n0_0,x\n")
    seen = view(look(tmp_path, facts(NORMALIZATION)), unpacks=unpacks)
    assert seen.sample == "sample_submission.csv"
    assert sorted(os.listdir(seen.folder)) == ["en_train.csv", "sample_submission.csv"]
    assert os.listdir(place / "public") == ["en_train.csv"]
    assert (seen.folder / "sample_submission.csv").stat().st_mode & 0o444 == 0o444


def test_data_that_can_only_be_read(
    data: Path, pool: GraderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    (data / CACTUS / "mlesearch").write_text("a file in its place")
    task = loaded(CACTUS, data, pool)
    assert task.public_dir.is_relative_to(tmp_path / "caches")
    assert (task.public_dir / "train").is_dir()


def test_the_same_bytes_elsewhere_are_the_same_version(made: StandIn, data: Path, pool: GraderPool) -> None:
    for name in FOUR:
        mine, moved = loaded(name, made.data, pool), loaded(name, data, pool)
        assert mine.version == moved.version
        assert mine.public_dir != moved.public_dir
        for path in (data / name / "prepared").rglob("*"):
            os.utime(path, (1, 1))
        assert loaded(name, data, pool).version == mine.version


@pytest.mark.parametrize("changed", ["private/test.csv", "public/train.csv", "public/sample_submission.csv"])
def test_other_bytes_are_another_version(made: StandIn, data: Path, pool: GraderPool, changed: str) -> None:
    before = loaded(SPOOKY, made.data, pool).version
    path = data / SPOOKY / "prepared" / changed
    text = path.read_text().replace("id00007", "id00017")
    path.write_text(text + ("id99999,A text.,EAP\n" if changed == "public/train.csv" else ""))
    assert loaded(SPOOKY, data, pool, verify="off").version != before
    with pytest.raises(ConfigError, match=rf"md5 differs .*{changed}.*mlebench.verify=off"):
        loaded(SPOOKY, data, pool)


def test_another_picture_in_an_archive_is_another_version_and_another_packing_is_not(
    made: StandIn, data: Path, pool: GraderPool
) -> None:
    import zipfile

    before = loaded(CACTUS, made.data, pool).version
    path = data / CACTUS / "prepared" / "public" / "train.zip"
    with zipfile.ZipFile(path) as packed:
        files = {info.filename: packed.read(info) for info in packed.infolist()}
    from tests.support.competitions import write_zip

    write_zip(path, files, (2001, 1, 1, 0, 0, 0))
    assert loaded(CACTUS, data, pool).version == before
    write_zip(path, {**files, next(iter(files)): b"another"})
    assert loaded(CACTUS, data, pool).version != before


def test_what_lacks_is_said_with_what_to_do(data: Path, pool: GraderPool) -> None:
    shutil.rmtree(data / SPOOKY)
    with pytest.raises(
        ConfigError, match=rf"not prepared .*accept its rules at .*, then: mlesearch mlebench prepare {SPOOKY}"
    ):
        loaded(SPOOKY, data, pool)
    with pytest.raises(ConfigError, match=r"can't be accepted by new accounts .*--from ZIP"):
        loaded("detecting-insults-in-social-commentary", data, pool)
    for lacking, what in (
        ("private/test.csv", "file of answers"),
        ("public/sample_submission.csv", "sample submission"),
    ):
        (data / TAXI / "prepared" / lacking).rename(data / "away")
        found = look(data, facts(TAXI))
        assert found.state is State.DAMAGED
        (data / TAXI / "prepared" / "private" / "other").touch()
        with pytest.raises(ConfigError, match=f"prepared half: no {what}"):
            loaded(TAXI, data, pool)
        (data / "away").rename(data / TAXI / "prepared" / lacking)
    assert look(data, facts(TAXI)).state is State.PREPARED


def test_libraries_that_grade_a_competition_wrongly_are_refused_by_its_name(made: StandIn, tmp_path: Path) -> None:
    python = interpreter(tmp_path / "venv", made.package.parent, {"pandas": "3.1.0", "numpy": "2.4.0"})
    with GraderPool(python, made.data) as graders:
        with pytest.raises(ConfigError, match="not prepared"):
            loaded(NORMALIZATION, made.data, graders)
        warned = check(SPOOKY, MlebenchTerms(data_dir=str(made.data)), graders)
        assert any(f.level is Level.WARNING and "pandas 3.1.0" in f.text for f in warned)
        from mlesearch.tasks.mlebench.competition import check_grader

        with pytest.raises(ConfigError, match=f"grades 1 competitions wrongly: {NORMALIZATION}"):
            check_grader(facts(NORMALIZATION), graders.hello())


def test_a_package_that_knows_other_paths_is_refused_with_both(made: StandIn, tmp_path: Path) -> None:
    other = stand_in(tmp_path / "other", [TAXI])
    config = other.package / "competitions" / TAXI / "config.yaml"
    config.write_text(config.read_text().replace("private/test.csv", "private/answers.csv"))
    both = r"the answers: .*says private/answers.csv, the table .*private/test.csv"
    with GraderPool(other.python, other.data) as graders, pytest.raises(ConfigError, match=both):
        loaded(TAXI, other.data, graders)


@pytest.mark.parametrize(("scores", "why"), [((30.0, 2.0), "is to minimize"), ((2.0, 30.0), "gives .*2 teams")])
def test_a_board_that_disagrees_is_refused(tmp_path: Path, scores: tuple[float, ...], why: str) -> None:
    other = stand_in(tmp_path / "other", [TAXI])
    board = other.package / "competitions" / TAXI / "leaderboard.csv"
    board.write_text("score\n" + "".join(f"{score}\n" for score in scores))
    with GraderPool(other.python, other.data) as graders, pytest.raises(ConfigError, match=why):
        loaded(TAXI, other.data, graders)


def test_the_preflight_of_four_finds_no_fault(made: StandIn, pool: GraderPool) -> None:
    for name in FOUR:
        findings = check(name, MlebenchTerms(data_dir=str(made.data)), pool)
        assert all(f.level is Level.OK for f in findings), findings
    assert any("gold = silver and silver = bronze" in f.text for f in findings)


def test_the_preflight_finds_answers_that_are_not_those_of_the_grader(data: Path, made: StandIn) -> None:
    (data / SPOOKY / "prepared" / "private" / "test.csv").write_text(
        "id,EAP,HPL,MWS\n" + "".join(f"id{i:05},nan,0,0\n" for i in range(6, 12))
    )
    with GraderPool(made.python, data) as graders:
        findings = check(SPOOKY, MlebenchTerms(data_dir=str(data), verify="off"), graders)
    assert any(f.level is Level.ERROR and f.subject == "gold" for f in findings)


def test_what_a_run_keeps_is_the_task_without_its_data(made: StandIn, pool: GraderPool) -> None:
    task = loaded(SPOOKY, made.data, pool)
    plain = kept.to_json(task)
    assert str(made.data) not in str(plain)
    back = kept.from_json(plain, Path("task.json"))
    assert kept.is_kept(back)
    assert not kept.is_kept(task)
    assert kept.to_json(back) == plain
    del plain["contract"]
    with pytest.raises(ConfigError, match=r"task\.json: it is damaged"):
        kept.from_json(plain, Path("task.json"))


def test_where_data_are_looked_for(tmp_path: Path) -> None:
    environ = {"MLEBENCH_DATA_DIR": str(tmp_path / "by variable"), "XDG_CACHE_HOME": str(tmp_path)}
    assert data_folder(str(tmp_path / "given"), environ) == tmp_path / "given"
    assert data_folder(None, environ) == tmp_path / "by variable"
    assert data_folder(None, {"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "mle-bench" / "data"


@pytest.mark.slow
def test_a_folder_of_220_000_files_loads_in_a_fifth_of_a_second(data: Path, pool: GraderPool) -> None:
    folder = data / SPOOKY / "prepared" / "public" / "train"
    folder.mkdir()
    for i in range(220_000):
        os.close(os.open(folder / f"{i:06}.tif", os.O_CREAT | os.O_WRONLY))
    loaded(SPOOKY, data, pool)
    took = []
    for _ in range(5):
        began = time.perf_counter()
        loaded(SPOOKY, data, pool)
        took.append(time.perf_counter() - began)
    print(f"load of 220,000 files: {min(took) * 1000:.1f} ms")
    assert min(took) < 0.2
    assert kept_folder(look(data, facts(SPOOKY))) == data / SPOOKY / "mlesearch"
