"""Trial runs in real runs: recorded, replayed, killed at every point, on every kind of strategy."""

from __future__ import annotations

import json
import os
import signal

import pandas as pd
import pytest

from mlesearch.storage.events import not_passed
from tests.support.command import cli, fork_of_code
from tests.support.journals import comparable_runs, events, once_each, same_tables

TRIAL = ["run.trial.share=0.1", "run.trial.rows=200", "run.trial.time_s=20"]
WORDS = [
    "run",
    "-m",
    "model=sim_02",
    "tasks=[rentals]",
    "seeds=[0]",
    "launcher.n_jobs=1",
    "sandbox=local",
    "study.name=s",
]

DYING = """
import os, signal, sys, threading
from mlesearch.cli.main import main
from mlesearch.engine import loop
from mlesearch.storage.journal import Journal
left, within = int(sys.argv[1]), sys.argv[2] == "within"
append, execute = Journal.append, loop.execute

def dying_append(self, event, durable=False):
    global left
    append(self, event, durable)
    left -= 1
    if left == 0 and not within:
        os.kill(os.getpid(), signal.SIGKILL)

def dying_execute(sandbox, spec, job):
    if within and job.address.endswith(f"/{sys.argv[1]}/sample"):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return execute(sandbox, spec, job)

Journal.append, loop.execute = dying_append, dying_execute
sys.exit(main(sys.argv[3:]))
"""
"""The command line, killed after so many events, or 50 ms into the sample run of a proposal."""


def dies(cwd, at, how, words):
    cwd.mkdir(exist_ok=True)
    done = fork_of_code(cwd, DYING, at, how, *words)
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stderr)


