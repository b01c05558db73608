"""Slurm's commands as a launch gives them; programs that print what Slurm 22.05 printed stand in for the cluster.

The cluster itself: `system/test_slurm.py`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.study.slurm import commands as slurm
from mlesearch.types import ConfigError
from tests.support.waiting import until, wait_for


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (
            "sbatch: error: invalid partition specified: nope\n"
            "sbatch: error: Batch job submission failed: Invalid partition name specified\n",
            slurm.SlurmError,
            "sbatch: invalid partition specified: nope; Batch job submission failed: Invalid partition name specified",
        ),
        ("sbatch: error: Invalid --time specification\n", slurm.SlurmError, "sbatch: Invalid --time specification"),
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n",
            slurm.ControllerAway,
            "sbatch: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        ),
        ("", slurm.SlurmError, "sbatch: exit code 1"),
    ],
)
def test_what_sbatch_objects_to_is_one_line(stand_in, tmp_path: Path, said: str, kind: type, text: str) -> None:
    stand_in("sbatch", err=said, code=1)
    with pytest.raises(slurm.SlurmError) as error:
        slurm.submit(tmp_path / "job")
    assert type(error.value) is kind
    assert str(error.value) == text


def test_where_there_is_no_slurm_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(slurm.SlurmError, match=r"^sbatch: there is no such program here; .*login node.*mlesearch run"):
        slurm.submit(tmp_path / "job")


def test_the_number_of_a_job_is_read_with_and_without_the_name_of_a_cluster(stand_in, tmp_path: Path) -> None:
    stand_in("sbatch", out="17;tests\n")
    assert slurm.submit(tmp_path / "job") == 17
    stand_in("sbatch", out="hello\n")
    with pytest.raises(slurm.SlurmError, match="no number of a job: 'hello'"):
        slurm.submit(tmp_path / "job")


def test_jobs_of_the_queue(stand_in) -> None:
    calls = stand_in("squeue", out="4|PENDING|a-w1\n5|RUNNING|b|w2\n")
    assert slurm.queued(["a-w1", "b|w2"]) == [
        slurm.QueuedJob(4, "a-w1", "PENDING"),
        slurm.QueuedJob(5, "b|w2", "RUNNING"),
    ]
    assert "--name=a-w1,b|w2" in calls.read_text()


def test_a_job_s_own_variables_do_not_reach_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CONF", "/etc/x")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert slurm.environment()["CUDA_VISIBLE_DEVICES"] == "3"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    found = slurm.environment()
    assert "CUDA_VISIBLE_DEVICES" not in found
    assert [name for name in found if name.startswith("SLURM_")] == ["SLURM_CONF"]


@given(st.integers(0, 40), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_a_time_of_slurm_s_is_read_in_all_its_forms(days: int, hours: int, minutes: int, seconds: int) -> None:
    whole = days * 86_400 + hours * 3600 + minutes * 60 + seconds
    assert slurm.limit_s(f"{days}-{hours:02}:{minutes:02}:{seconds:02}") == whole
    assert slurm.limit_s(f"{days}-{hours}:{minutes:02}") == whole - seconds
    assert slurm.limit_s(f"{days}-{hours}") == whole - seconds - minutes * 60
    assert slurm.limit_s(f"{hours}:{minutes:02}:{seconds:02}") == whole - days * 86_400
    assert slurm.limit_s(f"{minutes}:{seconds:02}") == minutes * 60 + seconds
    assert slurm.limit_s(f"{minutes}") == minutes * 60


@pytest.mark.parametrize("text", ["UNLIMITED", "NOT_SET", "", "12h", "-1", "1:2:3:4", "1-", "1.5"])
def test_what_is_no_time_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="no time of Slurm's; write hours:minutes:seconds"):
        slurm.limit_s(text)


def test_time_left_is_unknown_where_there_is_no_limit_or_no_answer(stand_in) -> None:
    stand_in("squeue", out="39:30\n")
    assert slurm.time_left_s(3) == 39 * 60 + 30
    stand_in("squeue", out="UNLIMITED\n")
    assert slurm.time_left_s(3) is None
    stand_in("squeue", err="slurm_load_jobs error: Unable to contact slurm controller", code=1)
    assert slurm.time_left_s(3) is None


def test_jobs_that_an_interrupted_launch_leaves_are_named(stand_in, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    told: list[str] = []
    stand_in(
        "squeue",
        out=f"1|RUNNING|{here}\n",
        times=1,
        then=f"1|RUNNING|{here}\n7|RUNNING|{here}\n9|PENDING|/elsewhere\n7|PENDING|{here}\n",
    )
    with pytest.raises(KeyboardInterrupt), slurm.naming_jobs_left(lambda: False, told.append):
        raise KeyboardInterrupt
    assert told == ["jobs of this launch are still queued or at work; this cancels them: scancel 7"]
    with slurm.naming_jobs_left(lambda: False, told.append):
        pass
    stand_in("squeue", err="squeue: error: nothing here", code=1)
    with pytest.raises(KeyboardInterrupt), slurm.naming_jobs_left(lambda: False, told.append):
        raise KeyboardInterrupt
    assert len(told) == 1


def test_a_launch_that_is_to_stop_names_the_jobs_that_wait_and_ends_after_the_last(
    stand_in, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "_LOOK_S", 0.05)
    here, told, asked = os.getcwd(), list[str](), list[bool]()
    calls = stand_in("squeue", times=1, then=f"7|RUNNING|{here}\n7|PENDING|{here}\n8|RUNNING|{here}\n")

    def lost() -> None:
        with slurm.naming_jobs_left(lambda: bool(asked), told.append):
            asked.append(True)
            assert until(lambda: bool(told), 60)
            raise ConfigError("a job was cancelled")

    with ThreadPoolExecutor(1) as pool:
        launch = pool.submit(lost)
        assert until(lambda: bool(told), 60)
        looks = calls.read_text().count("\n")
        assert until(lambda: calls.read_text().count("\n") > looks + 3, 60)
        assert not launch.done(), "jobs are at work"
        stand_in("squeue")
        assert isinstance(launch.exception(60), ConfigError)
    (line,) = told
    assert line.endswith("this cancels them: scancel --state=PENDING 7")


def test_a_launch_that_is_to_stop_ends_once_none_of_its_jobs_is_left_whatever_it_waits_for(
    stand_in, tmp_path: Path, monkeypatch
) -> None:
    """What queued them waits for accounting, which in some clusters never says that a cancelled job is over."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "_LOOK_S", 0.02)
    here, told = os.getcwd(), list[str]()
    stand_in("squeue", out=f"1|RUNNING|{here}\n", times=1, then=f"1|RUNNING|{here}\n7|PENDING|{here}\n")

    def waited_for() -> None:
        wait_for(lambda: bool(told), 60)
        stand_in("squeue", out=f"1|RUNNING|{here}\n")
        wait_for(lambda: False, 60)  # which is interrupted

    over = pytest.raises(slurm.SlurmError, match="all jobs of this launch are over")
    with over, slurm.naming_jobs_left(lambda: True, told.append):
        waited_for()
    (line,) = told
    assert line.endswith("scancel --state=PENDING 7")


def test_a_launch_none_of_whose_jobs_was_seen_waits_on(stand_in, tmp_path: Path, monkeypatch) -> None:
    """They may be over already, or not be queued yet: what the launch waits for says so itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slurm, "_LOOK_S", 0.02)
    calls = stand_in("squeue", out=f"1|RUNNING|{os.getcwd()}\n")
    with slurm.naming_jobs_left(lambda: True, lambda _line: None):
        wait_for(lambda: calls.read_text().count("\n") > 3 * slurm._GONE_LOOKS, 60)


def test_a_command_that_can_not_be_started_is_no_traceback(stand_in, tmp_path: Path, monkeypatch) -> None:
    stand_in("squeue")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with open(tmp_path / "bin/squeue", "a", encoding="utf-8"), pytest.raises(slurm.SlurmError, match="Text file busy"):
        slurm._command("squeue")
