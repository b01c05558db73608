"""A whole run on four stand-ins, killed, resumed and exported: MLE-bench's own command and script give our rates."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlesearch.analysis.data.tables import read
from mlesearch.analysis.results import analyse
from mlesearch.storage.documents import finished_row, read_run
from mlesearch.storage.layout import run_folders
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from tests.support.command import cli, start
from tests.support.competitions import FOUR, PIZZA, SPOOKY
from tests.support.journals import once_each
from tests.support.mlebench_real import (
    FAMOU_REPORTS,
    aggregation_script,
    golden,
    of_repository,
    real_python,
    with_boards,
)
from tests.support.waiting import until

pytestmark = pytest.mark.mlebench

PROGRAM = """
import csv, glob
(sample,) = [path for path in glob.glob("input/*.csv") if "ubmission" in path]
with open(sample, newline="") as file:
    rows = list(csv.reader(file))
known = {known!r}
if {number} // 2 % 2 and ",".join(rows[0]) in known:
    text = known[",".join(rows[0])]
else:
    rows[1][-1] = str(float(rows[1][-1]) + {number} / 1000)
    text = "".join(",".join(row) + "\\n" for row in rows)
if {number} % 7 == 0:
    text = "no,such,columns\\n1,2,3\\n"
with open("submission.csv", "w") as file:
    file.write(text)
print("validation_score: 0.{number}")
"""
"""Submits what wins gold, for two competitions and in some of the calls; else the sample with one number changed."""
PERCENTAGES = {
    "any_medal": "any_medal_percentage",
    "gold": "gold_medal_percentage",
    "above_median": "above_median_percentage",
    "valid": "valid_submissions_percentage",
}
"""Our outcomes, and what MLE-bench's script calls them."""


def programs(known: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Answer]:
    count = iter(range(1, 10**6))

    def reply(body: Mapping[str, Any]) -> Answer:
        code = PROGRAM.format(known=dict(known), number=next(count))
        return Answer(f"A plan.\n\n```python\n{code}\n```\n", 100, 100)

    return reply


def aggregated(script: Path, *words: str | Path) -> dict[str, Any]:
    """What MLE-bench's own script says."""
    done = subprocess.run([real_python(), script, *words], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.split("Average metrics across seeds:")[1])
    return found


