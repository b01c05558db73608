"""Chains of Slurm jobs; programs that print what Slurm 22.05 printed stand in for the cluster.

The cluster itself: `system/test_slurm.py`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.config.settings import LauncherSettings
from mlesearch.study.slurm import commands as slurm
from mlesearch.study.slurm.chain import (
    FRUITLESS,
    SlurmRequest,
    chain_names,
    margin_s,
    note_begin,
    queue_next,
    queue_workers,
    script,
    script_of,
    stop_command,
    submission_of,
)
from mlesearch.study.slurm.job import Successor
from mlesearch.types import ConfigError
from tests.support.waiting import until

NOWHERE = LauncherSettings(n_jobs=-1, grace_s=60)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (SlurmRequest(workers=0), "--workers: 0; at least 1"),
        (SlurmRequest(cpus=-1), "--cpus: -1; at least 1"),
        (SlurmRequest(time="0:30"), "--time: 0:30; Slurm counts in minutes"),
        (SlurmRequest(extra="--array=1-3"), "--sbatch: --array=1-3 can't be given: .*--workers"),
        (SlurmRequest(extra="-t 30"), "--sbatch: -t can't be given: use --time"),
        (SlurmRequest(extra="-d4"), "--sbatch: -d4 can't be given"),
        (SlurmRequest(extra="--mem=4G --job-name x"), "--sbatch: --job-name can't be given"),
        (SlurmRequest(extra="lab"), "--sbatch: 'lab'; options of sbatch are expected"),
        (SlurmRequest(extra="--mem='4G"), "--sbatch: .* can't be read as options: No closing quotation"),
        (SlurmRequest(extra="--mem=4G\nrm -rf /"), "--sbatch: .*options of sbatch are expected"),
    ],
)
def test_what_no_chain_can_be_made_of_is_refused(request_: SlurmRequest, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        request_.check()


def test_a_request_becomes_a_script_that_a_shell_reads(tmp_path: Path) -> None:
    study = tmp_path / "my study's"
    asked = SlurmRequest(2, "1:00:00", "gpu", "a100:1", None, "--account=lab --mem=64G")
    asked.check()
    text = script(study, asked, LauncherSettings(n_jobs=3, grace_s=60), run_cpus=4)
    options = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH ")]
    assert {
        "--requeue",
        "--kill-on-invalid-dep=yes",
        "--time=1:00:00",
        "--signal=B:USR2@90",
        "--partition=gpu",
        "--gpus=a100:1",
        "--cpus-per-task=12",
        "--account=lab --mem=64G",
    } <= set(options)
    command = text.splitlines()[-1].replace("exec ", "printf '%s\\n' ", 1)
    words = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.splitlines()
    assert words[1:] == [
        *["-m", "mlesearch.study.slurm.job", str(study), "--workers", "2", "--grace-s=60", "--limit-s=3600"]
    ]


def test_a_node_without_the_interpreter_hands_the_chain_to_another_one(stand_in, tmp_path: Path, monkeypatch) -> None:
    calls = stand_in("sbatch", out="Submitted batch job 9\n")
    monkeypatch.setattr("mlesearch.study.slurm.chain.sys.executable", str(tmp_path / "not there" / "python"))
    job = tmp_path / "slurm_script"
    job.write_text(script(tmp_path / "a study", SlurmRequest(), NOWHERE, run_cpus=1))
    env = {**os.environ, "SLURM_JOB_NAME": "x-1-w1", "SLURMD_NODENAME": "n7"}
    done = subprocess.run(["bash", str(job)], env=env, capture_output=True, text=True)
    assert done.returncode == 75
    assert "is not on n7: another node is tried" in done.stdout
    (call,) = calls.read_text().splitlines()
    assert call == f"--job-name=x-1-w1 --output={tmp_path}/a study/slurm/x-1-w1-%j.log --exclude=n7 {job}"
    last = subprocess.run(["bash", str(job)], env={**env, "MLESEARCH_MOVED": "5"}, capture_output=True, text=True)
    assert last.returncode == 127
    assert len(calls.read_text().splitlines()) == 1, "no node has it"


def test_without_a_limit_or_a_count_the_cluster_s_own_hold(tmp_path: Path) -> None:
    text = script(tmp_path, SlurmRequest(), NOWHERE, run_cpus=4)
    assert not [word for word in ("--time", "--signal", "--cpus", "--partition", "--limit-s") if word in text]


@given(st.floats(60, 1e6), st.floats(0, 1e5))
def test_a_worker_is_asked_to_stop_before_its_limit_and_has_most_of_the_time_to_work(limit_s: float, grace_s: float):
    assert 0 < margin_s(limit_s, grace_s) <= limit_s / 3
    if limit_s > 3 * (grace_s + 30):
        assert margin_s(limit_s, grace_s) >= grace_s + 30


def test_each_worker_is_queued_as_a_chain_of_its_own(stand_in, tmp_path: Path) -> None:
    calls = stand_in("sbatch", out="17\n")
    *_, done = queue_workers(tmp_path, "a study/x", SlurmRequest(workers=3), NOWHERE, 1, pytest.fail)
    names = list(done.jobs)
    assert set(done.jobs.values()) == {17}
    assert names == chain_names(submission_of(names[0]), 3)
    assert script_of(tmp_path, submission_of(names[2])) == done.script == tmp_path / "slurm" / "1.sbatch"
    assert [line.split()[1] for line in calls.read_text().splitlines()] == [f"--job-name={name}" for name in names]
    *_, second = queue_workers(tmp_path, "a study/x", SlurmRequest(), NOWHERE, 1, pytest.fail)
    assert second.script.name == "2.sbatch"
    assert not set(second.jobs) & set(names)
    (elsewhere := tmp_path / "other").mkdir()
    *_, other = queue_workers(elsewhere, "a study/x", SlurmRequest(workers=3), NOWHERE, 1, pytest.fail)
    assert not set(other.jobs) & set(names), "two studies of one name would wait for each other"


def test_a_controller_that_is_away_is_waited_for_and_no_job_is_queued_twice(stand_in, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("mlesearch.study.slurm.chain.time.sleep", lambda seconds: None)
    away = "Unable to contact slurm controller (connect failure)"
    sbatch = stand_in("sbatch", err=f"sbatch: error: Batch job submission failed: {away}\n", code=1)
    squeue = stand_in("squeue", err=f"slurm_load_jobs error: {away}\n", code=1, times=2, then="23|PENDING|x\n")
    told: list[str] = []
    *_, done = queue_workers(tmp_path, "x", SlurmRequest(), NOWHERE, 1, told.append)
    assert list(done.jobs.values()) == [23], "it had taken the job after all"
    assert len(sbatch.read_text().splitlines()) == 1
    assert len(squeue.read_text().splitlines()) == 3
    assert told == [f"sbatch: Batch job submission failed: {away}; trying again for 5 minutes"]


def test_what_is_queued_is_known_though_another_chain_is_refused(stand_in, tmp_path: Path) -> None:
    stand_in("sbatch", err="sbatch: error: QOSMaxSubmitJobPerUserLimit\n", code=1)
    queued = queue_workers(tmp_path, "x", SlurmRequest(workers=2), NOWHERE, 1, pytest.fail)
    with pytest.raises(slurm.SlurmError, match="QOSMaxSubmitJobPerUserLimit"):
        next(queued)
    stand_in("sbatch", out="5\n")
    queued = queue_workers(tmp_path, "x", SlurmRequest(workers=2), NOWHERE, 1, pytest.fail)
    first = next(queued)
    stand_in("sbatch", err="sbatch: error: QOSMaxSubmitJobPerUserLimit\n", code=1)
    with pytest.raises(slurm.SlurmError, match="QOSMaxSubmitJobPerUserLimit"):
        next(queued)
    assert list(first.jobs.values()) == [5]
    assert first.stop == stop_command(list(first.jobs))


def test_the_next_job_waits_for_this_one_and_for_none_of_its_name(stand_in, tmp_path: Path) -> None:
    calls = stand_in("sbatch", out="9\n")
    stand_in("squeue", out="(null)\n")
    assert queue_next(tmp_path / "1.sbatch", "x-1-w1", 8, fruitless=0) == 9
    assert "--dependency=afternotok:8,singleton" in calls.read_text()
    assert "--begin" not in calls.read_text()
    queue_next(tmp_path / "1.sbatch", "x-1-w1", 8, fruitless=4)
    assert "--begin=now+900seconds" in calls.read_text()
    assert "--exclude" not in calls.read_text()
    stand_in("squeue", out="n[3-4]\n")
    queue_next(tmp_path / "1.sbatch", "x-1-w1", 8, 0, not_on="n1")
    assert "--exclude=n[3-4],n1" in calls.read_text()


def test_jobs_that_get_nowhere_are_counted_until_one_gets_somewhere(tmp_path: Path) -> None:
    journal = tmp_path / "m" / "s" / "v" / "t" / "seed-0" / "journal.jsonl"
    journal.parent.mkdir(parents=True)
    (tmp_path / "slurm").mkdir()
    counts = [note_begin(tmp_path, "x-1-w1", job) for job in range(3)]
    journal.write_text("step\n")
    counts += [note_begin(tmp_path, "x-1-w1", job) for job in range(FRUITLESS + 1)]
    assert counts == [0, 1, 2, 0, 1, 2, 3, 4, 5]
    assert note_begin(tmp_path, "x-1-w2", 1) == 0
    virtual = tmp_path / "m" / "s" / "v" / "runs.db"
    virtual.write_bytes(b"run")
    assert note_begin(tmp_path, "x-1-w1", 9) == 0
    assert note_begin(tmp_path, "x-1-w1", 10) == 1
    journal.with_name("result.json").write_text("{}\n")
    assert note_begin(tmp_path, "x-1-w1", 11) == 0, "it has set a run aside, or ended one"
    assert (
        os.listdir(tmp_path / "slurm") == ["x-1-w1.jsonl", "x-1-w2.jsonl"] or len(os.listdir(tmp_path / "slurm")) == 2
    )


# the job that follows, where Slurm refuses it

REFUSES = "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
AWAY = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"


@pytest.fixture
def successor(stand_in, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Successor:
    stand_in("squeue")
    monkeypatch.setattr("mlesearch.study.slurm.job._RETRY_S", 0.01)
    return Successor(tmp_path / "slurm" / "1.sbatch", "x-1-w1", 8, fruitless=0)


def test_a_job_that_was_refused_at_the_begin_is_queued_at_the_end(stand_in, successor: Successor, capsys) -> None:
    sbatch, scontrol = stand_in("sbatch", err=REFUSES, code=1, times=1, then="9\n"), stand_in("scontrol")
    successor.begin()
    successor.ensure()
    assert len(sbatch.read_text().splitlines()) == 2
    assert not scontrol.exists(), "this job need not begin again"
    assert "next: job 9" in capsys.readouterr().out


def test_a_job_that_was_refused_is_tried_again_while_this_one_works(stand_in, successor, monkeypatch, capsys) -> None:
    monkeypatch.setattr("mlesearch.study.slurm.job._REFUSED_RETRY_S", 0.01)
    sbatch = stand_in("sbatch", err=REFUSES, code=1, times=3, then="9\n")
    successor.begin()
    assert until(lambda: successor._there.is_set(), 20)
    successor.ensure()
    assert len(sbatch.read_text().splitlines()) == 4
    assert capsys.readouterr().err.count("QOSMaxSubmitJobPerUserLimit") == 1, "said once"


def test_a_controller_that_is_away_at_the_end_is_waited_for(stand_in, successor: Successor) -> None:
    stand_in("sbatch", err=REFUSES, code=1)
    scontrol = stand_in("scontrol", err=AWAY, code=1, times=1)
    successor.begin()
    successor.ensure()
    assert scontrol.read_text().splitlines() == ["requeue 8"] * 2


def test_a_chain_that_slurm_ends_says_how_to_go_on(stand_in, successor: Successor, tmp_path: Path, capsys) -> None:
    stand_in("sbatch", err=REFUSES, code=1)
    stand_in("scontrol", err="Requests are disabled for this job\n", code=1)
    successor.begin()
    successor.ensure()
    said = capsys.readouterr().err.splitlines()
    assert said[-1].endswith(f"to go on: mlesearch submit --slurm {tmp_path}")
    assert "Requests are disabled" in said[-1]
