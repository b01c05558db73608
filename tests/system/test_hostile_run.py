"""Programs that cheat, hang or sprawl, in a real run: each is a failed node with its reason, and the run goes on."""

from pathlib import Path

import pytest

import mlesearch.tasks
from mlesearch.cli.show import tree
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import (
    BudgetSettings,
    ModelSettings,
    SandboxSettings,
    Settings,
    StrategySettings,
    StudySettings,
)
from mlesearch.study.runs.execute import execute_run
from mlesearch.study.runs.fold import fold
from tests.support.waiting import until

ANSWERS = Path(mlesearch.tasks.__file__).parent / "data" / "mini" / "rentals" / "private" / "test.csv"
MARK = "hostile-run-mark"

HOSTILE = {
    "submission is a link to the answers": (
        f"import os\nos.symlink({str(ANSWERS)!r}, 'submission.csv')",
        "invalid_submission",
        "symbolic link",
    ),
    "answers by absolute path": (f"print(open({str(ANSWERS)!r}).read())", "error", "PermissionError"),
    "data set bundled with scikit-learn": (
        "from sklearn.datasets import load_digits\nprint(load_digits().target[:5])",
        "error",
        "Error",
    ),
    "imports mlesearch": (
        "import mlesearch.tasks.folder\nprint(mlesearch.tasks.folder.load('rentals'))",
        "error",
        "Error",
    ),
    "never ends": ("while True:\n    pass", "timeout", "3"),
    "forks a daemon": (
        f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        open('{MARK}', 'w').write('x')\n        time.sleep(1000)\n    os._exit(0)\nos.wait()",
        "error",
        "background process",
    ),
    "prints 1 GB": (
        "import sys\nline = 'x' * 1_000_000 + '\\n'\nfor _ in range(1000):\n    sys.stdout.write(line)\n"
        "raise SystemExit(3)",
        "error",
        "3",
    ),
}
GOOD = (
    "import pandas as pd\nsample = pd.read_csv('input/sample_submission.csv')\n"
    "sample['rent'] = pd.read_csv('input/train.csv')['rent'].median()\nsample.to_csv('submission.csv', index=False)"
)


def reply(code: str) -> str:
    return f"A plan.\n\n```python\n{code}\n```\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run whose model writes every hostile program, then a good one."""
    folder = tmp_path_factory.mktemp("hostile")
    programs = [code for code, _, _ in HOSTILE.values()] + [GOOD]
    settings = Settings(
        study=StudySettings("hostile", str(folder / "study")),
        model=ModelSettings("hostile", "scripted", params={"replies": {"draft": [reply(p) for p in programs]}}),
        strategy=StrategySettings("best_of_n", "random", review=False, params={"p_draft": 1.0}),
        budget=BudgetSettings(steps=len(programs)),
        sandbox=SandboxSettings("local", program_time_s=3.0, memory_gib=2.0),
    )
    with ProcessResources() as resources:
        (planned,) = plan([settings], resources).runs
        report = execute_run(planned, lambda: False, resources)
    assert report.status == "ok", report
    return planned.folder


@pytest.mark.parametrize("case", list(HOSTILE))
def test_it_is_a_failed_node_with_its_reason(run, case):
    f = fold(run)
    id = list(HOSTILE).index(case)
    _, status, word = HOSTILE[case]
    outcome = f.told[id]["outcome"]
    assert outcome["status"] == status, outcome
    assert word in outcome["lesson"], outcome
    assert "score" not in outcome
    assert str(ANSWERS) not in f"{outcome}"


def test_the_run_goes_on_and_selects_the_good_program(run):
    f = fold(run)
    assert f.ended is not None
    assert f.ended["selected"] == len(HOSTILE)
    assert (run / "best" / "solution.py").read_text().strip() == GOOD
    assert "background process" in tree(run)


def test_no_answer_reached_the_journal_or_a_blob(run):
    secret = ANSWERS.read_text().splitlines()[1:40]
    for path in [run / "journal.jsonl", *(run / "blobs").iterdir()]:
        text = path.read_text()
        assert sum(line in text for line in secret) == 0


def test_nothing_survives(run):
    """The daemon left a file of its own name in its working directory: nobody works in such a place any more."""
    assert until(lambda: not _in_a_scratch_folder(), 5), f"still alive: {_in_a_scratch_folder()}"


def _in_a_scratch_folder() -> list[int]:
    """Processes whose working directory holds the daemon's mark."""
    found = []
    for p in Path("/proc").iterdir():
        if p.name.isdigit():
            try:
                if (p / "cwd" / MARK).exists():
                    found.append(int(p.name))
            except OSError:
                continue
    return found
