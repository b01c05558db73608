"""`mlesearch solve` as people mistype it: each command is refused in a line that names the fault; nothing is paid."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.cli.solve import seconds
from mlesearch.testing.openai_stub import OpenAIStub
from mlesearch.types import ConfigError
from tests.support.unanswered import write_data

GOOD = "solve data --metric rmse --time 1h --out s.csv --model local --sandbox local"
REFUSED: dict[str, tuple[str, ...]] = {
    "solve": ("FOLDER", "--out", "--model", "missing"),
    "solve data --metric rmse --time 1h --out s.csv": ("--model is missing",),
    "solve data --metric rmse --time 1h --model local": ("--out is missing",),
    GOOD.replace("data", "dta"): ("dta: no such folder",),
    GOOD.replace("data", "data/train.csv"): ("data/train.csv: no such folder",),
    # metric and direction
    GOOD.replace("--metric rmse ", ""): ("--metric: it is missing", "accuracy", "--direction"),
    GOOD.replace("rmse", "rmes"): (
        "no metric is called 'rmes'",
        "did you mean",
        "'rmse'",
        "--direction maximize or minimize",
    ),
    GOOD.replace("rmse", "Log-Los"): ("no metric is called 'Log-Los'", "there are: accuracy"),
    GOOD.replace("rmse", "'pinball loss'"): ("'pinball loss'", "--direction"),
    f"{GOOD} --direction maximize": ("--direction: maximize, but RMSE is to minimize", "leave it out"),
    f"{GOOD} --direction up": ("--direction: 'up' is none", "maximize, minimize"),
    f"{GOOD} --competition spoky": ("'spoky'",),
    # data
    f"{GOOD} --description d.md": ("--description: d.md does not exist",),
    f"{GOOD} --description empty.md": ("--description: empty.md is empty",),
    f"{GOOD} --description data": ("--description: data can't be read",),
    f"{GOOD} --description latin.md": ("latin.md can't be read (no UTF-8 text)",),
    f"{GOOD} --sample sampel.csv": ("--sample: sampel.csv does not exist, here or in data",),
    f"{GOOD} --sample outside.csv": ("--sample: outside.csv lies outside data", "put a copy there"),
    GOOD.replace("data", "nosample"): ("--sample: nosample has no sample_submission.csv",),
    GOOD.replace("data", "twosamples"): ("--sample: several", "sampleSubmission.csv, sample_submission_null.csv"),
    GOOD.replace("data", "twice"): ("id must be unique, but some occur twice: 1",),
    GOOD.replace("data", "linked"): ("is a link to", "programs can't follow"),
    f"{GOOD} --modality pictures": ("--modality: 'pictures' is none", "tabular, image, text, audio"),
    f"{GOOD} --group patient": ("group_column is 'patient'", "no CSV file"),
    # limits
    GOOD.replace("--time 1h ", ""): ("--time: no limit is set", "--steps 20", "budget.cost_usd=5"),
    GOOD.replace("1h", "1day"): ("--time: '1day' is no duration", "1h30m"),
    GOOD.replace("1h", "2h30"): ("--time: '2h30' is no duration",),
    GOOD.replace("1h", "0h"): ("--time: '0h'", "more than 0"),
    GOOD.replace("1h", "-5"): ("--time",),
    f"{GOOD} --steps 0": ("--steps: 0; at least 1",),
    f"{GOOD} --steps few": ("--steps: a whole number is expected",),
    # names
    GOOD.replace("local", "lokal", 1): ("lokal", "local"),
    f"{GOOD} --strategy gredy": ("gredy", "greedy"),
    GOOD.replace("--sandbox local", "--sandbox locale"): ("locale", "local"),
    f"{GOOD} --direktion minimize": ("--direktion: mlesearch solve has no such option", "--direction"),
    f"{GOOD} more": ("more",),
    # settings that have an option, or no place here
    f"{GOOD} budget.steps=3": ("budget.steps=3: say it by --steps",),
    f"{GOOD} budget.time_s=3": ("say it by --time",),
    f"{GOOD} 'tasks=[rentals]'": ("say it by FOLDER",),
    f"{GOOD} model=sim_05": ("model=sim_05: say it by --model",),
    f"{GOOD} study.dir=x": ("say it by --study",),
    f"{GOOD} claim.treatment=gome": ("of a study of many runs",),
    f"{GOOD} variant=b": ("of a study of many runs",),
    f"{GOOD} budget.cost_usd=much": ("budget.cost_usd", "a number is expected"),
    f"{GOOD} budget.cost_us=5": ("budget.cost_us", "budget.cost_usd"),
    f"{GOOD} model.params.temperature": ("model.params.temperature",),
    f"{GOOD} sandbox.memory_gib=1,2": ("several values",),
    f"{GOOD} run.selection=revalidate": ("run.selection: revalidate",),
    GOOD.replace("--model local", "--model sim_05"): ("the simulated engineer 'sim_05' knows nothing of 'data'",),
    # places
    GOOD.replace("s.csv", "data/s.csv"): ("--out: data/s.csv lies in the data",),
    GOOD.replace("s.csv", "empty.md"): ("--out: empty.md is there already", "move it away"),
    GOOD.replace("s.csv", "nosample"): ("--out: nosample is there already",),
    GOOD.replace("s.csv", "s.py"): ("the program goes there",),
    GOOD.replace("s.csv", "/proc/s.csv"): ("--",),
    f"{GOOD} --study data/study": ("--study: data/study lies in the data",),
    f"{GOOD} --study .": ("--study: the data lie in",),
    f"{GOOD} --study taken": ("taken-task/public: this folder was not made by this command",),
    # server
    f"{GOOD} --validate localhost:5000": ("--validate: 'localhost:5000' is no URL",),
    f"{GOOD} --validate http://127.0.0.1:9/validate": ("--validate: http://127.0.0.1:9/validate: no answer",),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and odd files beside them."""
    root = tmp_path_factory.mktemp("solve")
    write_data(root / "data", rows=4)
    for name in ("nosample", "twosamples", "twice", "linked"):
        write_data(root / name, rows=4)
    (root / "nosample/sample_submission.csv").unlink()
    (root / "twosamples/sample_submission.csv").rename(root / "twosamples/sampleSubmission.csv")
    (root / "twosamples/sample_submission_null.csv").write_text("id,y\n1,0\n")
    (root / "twice/sample_submission.csv").write_text("id,y\n1,0\n1,0\n")
    (root / "linked/more").symlink_to("/etc")
    (root / "empty.md").write_text(" \n")
    (root / "latin.md").write_bytes("Größe".encode("latin-1"))
    (root / "outside.csv").write_text("id,y\n1,0\n")
    (root / "taken-task/public").mkdir(parents=True)
    return root


