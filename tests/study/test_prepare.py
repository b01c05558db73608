"""A worker imports what its runs need before it forks; by that it begins no thread, which no fork would have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.task_maker import make_task

PREPARE = """
import os
import sys
import threading
from mlesearch.config.loading.compose import jobs
from mlesearch.config.planning.plan import plan
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.study.workers.work import prepare

with ProcessResources() as resources:
    cells = [cell.settings for cell in jobs(sys.argv[1:], False).jobs]
    prepare(plan(cells, resources, keys=False, on="workers").runs, resources)
print(*(name in sys.modules for name in ("pandas", "litellm", "openai.resources.chat", "sklearn.metrics")))
assert threading.enumerate() == [threading.main_thread()]
held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
assert not [path for path in held if "socket:" in path or "epoll" in path], held
if "litellm" in sys.modules:  # a client that it made here would be used by all forks at once
    kinds = {type(c).__name__ for c in sys.modules["litellm"].in_memory_llm_clients_cache.cache_dict.values()}
    assert "AsyncOpenAI" not in kinds, kinds
"""


GRADER = "from sklearn.metrics import r2_score\n\ndef grade(submission, answers):\n    return 0.0\n"


LIVE = ["model=local", "model.params.api_base=http://127.0.0.1:1/v1"]


def prepared(folder: Path, *words: str) -> str:
    command = [sys.executable, "-c", PREPARE, *words, "strategy=random", "sandbox=local"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[-2]


def test_what_simulated_runs_need_is_imported_once(tmp_path: Path) -> None:
    assert prepared(tmp_path, "model=sim_05", "tasks=[rentals]") == "True False False False"


def test_what_live_runs_and_a_grader_need_is_imported_once(tmp_path: Path) -> None:
    task = make_task(tmp_path / "own", metric="own")
    (task / "grade.py").write_text(GRADER)
    assert prepared(tmp_path, *LIVE, f"tasks=[{task}]") == "True True True True"
