"""Machines with different rungs: a study keeps to the one it was listed with; who lacks it does no run and says why.

A machine without bubblewrap is a process whose PATH has no `bwrap`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlesearch.sandbox import ladder
from mlesearch.study.tables.collect import collect
from tests.support.command import cli

WORDS = ["-m", "model=sim_02", "strategy=random", "tasks=[rentals]", "budget.steps=1", "study.name=s"]
LACKS = "there is no `bwrap` on PATH; install it"


@pytest.fixture(autouse=True)
def _both_rungs() -> None:
    for found in ladder.probe(("bubblewrap", "local")):
        if not found.works:
            pytest.skip(f"{found.name}: {found.why}")
    if ladder.probe(("docker",))[0].works:
        pytest.skip("docker works here, and would be chosen before bubblewrap")


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without bubblewrap."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin")}


def rungs(study: Path) -> dict[str, str]:
    """The rung of each run that was begun, by its seed."""
    found = {p.parent.name: json.loads(p.read_text()) for p in study.glob("*/*/*/*/seed-*/run.json")}
    assert all(run["identity"]["sandbox"]["rung"] == run["labels"]["sandbox"] for run in found.values())
    return {name: run["labels"]["sandbox"] for name, run in sorted(found.items())}


def done(cwd: Path, *words: str, env: dict[str, str] | None = None, code: int = 0) -> str:
    """What a command says in a process of its own, which has tried no rung yet."""
    made = cli(cwd, *words, env=env, fresh=True)
    assert made.returncode == code, made.stdout + made.stderr
    return made.stdout + made.stderr


def test_a_node_without_the_listed_rung_does_no_run_and_says_why(tmp_path: Path, bare: dict[str, str]) -> None:
    said = done(tmp_path, "submit", "--list", *WORDS, "seeds=[0,1]", "sandbox=bubblewrap")
    assert "checked on workers: sandbox: bubblewrap: it works on each worker, and is the same on all" in said
    said = done(tmp_path, "work", "studies/s", env=bare, code=2)
    assert (
        f"left to other machines: sim_02/random/base on rentals and what is like it: sandbox=bubblewrap: {LACKS}"
        in said
    )
    assert "2 runs are left that this machine can't carry out as listed" in said
    assert rungs(tmp_path / "studies/s") == {}
    done(tmp_path, "work", "studies/s")
    assert rungs(tmp_path / "studies/s") == {"seed-0": "bubblewrap", "seed-1": "bubblewrap"}


def test_a_study_of_a_machine_without_bubblewrap_stays_local_where_there_is_one(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    """`auto` was local where it was launched: a better machine goes on with that, and chooses nothing anew."""
    study = tmp_path / "studies/s"
    said = done(tmp_path, "run", *WORDS, "seeds=[0,1]", "sandbox=auto", env=bare)
    assert "sandbox: local, the strongest rung that works here" in said
    shutil.rmtree(study / "sim_02/random/base/rentals/seed-1")
    for table in study.glob("*.parquet"):
        table.unlink()
    done(tmp_path, "work", "studies/s")
    assert rungs(study) == {"seed-0": "local", "seed-1": "local"}
    said = done(tmp_path, "submit", "--list", *WORDS, "seeds=[0,1,2]", "sandbox=auto")
    assert "checked on workers: sandbox: local, which " in said
    done(tmp_path, "work", "studies/s")
    assert rungs(study) == {"seed-0": "local", "seed-1": "local", "seed-2": "local"}
    assert (collect(study) / "runs.parquet").is_file()


def test_the_first_worker_fixes_the_rung_that_a_login_node_left_open(tmp_path: Path, bare: dict[str, str]) -> None:
    """The list says `auto`; the first worker has bubblewrap, the second has not and leaves what is left to others."""
    said = done(tmp_path, "submit", "--list", *WORDS, "seeds=[0]", "sandbox=auto", env=bare)
    assert "chosen by the first worker that begins a run, and kept by all others" in said
    done(tmp_path, "work", "studies/s")
    done(tmp_path, "submit", "--list", *WORDS, "seeds=[0,1]", "sandbox=auto", env=bare)
    said = done(tmp_path, "work", "studies/s", env=bare, code=2)
    assert "left to other machines: sim_02/random/base on rentals and what is like it: sandbox" in said
    assert "bubblewrap" in said
    assert rungs(tmp_path / "studies/s") == {"seed-0": "bubblewrap"}
    done(tmp_path, "work", "studies/s")
    assert rungs(tmp_path / "studies/s") == {"seed-0": "bubblewrap", "seed-1": "bubblewrap"}