@pytest.fixture(scope="module")
def stub() -> Iterator[OpenAIStub]:
    """A provider that nothing may reach."""
    with OpenAIStub("never") as server:
        yield server


@pytest.mark.parametrize("line", REFUSED)
def test_an_odd_command_is_one_line_and_calls_nothing(
    line: str, place: Path, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr("mlesearch.engine.validity.PAUSE_S", 0.0)
    words = shlex.split(line)
    if "--model local" in line:
        words.append(f"model.params.api_base={stub.base_url}")
    try:
        code = main(words)
    except SystemExit as ended:  # of the parser
        code = int(str(ended.code))
    said = capsys.readouterr().err
    assert code == 2, said
    assert said.count("\n") == 1, said
    assert said.startswith("mlesearch: error: ")
    for part in REFUSED[line]:
        assert part in said, said
    assert stub.calls == 0
    assert not (place / "s.csv").exists()
    assert not list(place.glob("s-study/*/*"))


@pytest.mark.parametrize(
    ("text", "wanted_s"),
    [
        ("2h", 7200.0),
        ("90m", 5400.0),
        ("1h30m", 5400.0),
        ("1H30M5S", 5405.0),
        ("45", 45.0),
        ("0.5h", 1800.0),
        ("7s", 7.0),
    ],
)
def test_durations(text: str, wanted_s: float) -> None:
    assert seconds(text) == wanted_s


@pytest.mark.parametrize("text", ["", "h", "2 h", "1d", "1h30", "-1h", "1e3", "nan", "inf", "٣h", "1:30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--time"):
        seconds(text)
