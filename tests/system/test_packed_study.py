"""A recorded study that was packed: every command does with it what it did before, and goes on with it."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from mlesearch.storage.columns import TABLES
from mlesearch.study.archive.compare import compare
from mlesearch.study.tables.collect import collect
from tests.support.command import cli, start

WORDS = ["run", "-m", "model=sim_02", "strategy=random,greedy", "tasks=[rentals]", "budget.steps=2", "study.name=s"]
WORDS += ["sandbox=local", "cassette=record", "sandbox.exec_store=record"]
RUN = "sim_02/greedy/base/rentals/seed-0"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study as it was launched; commands are given in the folder above it."""
    folder = tmp_path_factory.mktemp("whole")
    said(folder, *WORDS, "seeds=[0,1]")
    return folder / "studies/s"


def said(cwd, *words, code=0):
    """What a command says."""
    done = cli(cwd, *words)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def packed(whole):
    """A copy of it at its own place, packed; it is taken away again."""
    kept = whole.with_name("kept")
    whole.rename(kept)
    shutil.copytree(kept, whole)
    said(whole.parents[1], "clean", "studies/s", "--pack", "--yes")
    assert not list(whole.glob("*/*/*/*/seed-*"))
    yield whole
    shutil.rmtree(whole)
    kept.rename(whole)


def tables_of(study, out):
    """The tables made from nothing."""
    for name in (*(f"{t}.parquet" for t in TABLES), "collected.json"):
        (study / name).unlink(missing_ok=True)
    folder = collect(study, out)
    return [(folder / f"{name}.parquet").read_bytes() for name in TABLES]


COMMANDS = {
    "show": ["show", "studies/s"],
    "show a run": ["show", f"studies/s/{RUN}"],
    "show a program": ["show", f"studies/s/{RUN}", "--best", "--code"],
    "show a reply": ["show", f"studies/s/{RUN}", "--reply"],
    "verify": ["verify", f"studies/s/{RUN}"],
    "cassette verify": ["cassette", "verify", "studies/s"],
    "recheck": ["recheck", "studies/s/report.html"],
    "status": ["status", "studies/s"],
    "resume": ["resume", "studies/s"],
    "run": [*WORDS, "seeds=[0,1]"],
}


def test_every_command_says_what_it_said_before(packed):
    """On a copy in folders at the same place, and packed; whatever they write beside is the same, too."""
    cwd = packed.parents[1]
    now = {name: said(cwd, *words) for name, words in COMMANDS.items()}
    said(cwd, "cassette", "export", "studies/s", "packed.zip")
    said(cwd, "clean", "studies/s", "--unpack", "--yes")
    assert now == {name: said(cwd, *words) for name, words in COMMANDS.items()}
    said(cwd, "cassette", "export", "studies/s", "folders.zip")
    assert (cwd / "packed.zip").read_bytes() == (cwd / "folders.zip").read_bytes()


def test_a_packed_study_has_the_same_tables_replays_and_grows(packed, tmp_path):
    cwd, kept = packed.parents[1], packed.with_name("kept")
    assert tables_of(packed, tmp_path / "a") == tables_of(kept, tmp_path / "b")
    assert compare(kept, packed).same
    assert "4 of 4 runs came out the same" in said(cwd, "replay", "studies/s", "--out", str(tmp_path / "replayed"))
    assert compare(kept, tmp_path / "replayed").same
    assert "6 runs, 4 of them finished" in said(cwd, *WORDS, "seeds=[0,1,2]")
    assert sorted(p.parent.name for p in packed.glob("*/*/*/*/seed-*/result.json")) == ["seed-2", "seed-2"]
    assert "6 of 6 runs have ended" in said(cwd, "status", "studies/s")
    said(cwd, "clean", "studies/s", "--pack", "--yes")
    said(cwd, "clean", "studies/s", "--unpack", "--yes")
    assert {k: v for k, v in files(packed).items() if "seed-2" not in k} == files(kept)


def files(study: Path) -> dict[str, bytes]:
    return {str(p.relative_to(study)): p.read_bytes() for p in study.glob("sim_02/**/*") if p.is_file()}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_packing_and_unpacking_killed_at_random_moments(whole, tmp_path):
    study = shutil.copytree(whole, tmp_path / "s")
    expected, moments, cut = tables_of(whole, tmp_path / "t"), random.Random(1), 0
    for attempt in range(20):
        how = "--unpack" if attempt % 4 == 3 else "--pack"
        process = start(tmp_path, "clean", "s", how, "--yes", fresh=True)
        time.sleep(moments.uniform(0.3, 2.5))
        cut += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert tables_of(study, tmp_path / f"t{attempt}") == expected
        assert compare(whole, study).same
    assert cut >= 3
    said(tmp_path, "clean", "s", "--unpack", "--yes")
    assert files(study) == files(whole)
