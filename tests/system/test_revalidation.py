"""The final choice by fresh validation splits, from the command line."""

from __future__ import annotations

import pandas as pd

from tests.support.command import cli
from tests.support.journals import events
from tests.support.task_maker import make_task


def test_from_the_command_line(tmp_path):
    words = ["model=sim_09", "strategy=random", "tasks=[rentals]", "budget.steps=5", "run.selection=revalidate"]
    done = cli(tmp_path, "run", *words, "run.revalidate_k=2", "sandbox=local")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "studies" / "main" / "sim_09" / "random" / "base" / "rentals" / "seed-0"
    reruns = events(folder, "revalidated")
    candidates = events(folder, "closing")[0]["candidates"]
    assert len(reruns) == 2 * len(candidates) >= 2
    assert all(e["score"] is not None for e in reruns), reruns
    assert cli(tmp_path, "collect", "studies/main").returncode == 0
    runs = pd.read_parquet(tmp_path / "studies" / "main" / "runs.parquet")
    assert runs["n_executions"].tolist() == [5 + len(reruns)]
    assert runs["selected"].tolist() == [events(folder, "ended")[0]["selected"]]
    assert cli(tmp_path, "verify", str(folder)).returncode == 0
    assert f"split 1: node {candidates[0]} " in cli(tmp_path, "show", str(folder)).stdout

    make_task(tmp_path / "own", validation="reported")
    refused = cli(tmp_path, "run", "tasks=[own]", "model=local", "run.selection=revalidate")
    assert refused.returncode == 2
    assert cli(tmp_path, "run", "run.selection=revalidate", "run.revalidate_k=0").stderr.count("\n") == 1
