"""What a simulated study leaves behind says that it is simulated, and none of it goes together with other results."""

from __future__ import annotations

import json
import re
import shutil
import zipfile

import pandas as pd
import pytest

import mlesearch as ml
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.layout import is_simulated
from tests.support.command import cli

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
GIVEN = {"tasks": ["rentals"], "sandbox": "local", "budget": {"steps": 2}, "cassette": "record"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of four runs of simulated engineers, really run, with its report."""
    folder = tmp_path_factory.mktemp("simulated")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    assert ml.run(study="s", model=["sim_05", "sim_09"], strategy=["greedy", "gome"], **GIVEN).complete
    ml.report("studies/s")
    patch.undo()
    return folder / "studies" / "s"


def test_documents(study):
    assert json.loads((study / "study.json").read_text())["simulated"] is True
    runs = sorted(study.glob("*/*/*/*/seed-*"))
    assert len(runs) == 4
    for run in runs:
        assert json.loads((run / "run.json").read_text())["labels"]["simulated"] is True
        assert json.loads((run / "result.json").read_text())["simulated"] is True


def test_tables(study):
    for name in ("runs", "nodes", "calls"):
        frame = pd.read_parquet(study / f"{name}.parquet")
        assert len(frame)
        assert frame["simulated"].all(), name
    kept = sorted((study / "report_tables").glob("*.csv"))
    assert len(kept) > 8
    for path in kept:
        assert path.read_text().splitlines()[0].startswith("simulated,"), path.name
        assert pd.read_csv(path)["simulated"].all(), path.name


def test_page_and_figures(study):
    page = (study / "report.html").read_text()
    assert "they are no evidence about any language model" in page
    assert '<span class="stamp sim">simulated</span>' in page
    figures = re.findall(r"<svg role.*?</svg>", page, re.DOTALL)
    assert len(figures) > 4
    for figure in figures:
        assert 'data-simulated="true"' in figure
        assert 'aria-label="Simulated: ' in figure
        assert "simulated engineers, not language models</text>" in figure


def test_what_is_printed(study):
    shown = cli(study, "show", str(next(iter(study.glob("*/*/*/*/seed-*"))))).stdout
    assert "(simulated)" in shown
    said = cli(study.parent, "report", "s").stdout
    assert "Simulated engineers, not language models: this says nothing about any language model." in said


def test_an_export_and_what_is_made_of_it(study, tmp_path):
    done = cli(tmp_path, "cassette", "export", str(study), "s.zip")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        names = file.namelist()
        assert json.loads(file.read("study/study.json"))["simulated"] is True
        of_runs = [json.loads(file.read(name)) for name in names if name.endswith("/run.json")]
        assert [run["labels"]["simulated"] for run in of_runs] == [True] * 4
    assert cli(tmp_path, "cassette", "import", "s.zip", "again").returncode == 0
    assert json.loads((tmp_path / "again" / "study.json").read_text())["simulated"] is True
    assert is_simulated(tmp_path / "again")


def test_a_launch_of_both_kinds_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    with pytest.raises(ml.ConfigError, match=r"^model: 'sim_05' is a simulated engineer and 'gpt-5' is none; "):
        ml.plan(study="x", model=["sim_05", "gpt-5"], strategy="greedy", **{**GIVEN, "cassette": "live"})


def test_a_launch_into_a_study_of_the_other_kind_is_refused_by_name(study, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.chdir(study.parents[1])
    live = {"model": "gpt-5", "strategy": "greedy", **GIVEN, "cassette": "live"}
    with pytest.raises(ml.ConfigError, match=r"are simulated, and the model 'gpt-5' is none; "):
        ml.plan(study="s", **live)
    old = tmp_path / "studies" / "old"
    shutil.copytree(study, old)
    header = json.loads((old / "study.json").read_text())
    del header["simulated"]  # as an earlier version wrote it
    (old / "study.json").write_text(json.dumps({**header, "name": "old"}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ml.ConfigError, match=r"are simulated, and the model 'gpt-5' is none; "):
        ml.plan(study="old", **live)


def test_a_simulated_launch_beside_imports_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "studies" / "x" / "imported_results"
    place.mkdir(parents=True)
    (place.parent / "study.json").write_text(
        json.dumps({"format": 1, "name": "x", "mlesearch_version": "0", "claim": None})
    )
    content = {"format": 1, "imported": True, "name": "theirs", "rows": [], "notes": [], "mismatches": []}
    (place / "theirs.json").write_text(json.dumps(content))
    with pytest.raises(ml.ConfigError, match=r"theirs was imported into .*, and the model 'sim_05' is a simulated eng"):
        ml.plan(study="x", model="sim_05", strategy="greedy", **{**GIVEN, "cassette": "live"})
