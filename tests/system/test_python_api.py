"""The Python interface and the command line go on with each other's runs; its page, run as it is; its types."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

import mlesearch as ml
from mlesearch.sandbox.inside import landlock
from mlesearch.study import api
from mlesearch.study.runs.execute import ReportStatus, RunReport
from tests.support import documented
from tests.support.command import cli
from tests.support.paths import ROOT

needs_local = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


@needs_local
def test_either_goes_on_with_what_the_other_began(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"study": "x", "model": "sim_05", "tasks": ["rentals"], "sandbox": "local", "budget": {"steps": 2}}
    launch = ml.run(strategy="greedy", **given)
    assert launch == api.LaunchReport(
        tmp_path / "studies" / "x", (RunReport("sim_05/greedy/base/rentals/seed-0", "ok"),)
    )
    assert launch.complete
    before = sorted(Path("studies/x").rglob("*"))
    assert len(ml.read("studies/x").nodes) == 2
    assert sorted(Path("studies/x").rglob("*")) == before
    words = ["study.name=x", "model=sim_05", "tasks=[rentals]", "sandbox=local", "budget.steps=2"]
    done = cli(tmp_path, "run", "-m", *words, "strategy=greedy,random")
    assert "2 runs, 1 of them finished" in done.stdout, done.stderr
    both = ml.run(strategy=["greedy", "random"], **given)
    assert [run.status for run in both.runs] == ["skipped", "skipped"]
    assert set(ml.plan(strategy=["greedy", "random"], **given).states.values()) == {"finished"}

    study = ml.read("studies/x")
    assert study.header == json.loads(Path("studies/x/study.json").read_text())
    assert list(study.runs["strategy"]) == ["greedy", "random"]
    assert ml.report("studies/x", "here.html") == Path("here.html")
    assert "<html" in Path("here.html").read_text()
    found = ml.results("studies/x")
    assert set(found["rates"]["strategy"]) == {"greedy", "random"}
    assert {"gaps", "measures", "process"} <= set(found)
    pd.testing.assert_frame_equal(pd.read_parquet("studies/x/runs.parquet"), study.runs)


@needs_local
def test_what_costs_too_much_is_refused_until_it_is_confirmed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    given = {"model": "gpt-5", "strategy": "greedy", "sandbox": "local", "budget": {"steps": 50, "confirm_usd": 0.01}}
    with pytest.raises(ml.ConfigError, match=r"^budget\.confirm_usd: this launch is estimated to cost USD \d") as error:
        ml.run(**given)
    assert "confirmed=True" in str(error.value)
    assert list(tmp_path.iterdir()) == []
    assert ml.estimate(**given).exceeds(0.01)
    assert not ml.estimate(**given).exceeds(None)


@needs_local
def test_the_page_runs_as_it_is(tmp_path):
    program = "\n".join(documented.blocks("python_api.md", "python"))
    (tmp_path / "page.py").write_text(program)
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].endswith("studies/first ['ok', 'ok', 'ok', 'ok']")
    assert said[1] == f"2 runs in {tmp_path}/studies/drafts ['new', 'new']"
    assert said[2].startswith("strategy: no strategy is called 'gredy' (did you mean 'greedy'?)")
    assert said[4].startswith("first 12 programs, ")
    assert said[-1].endswith("True studies/kept-replay")
    assert "hydra" not in program


def test_hydra_is_not_imported(tmp_path):
    code = "import sys, mlesearch as ml; ml.settings(); print([m for m in sys.modules if m.startswith('hydra')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_type_checker_knows_what_it_offers(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(
        "import mlesearch as ml\n"
        "launch = ml.run(model='sim_05', strategy=['greedy', 'gome'], seeds=range(3), budget={'steps': 4})\n"
        "reveal_type(launch.runs[0].status)\n"
        "reveal_type(ml.read('x').runs)\n"
        "ml.run(seed=[0])\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    env = {**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([*mypy, "user.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    status, table = re.findall(r'Revealed type is "([^"]+)"', done.stdout)
    assert set(re.findall(r"Literal\['(\w+)'\]", status)) == set(get_args(ReportStatus)), done.stdout + done.stderr
    assert table.rpartition(".")[2] == "DataFrame", done.stdout + done.stderr
    assert 'user.py:5: error: Unexpected keyword argument "seed" for "run"' in done.stdout


def test_what_it_offers_is_listed():
    assert set(ml.__all__) <= {*dir(ml), "__version__"}
    assert all(getattr(ml, name) is not None for name in ml.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        ml.rum  # noqa: B018  # that it can't be had is what is tested