def test_the_export_is_graded_by_the_real_command_and_aggregated_by_the_real_script(tmp_path: Path) -> None:
    golden(tmp_path)
    known = {}
    for name in (SPOOKY, PIZZA):
        text = (tmp_path / "submissions" / name / "perfect.csv").read_text()
        known[text.splitlines()[0]] = text
    official = [f"mlebench.data_dir={tmp_path / 'data'}", f"mlebench.python={real_python()}", "mlebench.verify=off"]
    with OpenAIStub(programs(known)) as stub:
        command = [
            *("run", "model=local", "strategy=greedy", "strategy.review=false", "run.audit=off", "sandbox=local"),
            *(f"model.params.api_base={stub.base_url}", "launcher.n_jobs=1", "budget.steps=2", "study.name=s"),
            *(
                "seeds=[0,1,2]",
                "cassette=record",
                "sandbox.exec_store=record",
                *official,
                f"tasks=[{','.join(f'mlebench:{name}' for name in FOUR)}]",
            ),
        ]
        killed = start(tmp_path, *command)
        assert until(lambda: stub.calls >= 7, 240)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        done = cli(tmp_path, *command, timeout_s=600)
        assert done.returncode == 0, done.stderr
    study, out = tmp_path / "studies/s", tmp_path / "out"
    once_each(study)
    assert cli(tmp_path, "report", str(study)).returncode == 0
    where = ["--data", str(tmp_path / "data"), "--python", str(real_python())]
    exported = cli(tmp_path, "mlebench", "export", str(study), "--to", str(out), *where)
    assert exported.returncode == 0, exported.stderr
    groups = sorted((out / "runs").glob("s_group*"))
    assert len(groups) == 3

    # MLE-bench's own command, on the same submissions: the same reports
    package = tmp_path / "package"
    package.mkdir()
    env = {**os.environ, "PYTHONPATH": str(with_boards(real_python(), package, FOUR))}
    for group in groups:
        (ours,) = group.glob("*_grading_report.json")
        graded = ["-m", "mlebench.cli", "grade", "--submission", str(group / "submission.jsonl"), "--output-dir"]
        place = tmp_path / "theirs" / group.name
        place.mkdir(parents=True)
        words = [str(real_python()), *graded, str(place), "--data-dir", str(tmp_path / "data")]
        assert subprocess.run(words, cwd=out, env=env, capture_output=True).returncode == 0
        (theirs,) = place.glob("*_grading_report.json")
        assert without_times(theirs) == without_times(ours)

    # its own script, on what it finds below runs/: our rates
    script = aggregation_script(out)
    found = aggregated(script, "--experiment-id", "s", "--split", out / "splits" / "s.txt")
    assert found["num_seeds_averaged"] == 3
    assert found["num_competitions_per_seed"] == len(FOUR)
    boards = {board.outcome: board.parity[0][0] for board in analyse(read(study)).boards}
    for outcome, theirs_name in PERCENTAGES.items():
        ours_rate, theirs_rate = boards[outcome], found["metrics"][theirs_name]
        assert ours_rate is not None
        assert (ours_rate.mean, ours_rate.sem) == pytest.approx((theirs_rate["mean"], theirs_rate["standard_error"]))
    assert 0 < boards["any_medal"].mean < 100  # type: ignore[union-attr]  # seen above
    assert boards["any_medal"].sem > 0  # type: ignore[union-attr]

    # and back again, beside the study's own
    taken = cli(tmp_path, "mlebench", "import", str(out / "runs"), "--into", str(study), "--strategy", "published")
    assert taken.returncode == 0, taken.stderr
    assert "mismatch" not in taken.stderr
    (content,) = read_imports(study)
    medals = sum(row["medal"] != "none" for row in content)
    rows = [row for folder in run_folders(study) if (row := finished_row(folder)) is not None]
    assert medals == sum(row["gold"] or row["silver"] or row["bronze"] for row in rows) > 0
    assert {read_run(folder)["key"]["task"] for folder in run_folders(study)} == {row["task"] for row in content}

    # with the data gone
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    (folder, *_) = run_folders(study)
    for words in (["verify", folder], ["show", folder], ["show", study], ["report", study], ["replay", study]):
        done = cli(tmp_path, *map(str, words))
        assert done.returncode == 0, (words, done.stderr)
    assert "12 of 12 runs came out the same" in done.stdout


def read_imports(study: Path) -> list[list[dict[str, Any]]]:
    return [json.loads(path.read_text())["rows"] for path in sorted((study / "imported_results").glob("*.json"))]


def without_times(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    for report in content["competition_reports"]:
        del report["created_at"]
    return content


PUBLISHED = {"lite": (62.12, 1.52), "medium": (36.84, 1.52), "high": (33.33, 0.00), "all": (43.56, 0.89)}
"""Of that agent, by MLE-bench's leaderboard: any medal in percent, and SEM."""


def test_reports_that_were_published_come_to_the_rates_that_were_published(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number, blob in enumerate(FAMOU_REPORTS, 1):
        content = of_repository(blob)
        group = runs / f"famou_group{number}"
        group.mkdir(parents=True)
        (group / f"grading_report_group_{number}.json").write_bytes(content)
    for suite, (mean, sem) in PUBLISHED.items():
        done = cli(tmp_path, "mlebench", "import", str(runs), "--tasks", suite)
        assert done.returncode == 0, done.stderr
        assert f"{mean:.2f} ± {sem:.2f}" in done.stdout
        assert "mismatch" not in done.stderr
    script = aggregation_script(tmp_path)
    (tmp_path / "all.txt").write_text(of_repository("HEAD:experiments/splits/split75.txt").decode())
    files = sorted(runs.glob("*/*.json"))
    found = aggregated(script, "--grading-reports", *files, "--split", tmp_path / "all.txt")["metrics"]
    assert np.round(found["any_medal_percentage"]["mean"], 2) == PUBLISHED["all"][0]
