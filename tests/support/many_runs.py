"""A study of thousands of runs in folders, soon made: a few runs that the engine carried out, under many keys.

The runs are carried out on a virtual clock, with real texts and every event of a journal, and written as a launch
with programs would leave them: run.json, journal.jsonl, grades.jsonl, result.json. Blobs are left out: nothing that
looks at a whole study reads them.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlesearch.storage import cell_store
from mlesearch.storage.columns import MEDALS
from mlesearch.storage.layout import RunKey, note_launch
from mlesearch.storage.worker_files import RunAttempt, append_attempts
from tests.support import virtual_runs

STRATEGIES = ("random", "greedy", "mcts", "gome")
SHOWN = ("run.json", "journal.jsonl", "grades.jsonl", "result.json")


@dataclass(frozen=True)
class Template:
    """A run that was carried out: its files, as text."""

    key: RunKey
    files: Mapping[str, str]

    def under(self, key: RunKey) -> dict[str, str]:
        """The same files of a run with another key."""
        run = json.loads(self.files["run.json"])
        run |= {"id": key.id, "key": key.to_json()}
        result = json.loads(self.files["result.json"])
        result |= {"run_id": key.id, **key.to_json()}
        header, _, events = self.files["journal.jsonl"].partition("\n")
        return {
            "run.json": json.dumps(run, indent=1) + "\n",
            "journal.jsonl": json.dumps({**json.loads(header), "run": key.id}) + "\n" + events,
            "grades.jsonl": self.files["grades.jsonl"],
            "result.json": json.dumps(result, indent=1) + "\n",
        }


def templates(study: Path, steps: int = 20) -> list[Template]:
    """One run of each strategy, carried out in a folder that is not there yet, and is removed."""
    given: dict[str, Any] = {"model": ["sim_05"], "tasks": ["synthetic:easy-07"], "seeds": [0]}
    virtual_runs.launch(study, 1, strategy=list(STRATEGIES), budget={"steps": steps}, **given)
    found = []
    for folder in cell_store.stored_runs(study):
        files = cell_store.files_of(folder)
        key = RunKey(**json.loads(files["run.json"])["key"])
        found.append(Template(key, {name: files[name].decode() for name in SHOWN}))
    shutil.rmtree(study)
    return sorted(found, key=lambda t: STRATEGIES.index(t.key.strategy))


def keys(models: int, tasks: int, seeds: int) -> list[RunKey]:
    """The grid of a study: so many models by four strategies by tasks by seeds."""
    return [
        RunKey(f"sim_{m:02d}", strategy, "base", f"task-{t:03d}", seed)
        for m in range(models)
        for strategy in STRATEGIES
        for t in range(tasks)
        for seed in range(seeds)
    ]


def write_run(study: Path, key: RunKey, made: Template, *, ended: bool = True) -> None:
    """Write a run's folder; one that has not ended has no result, and a journal of half the events."""
    folder = f"{study}/{key.id}"
    os.makedirs(folder, exist_ok=True)
    files = made.under(key)
    if not ended:
        del files["result.json"]
        lines = files["journal.jsonl"].splitlines(keepends=True)
        files["journal.jsonl"] = "".join(lines[: len(lines) // 2])
    for name, text in files.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def write_study(study: Path, asked: Sequence[RunKey], made: Sequence[Template], *, index_of: int = 8) -> Path:
    """A study whose runs have all ended, carried out by some workers.

    Args:
        study: a folder that is not there yet.
        asked: the grid.
        made: one template a strategy.
        index_of: how many workers' indices name the runs; 0: there is none, as in an earlier version.
    """
    study.mkdir(parents=True)
    header = {"format": 1, "name": study.name, "mlesearch_version": "0.1.0", "claim": None, "simulated": True}
    (study / "study.json").write_text(json.dumps(header), encoding="utf-8")
    note_launch(study, asked)
    of_strategy = {t.key.strategy: t for t in made}
    for key in asked:
        write_run(study, key, of_strategy[key.strategy])
    for worker in range(index_of):
        append_attempts(study, f"w{worker}", [_attempt(k, of_strategy[k.strategy]) for k in asked[worker::index_of]])
    return study


def _attempt(key: RunKey, made: Template) -> RunAttempt:
    row = json.loads(made.files["result.json"])
    flags = {name: row[name] for name in (*MEDALS, "valid", "above_median", "no_board", "simulated")}
    known = {"usd": row["cost_usd"], "steps": row["steps"], "real_s": row["real_s"]}
    return RunAttempt(key.id, "ok", host="node", worker="w", ended_s=time.time(), **flags, **known)