def test_a_study_with_trial_runs_replays_and_says_what_they_did(tmp_path):
    words = [
        *WORDS,
        *TRIAL,
        "strategy=greedy,mcts,gome",
        "budget.steps=3",
        "cassette=record",
        "sandbox.exec_store=record",
    ]
    done = cli(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "studies/s"
    folders = [p.parent for p in study.rglob("run.json")]
    failed = 0
    for folder in folders:
        tried, ran = events(folder, "sample_run"), events(folder, "executed")
        assert len(tried) == 3
        assert {e["id"] for e in tried if not not_passed(e)} == {e["id"] for e in ran}
        failed += sum(map(not_passed, tried))
        assert cli(tmp_path, "verify", str(folder)).returncode == 0
    assert failed
    folder, e = next((f, e) for f in folders for e in events(f, "sample_run") if not_passed(e))
    shown = cli(tmp_path, "show", str(folder), "--node", str(e["id"])).stdout
    assert "trial run on a sample not passed: ran " in shown
    assert "Trial run on a sample of the labelled rows (share 0.1, at least 200 rows; time limit 20 s)" in shown
    assert cli(tmp_path, "collect", "studies/s").returncode == 0
    runs, nodes = (pd.read_parquet(study / f"{name}.parquet") for name in ("runs", "nodes"))
    assert runs["n_sample_runs"].tolist() == [3, 3, 3]
    assert runs["n_sample_failures"].sum() == nodes["failed_on_sample"].sum() == failed
    assert ((runs["sample_run_s"] > 0) & (runs["sample_run_s"] < runs["program_s"])).all()
    assert (nodes.loc[nodes["failed_on_sample"], "reason"].str.startswith("Trial run on a sample")).all()
    assert cli(tmp_path, "report", "studies/s").returncode == 0
    assert "Trial runs of programs on a sample" in (study / "report.html").read_text()
    assert "0 faults" in cli(tmp_path, "cassette", "verify", "studies/s").stdout
    replayed = cli(tmp_path, "replay", "studies/s", "--out", "again")
    assert "3 of 3 runs came out the same" in replayed.stdout, replayed.stderr
    for folder in folders:
        copy = tmp_path / "again" / folder.relative_to(study) / "journal.jsonl"
        assert copy.read_bytes() == (folder / "journal.jsonl").read_bytes()


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_killed_after_events_and_within_a_sample_run_it_ends_the_same(tmp_path, every):
    words = [*WORDS, *TRIAL, "strategy=greedy", "budget.steps=2"]
    (tmp_path / "whole").mkdir()
    assert cli(tmp_path / "whole", *words).returncode == 0
    whole = tmp_path / "whole/studies/s"
    (folder,) = [p.parent for p in whole.rglob("run.json")]
    kinds = [e["type"] for e in events(folder)]
    assert kinds.count("sample_run") == 2
    tried = [i + 1 for i, kind in enumerate(kinds) if kind in ("sample_run", "executed", "reply")]
    for at, how in [*((n, "after") for n in tried), (0, "within"), (1, "within")][every - 1 :: every]:
        cwd = tmp_path / f"{how}{at}"
        dies(cwd, at, how, words)
        done = cli(cwd, *words)
        assert done.returncode == 0, done.stderr
        assert comparable_runs(cwd / "studies/s") == comparable_runs(whole)
        same_tables(whole, cwd / "studies/s")
        once_each(cwd / "studies/s")


def test_off_a_journal_knows_nothing_of_them(tmp_path):
    found = []
    for name, more in (("a", []), ("b", ["run.trial.time_s=1", "run.trial.rows=3", "run.audit=off"])):
        (tmp_path / name).mkdir()
        assert cli(tmp_path / name, *WORDS, "strategy=greedy", "budget.steps=2", *more).returncode == 0
        found.append(comparable_runs(tmp_path / name / "studies/s"))
        (journal,) = (tmp_path / name).rglob("journal.jsonl")
        assert "sample_run" not in journal.read_text()
        assert "judged_bug" not in journal.read_text()
    assert found[0] == found[1]


@pytest.mark.slow
def test_an_audited_run_of_simulated_engineers_makes_sense(tmp_path):
    """Able engineers find the leaks that they made, and little else; the tables and the report say which.

    Strategies share the draws of a seed, so few leaks are independent: of 160 such runs on a virtual clock 44 of 48 are
    found, and these seeds must find more than 60 %.
    """
    words = [
        "run",
        "-m",
        "model=sim_09",
        "strategy=best_of_n,gome",
        "tasks=[tickets]",
        "seeds=[8,9,10,11,12,13]",
        "sandbox=local",
        "sandbox.program_time_s=5",
    ]
    words += ["budget.steps=8", "run.audit=always", "study.name=s", "model.params.bug_rate=0.6", "launcher.n_jobs=2"]
    done = cli(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "studies/s"
    leaky = called = sound = 0
    for folder in [p.parent for p in study.rglob("run.json")]:
        programs = {e["id"]: (folder / "blobs" / e["program"]).read_text() for e in events(folder, "executed")}
        for e in events(folder, "told"):
            status = e["outcome"]["status"]
            if e["id"] in programs and status in ("ok", "judged_bug"):
                leaks = "model.score(X_train, y_train)" in programs[e["id"]]
                leaky, called = leaky + leaks, called + (leaks and status == "judged_bug")
                sound += not leaks and status == "judged_bug"
        assert cli(tmp_path, "verify", str(folder)).returncode == 0
    assert leaky >= 3
    assert called / leaky > 0.6
    assert sound <= 2
    assert cli(tmp_path, "collect", "studies/s").returncode == 0
    nodes = pd.read_parquet(study / "nodes.parquet")
    judged = nodes[nodes["status"] == "judged_bug"]
    assert len(judged) == called + sound
    assert judged["reason"].str.startswith("its review calls it a bug: ").all()
    assert not judged["valid"].any()
    assert cli(tmp_path, "report", "studies/s").returncode == 0
    assert "since their review called them a bug" in (study / "report.html").read_text()
    assert len(pd.read_csv(study / "report_tables/judged_bugs.csv")) == len(judged)


def test_no_trace_of_a_sample_is_left_in_the_scratch_folder(tmp_path):
    env = {"MLESEARCH_SCRATCH": str(tmp_path / "scratch")}
    done = cli(tmp_path, *WORDS, *TRIAL, "strategy=greedy", "budget.steps=1", env=env)
    assert done.returncode == 0, done.stderr
    left = [p for p in (tmp_path / "scratch" / f"mlesearch-{os.getuid()}").iterdir() if p.name not in ("cpu", "gpu")]
    assert left == []
    (run,) = tmp_path.rglob("run.json")
    assert json.loads(run.read_text())["identity"]["trial"]["share"] == 0.1


@pytest.mark.parametrize("rung", ["bubblewrap", "docker"])
def test_every_rung_shows_the_sample(tmp_path, rung):
    """`local` has it in the tests above."""
    words = [w for w in WORDS if not w.startswith("sandbox=")] + [f"sandbox={rung}", "strategy=best_of_n", "seeds=[0]"]
    words += ["sandbox.params.image=host"] if rung == "docker" else []
    done = cli(tmp_path, *dict.fromkeys(words), *TRIAL, "budget.steps=2")
    if done.returncode == 2 and f"sandbox={rung}" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    (folder,) = [p.parent for p in tmp_path.rglob("run.json")]
    passed = {e["id"] for e in events(folder, "sample_run") if not not_passed(e)}
    assert passed == {e["id"] for e in events(folder, "executed")}
    assert passed
