"""`mlesearch submit` on a login node; programs that print what Slurm prints stand in for the cluster."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.command import MLESEARCH, cli
from tests.support.waiting import until

STUDY = ["-m", "model=sim_02,sim_05", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=2"]
STUDY += ["study.name=s", "launcher.n_jobs=2"]
LOGIN = "/usr/bin:/bin"
"""No mlesearch, no docker, no nvidia-smi."""


@pytest.fixture
def sbatch(tmp_path: Path):
    """Makes an sbatch that notes how it was called; returns the variables with which it is found."""

    def make(script: str = 'echo "$(wc -l < calls)"') -> dict[str, str]:
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / "bin" / "sbatch"
        program.write_text(f'#!/bin/sh\ncd {shlex.quote(str(tmp_path))}\necho "$*" >> calls\n{script}\n')
        program.chmod(0o755)
        return {"PATH": f"{tmp_path / 'bin'}:{LOGIN}"}

    return make


def written(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_login_node_needs_nothing_that_workers_need(sbatch, tmp_path: Path) -> None:
    """One processor of this process, twelve of a program; no docker; no GPU."""
    asked = ["sandbox=docker", "sandbox.gpus=1", "sandbox.cpu_count=12"]
    words = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *MLESEARCH, "submit", "--slurm", "--check", *STUDY]
    env = {**os.environ, **sbatch(), "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run([*words, *asked], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    later = re.findall(r"^checked on workers: ([\w.]+):", done.stdout, re.MULTILINE)
    assert {"sandbox", "sandbox.gpus", "sandbox.cpu_count"} <= set(later)
    assert "nothing was run or written (--check)" in done.stdout
    assert not (tmp_path / "studies").exists()


def test_a_login_node_queues_workers_that_have_what_it_lacks(sbatch, tmp_path: Path) -> None:
    """As above, in earnest: the list is written with the rung left open, and what is checked later is said."""
    asked = ["sandbox=docker", "sandbox.gpus=1", "sandbox.cpu_count=12", "launcher.n_jobs=1"]
    words = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *MLESEARCH, "submit", "--slurm", "--gpus", "1", *STUDY]
    env = {**os.environ, **sbatch(), "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run([*words, *asked], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    later = re.findall(r"^checked on workers: ([\w.]+):", done.stdout, re.MULTILINE)
    assert {"sandbox", "sandbox.gpus", "sandbox.cpu_count"} <= set(later)
    assert "queued 1 worker, each a chain of jobs; the first ones: 1;" in done.stdout
    script = (tmp_path / "studies" / "s" / "slurm" / "1.sbatch").read_text()
    assert "#SBATCH --cpus-per-task=12\n" in script
    assert "#SBATCH --gpus=1\n" in script
    assert not list((tmp_path / "studies/s").glob("sandboxes/*"))


def test_what_is_queued_is_named_with_the_commands_to_look_and_to_stop(sbatch, tmp_path: Path) -> None:
    asked = ["--workers", "3", "--time", "11h30m", "--partition", "gpu", "--gpus", "1", "--sbatch", "--account=lab"]
    done = cli(tmp_path, "submit", "--slurm", *asked, *STUDY, env=sbatch())
    assert done.returncode == 0, done.stderr
    assert "queued 3 workers, each a chain of jobs; the first ones: 1, 2, 3; logs in studies/s/slurm" in done.stdout
    assert re.search(r"^look: +mlesearch status studies/s$", done.stdout, re.MULTILINE)
    names = re.findall(r"--job-name=(\S+)", (tmp_path / "calls").read_text())
    assert re.search(rf"^stop: +squeue .*--name={','.join(names)} \| xargs -r scancel$", done.stdout, re.MULTILINE)
    script = (tmp_path / "studies" / "s" / "slurm" / "1.sbatch").read_text()
    for option in ("--time=11:30:00", "--partition=gpu", "--gpus=1", "--account=lab", "--cpus-per-task=2"):
        assert f"#SBATCH {option}\n" in script
    lines = (tmp_path / "studies" / "s" / "launches" / "1.jsonl").read_text().splitlines()
    assert sum(len(json.loads(line).get("seeds", ())) for line in lines) == 4

    more = cli(tmp_path, "submit", "--slurm", "studies/s", env=sbatch())
    assert more.returncode == 0, more.stderr
    assert "study s: 4 runs on its newest list" in more.stdout
    assert "queued 1 worker," in more.stdout


def test_what_sbatch_refuses_is_one_line_and_what_was_queued_is_named(sbatch, tmp_path: Path) -> None:
    refuse = 'echo "sbatch: error: invalid partition specified: gpu" >&2; exit 1'
    done = cli(tmp_path, "submit", "--slurm", "--workers", "2", *STUDY, env=sbatch(refuse))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == ["mlesearch: sbatch: invalid partition specified: gpu", "no job was queued"]

    half = f'[ "$(wc -l < calls)" -le 2 ] && echo 7 || {{ {refuse}; }}'
    done = cli(tmp_path, "submit", "--slurm", "--workers", "2", "studies/s", env=sbatch(half))
    assert done.returncode == 1
    assert "queued 1 of 2 workers" in done.stdout
    assert re.search(r"^stop: ", done.stdout, re.MULTILINE)


def test_interrupted_on_the_way_the_queued_jobs_are_named_with_the_command_that_cancels_them(sbatch, tmp_path: Path):
    env = {**os.environ, **sbatch('[ "$(wc -l < calls)" -le 1 ] && echo 7 || exec sleep 60')}
    process = subprocess.Popen(
        [*MLESEARCH, "submit", "--slurm", "--workers", "2", *STUDY],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    calls = tmp_path / "calls"
    assert until(lambda: calls.exists() and len(calls.read_text().splitlines()) == 2, 120)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "queued 1 of 2 workers" in out
    assert re.search(r"^stop: +squeue .*-w1 \| xargs -r scancel$", out, re.MULTILINE)


def test_without_slurm_the_ways_out_are_named(tmp_path: Path) -> None:
    done = cli(tmp_path, "submit", "--slurm", *STUDY, env={"PATH": "/nowhere"}, fresh=True)
    assert done.returncode == 2
    assert "--slurm: there is no sbatch on this machine" in done.stderr
    assert "mlesearch run" in done.stderr
    done = cli(tmp_path, "submit", "--slurm", "--check", *STUDY, env={"PATH": "/nowhere"}, fresh=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("--slurm: no job can be submitted from here: there is no sbatch")
    done = cli(tmp_path, "submit", *STUDY)
    assert done.returncode == 2
    assert "say where to: --slurm, or --list" in done.stderr
    assert written(tmp_path) == []


def test_a_list_is_all_that_workers_of_another_system_need(tmp_path: Path) -> None:
    done = cli(tmp_path, "submit", "--list", *STUDY, "sandbox=local", "budget.steps=1")
    assert done.returncode == 0, done.stderr
    assert "start workers: mlesearch work studies/s" in done.stdout
    assert not list(tmp_path.glob("studies/s/*/*/*/*/seed-*"))
    worked = cli(tmp_path, "work", "studies/s")
    assert worked.returncode == 0, worked.stderr
    assert len(list(tmp_path.glob("studies/s/*/*/*/*/seed-*/result.json"))) == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--slurm", "--time", "12x"], "--time: '12x' is no time of Slurm's"),
        (["--slurm", "--sbatch", "--array=3"], "--sbatch: --array=3 can't be given"),
        (["--slurm", "--workers", "0"], "--workers: 0; at least 1 is needed"),
        (["--slurm", "--list"], "can't stand with"),
        (["--slurm", "model=sim_2"], "no model is called 'sim_2'"),
    ],
)
def test_what_is_wrong_is_one_line(sbatch, tmp_path: Path, words: list[str], said: str) -> None:
    done = cli(tmp_path, "submit", *words, env=sbatch())
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "calls").exists()


def test_a_study_whose_sandbox_was_left_to_workers_is_gone_on_with(tmp_path):
    words = ["sandbox=local", "model=sim_05", "strategy=random", "tasks=[rentals]", "seeds=[0]", "budget.steps=1"]
    assert cli(tmp_path, "submit", "--list", *words, "study.name=s").returncode == 0
    done = cli(tmp_path, "work", "studies/s", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    again = cli(tmp_path, "resume", "studies/s")
    assert again.returncode == 0, again.stderr
    assert "1 run, 0 of them to do" in again.stdout
    (result,) = (tmp_path / "studies/s").rglob("result.json")
    result.unlink()
    again = cli(tmp_path, "resume", "studies/s")
    assert again.returncode == 0, again.stderr
    assert "1 run, 1 of them to do" in again.stdout
    assert result.exists()
