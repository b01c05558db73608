"""Competitions prepared by MLE-bench's own code: what is half done never looks prepared."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlesearch.tasks.mlebench import preparing
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.prepared import State, look
from mlesearch.tasks.mlebench.preparing import prepare
from mlesearch.types import ConfigError
from tests.support.competitions import TAXI, StandIn, stand_in, write_zip

RAW = b"key,fare_amount\na,1\nb,2\nc,3\nd,4\n"


@pytest.fixture
def made(tmp_path: Path) -> StandIn:
    found = stand_in(tmp_path / "standin", [])
    shutil.rmtree(found.data, ignore_errors=True)
    return found


@pytest.fixture
def pool(made: StandIn) -> Iterator[GraderPool]:
    with GraderPool(made.python, made.data) as graders:
        yield graders


def test_from_a_zip_and_from_a_folder(made: StandIn, pool: GraderPool, tmp_path: Path) -> None:
    write_zip(tmp_path / "taxi.zip", {"train.csv": RAW})
    (tmp_path / "taxi").mkdir()
    (tmp_path / "taxi" / "train.csv").write_bytes(RAW)
    said: list[str] = []
    for source, keep_raw in ((tmp_path / "taxi.zip", False), (tmp_path / "taxi", True)):
        found = prepare(made.data, facts(TAXI), pool, source=source, keep_raw=keep_raw, tell=said.append)
        assert found.state is State.PREPARED
        assert found.folder == made.data / TAXI
        assert (found.public / "description.md").read_text().startswith(f"# {TAXI}")
        assert found.answers.read_bytes() == b"key,fare_amount\nc,3\nd,4\n"
        assert sorted(p.name for p in found.folder.iterdir()) == (["prepared", "raw"] if keep_raw else ["prepared"])
        assert sorted(p.name for p in made.data.iterdir()) == [TAXI], "no scratch is left"
        assert prepare(made.data, facts(TAXI), pool, source=tmp_path / "absent") == found, "what is there is kept"
        shutil.rmtree(found.folder)
    assert (tmp_path / "taxi" / "train.csv").read_bytes() == RAW
    assert said == [f"{TAXI}: unpacking", f"{TAXI}: preparing"] * 2


def test_what_fails_leaves_nothing(made: StandIn, pool: GraderPool, tmp_path: Path) -> None:
    write_zip(tmp_path / "other.zip", {"readme.txt": b"not it"})
    with pytest.raises(ConfigError, match=r"FileNotFoundError.*the whole download of Kaggle"):
        prepare(made.data, facts(TAXI), pool, source=tmp_path / "other.zip")
    assert list(made.data.iterdir()) == []
    assert look(made.data, facts(TAXI)).state is State.UNPREPARED
    with pytest.raises(ConfigError, match=r"--from: .* is not there"):
        prepare(made.data, facts(TAXI), pool, source=tmp_path / "absent.zip")
    (tmp_path / "x.txt").touch()
    with pytest.raises(ConfigError, match="no zip and no folder"):
        prepare(made.data, facts(TAXI), pool, source=tmp_path / "x.txt")


def test_what_is_not_as_recorded_is_not_kept(made: StandIn, pool: GraderPool, tmp_path: Path) -> None:
    write_zip(tmp_path / "taxi.zip", {"train.csv": RAW})
    sums = {"public": {"train.csv": "0" * 32}, "private": {}}
    (made.package / "competitions" / TAXI / "checksums.yaml").write_text(yaml.safe_dump(sums))
    with pytest.raises(ConfigError, match=r"not what MLE-bench records \(public/train.csv\)"):
        prepare(made.data, facts(TAXI), pool, source=tmp_path / "taxi.zip")
    assert list(made.data.iterdir()) == []
    assert prepare(made.data, facts(TAXI), pool, source=tmp_path / "taxi.zip", verify=False).state is State.PREPARED


def test_a_half_prepared_folder_is_not_overwritten(made: StandIn, pool: GraderPool) -> None:
    (made.data / TAXI / "prepared" / "public").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"prepared half: .*move .*prepared away"):
        prepare(made.data, facts(TAXI), pool)
    assert (made.data / TAXI / "prepared" / "public").is_dir()


def test_too_small_a_disk_is_said_first(made: StandIn, pool: GraderPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "TIMES_RAW", 1e9)
    with pytest.raises(ConfigError, match=r"GB are needed .* set mlebench.data_dir to another disk"):
        prepare(made.data, facts(TAXI), pool)


@pytest.mark.parametrize(
    ("raised", "todo"),
    [
        ("PermissionError('Kaggle authentication failed! no credentials')", "kaggle.json"),
        ("RuntimeError('You must accept the competition rules before downloading')", "accept its rules at"),
        ("OSError('the network is unreachable')", "try again"),
    ],
)
def test_a_download_that_fails_says_what_to_do(made: StandIn, pool: GraderPool, raised: str, todo: str) -> None:
    data = made.package / "data.py"
    data.write_text(f"{data.read_text()}\n\ndef download_dataset(**given):\n    raise {raised}\n")
    with pytest.raises(ConfigError, match=rf"the download failed: .*{todo}"):
        prepare(made.data, facts(TAXI), pool)
    assert list(made.data.iterdir()) == []


def test_a_download_is_prepared(made: StandIn, pool: GraderPool) -> None:
    text = f"""

def download_dataset(competition_id, download_dir, force):
    import zipfile
    with zipfile.ZipFile(download_dir / "taxi.zip", "w") as file:
        file.writestr("train.csv", {RAW!r})
    return download_dir / "taxi.zip"
"""
    data = made.package / "data.py"
    data.write_text(data.read_text() + text)
    assert prepare(made.data, facts(TAXI), pool).state is State.PREPARED
