"""`mlesearch mlebench import`: said, or kept beside a study, in one line where it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.imported import read_imported
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from tests.support.run_story import Story

SPOOKY = "spooky-author-identification"
HEAD = "model,strategy,task,seed,score,medal\n"
KEYS = [RunKey("m", "greedy", "base", SPOOKY, seed) for seed in range(2)]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "studies" / "s"
    open_study(folder, study_header("s", None))
    note_launch(folder, KEYS)
    for key in KEYS:
        Story(folder / key.id).step(0, "draft", 0.5).executed(0).ended(0).write(key, result=True)
        set_simulated(folder / key.id, False)
    return folder


def set_simulated(run: Path, simulated: bool) -> None:
    content = json.loads((run / "run.json").read_text())
    content["labels"]["simulated"] = simulated
    (run / "run.json").write_text(json.dumps(content))


def test_a_simulated_study_takes_none(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for key in KEYS:
        set_simulated(study / key.id, True)
    Path("board.csv").write_text(f"{HEAD}gpt,aide,{SPOOKY},0,0.1,gold\n")
    assert main(["mlebench", "import", "board.csv", "--into", str(study)]) == 2
    assert "is simulated, and simulated and other results may never stand in one table" in capsys.readouterr().err
    assert read_imported(study) == []


def test_results_are_said_and_nothing_is_written(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("board.csv").write_text(f"{HEAD}gpt,aide,{SPOOKY},0,0.1,gold\ngpt,aide,{SPOOKY},1,9.5,silver\n")
    before = sorted(tmp_path.rglob("*"))
    assert main(["mlebench", "import", "board.csv"]) == 0
    said = capsys.readouterr()
    assert "100.00 ± 0.00" in said.out
    assert "nothing of it was run or graded here" in said.out
    assert f"mismatch: board.csv: {SPOOKY}, seed 1: score 9.5 wins no medal" in said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_they_are_kept_beside_a_study_and_shown(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("board.csv").write_text(f"{HEAD}gpt,aide,{SPOOKY},0,0.1,gold\ngpt,aide,leaf-classification,0,,none\n")
    assert main(["mlebench", "import", "board.csv", "--into", str(study)]) == 0
    (content,) = read_imported(study)
    assert (content["name"], len(content["rows"]), content["imported"]) == ("board", 2, True)
    assert list(content["sources"]) == ["board.csv"]
    assert main(["show", str(study)]) == 0
    assert "imported board: 2 results of aide with gpt; in the report, never pooled" in capsys.readouterr().out
    assert main(["report", str(study)]) == 0
    assert "Imported results (board) stand in the report" in capsys.readouterr().out
    assert "board (imported)" in (study / "report.html").read_text()
    runs = json.loads((study / KEYS[0].id / "result.json").read_text())
    assert "imported" not in runs


def test_pooling_with_its_own_runs_is_refused_by_name(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for strategy in ("greedy", "greedy/base"):
        Path("board.csv").write_text(f"{HEAD}m,{strategy},{SPOOKY},0,0.1,gold\n")
        assert main(["mlebench", "import", "board.csv", "--into", str(study)]) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert f"model 'm' with strategy '{strategy}' is its own runs there; imported results are never pooled" in said
    assert read_imported(study) == []


def test_what_is_incomplete_is_refused_and_each_way_out_works(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = f"gpt,aide,{SPOOKY},0,0.1,gold\ngpt,aide,{SPOOKY},1,0.1,gold\ngpt,aide,leaf-classification,0,9,none\n"
    Path("board.csv").write_text(HEAD + rows)
    assert main(["mlebench", "import", "board.csv"]) == 2
    refused = capsys.readouterr().err
    assert "1 of 4 results are missing (leaf-classification, seed 1)" in refused
    assert "Traceback" not in refused
    assert main(["mlebench", "import", "board.csv", "--incomplete", "drop"]) == 0
    assert "note: gpt, aide: 1 seeds dropped" in capsys.readouterr().err
    assert main(["mlebench", "import", "board.csv", "--incomplete", "pad", "--into", str(study)]) == 0
    assert "note: gpt, aide: 1 results padded as failures" in capsys.readouterr().err
    assert [row["source"] for row in read_imported(study)[0]["rows"]].count("padded") == 1
    assert main(["mlebench", "import", "board.csv", "--tasks", SPOOKY]) == 0
    assert main(["mlebench", "import", "board.csv", "--tasks", "spoky"]) == 2


def test_an_unknown_word_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["mlebench", "import", "x.csv", "--incomplete", "dorp"])
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["mlebench", "import", "x.csv"]) == 2
    assert "x.csv: No such file" in capsys.readouterr().err
