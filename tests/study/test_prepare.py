"""A worker imports what its runs need before it forks, and begins no thread by that, which no fork would have."""

import subprocess
import sys

import pytest

PREPARE = """
import sys
import threading
from mlesearch.config.loading.compose import jobs
from mlesearch.config.planning.plan import plan
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.study.workers.work import prepare

with ProcessResources() as resources:
    cells = [cell.settings for cell in jobs(sys.argv[1:], False).jobs]
    prepare(plan(cells, resources, keys=False, on="workers").runs, resources)
print("litellm" in sys.modules, "openai.resources.chat" in sys.modules, "sklearn.metrics" in sys.modules)
assert threading.enumerate() == [threading.main_thread()]
"""


@pytest.mark.parametrize(
    ("words", "imported"),
    [
        (["model=local", "model.params.api_base=http://127.0.0.1:1/v1"], "True True True"),
        (["model=sim_05"], "False False True"),
    ],
)
def test_what_runs_need_is_imported_once(tmp_path, words, imported):
    command = [sys.executable, "-c", PREPARE, *words, "strategy=random", "tasks=[rentals]", "sandbox=local"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == imported
