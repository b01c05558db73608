"""`mlesearch resume` as it is typed: what it refuses in one line, and a budget that is raised for what is left."""

import shlex
from pathlib import Path

import pytest

from mlesearch.cli.main import main, parse
from mlesearch.storage.documents import read_result, write_result
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.storage.requests import pause, why_paused
from mlesearch.study.archive.compare import compare
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.work_list.files import list_numbers, read_list
from tests.support.run_story import Story
from tests.support.virtual_runs import launch


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resume", "nowhere"], "nowhere: no study here (no study.json)"),
        (["resume", "study", "--jobs", "0"], "--jobs: 0; a number from 1 on is needed"),
        (["resume", "study", "--study-usd", "-1"], "--study-usd: -1; more than 0 is needed"),
        (["resume", "study", "--study-usd", "nan"], "--study-usd: nan; more than 0 is needed"),
        (["resume", "study", "--study-usd", "1e300"], "--study-usd: 1e+300; more than 0 is needed, and at most 1e+12"),
        (["budget", "study", "--study-usd", "1e300"], "--study-usd: 1e+300; more than 0 is needed, and at most 1e+12"),
        (["run", "budget.study_usd=1e300"], "budget.study_usd: 1e+300; at most 1e+12 is needed, or null for no limit"),
        (["resume", "study", "--study-usd", "much"], "--study-usd: a number is expected"),
        (["resume", "bare"], "no list of runs is here"),
        (["requeue", "study", "--class", "lucky"], "--class"),
        (["pause", "nowhere"], "no study here"),
        (["compare", "study", "nowhere"], "nowhere: no study and no run here"),
        (["clean", "nowhere"], "no study here"),
        (
            ["work", "studie"],
            "studie: no study here (no study.json); studies are in: bare, study (did you mean 'study'?)",
        ),
        (
            ["submit", "--list", "folder"],
            "folder: no study here (no study.json), and no experiment is called so; studies",
        ),
        (["submit", "--list", "study"], "--list: study was launched; start workers: mlesearch work study"),
        (
            ["run", "study"],
            "study: this study was launched, and its settings are kept; go on with mlesearch resume study",
        ),
    ],
)
def test_what_can_t_be_done_is_refused_in_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("study", "bare"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text('{"format": 1, "name": "s"}')
    try:
        code = main(words)
    except SystemExit as end:
        code = int(str(end.code))
    error = capsys.readouterr().err
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


def test_what_is_missing_is_done_with_the_money_that_is_named(tmp_path, monkeypatch, capsys):
    """Runs on a virtual clock, whose cells are gone: the lists of the launch have all that is needed."""
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "study"
    launch(study, 1, strategy=["random"], seeds=[0])
    for store in study.glob("*/*/*/runs.db"):
        store.unlink()
    pause(study, "a new disk")
    assert read_status(study).missing == 4
    (before,) = list_numbers(study)
    assert main(["resume", "study", "--jobs", "1"]) == 0
    said = capsys.readouterr()
    assert "4 runs, 4 of them to do" in said.out
    assert "the study was paused, and is no longer: workers begin runs again" in said.err
    assert why_paused(study) == ""
    assert read_status(study).missing == 0
    assert Path.cwd() == tmp_path
    assert list_numbers(study) == [before]
    pause(study, "a new disk")
    assert main(["resume", "study"]) == 0
    assert "nothing is left to run" in capsys.readouterr().out
    assert why_paused(study) == "", "nobody is kept waiting for nothing"
    assert main(["requeue", "study"]) == 0
    assert (
        capsys.readouterr().out
        == "nothing to try again: no run of study has failed, was set aside or waits for money\n"
    )


def test_another_budget_is_a_list_of_its_own_and_the_runs_are_the_same(tmp_path):
    from mlesearch.cli.resume import _with_budget

    study = tmp_path / "study"
    launch(study, 1, strategy=["random"], seeds=[0])
    (number,) = list_numbers(study)
    runs = read_list(study, number).runs
    raised = _with_budget(runs, 7.5)
    assert {run.settings.budget.study_usd for run in raised} == {7.5}
    assert [run.identity for run in raised] == [run.identity for run in runs]
    assert len({id(run.settings) for run in raised}) == len({id(run.settings) for run in runs})


def test_a_result_that_came_since_the_look_is_not_removed(tmp_path, monkeypatch):
    """As where a worker elsewhere tried a failed run again while this command was about to ask for that."""
    study, keys = tmp_path / "study", [RunKey("m", "greedy", "base", "t", n) for n in range(2)]
    open_study(study, study_header("s", None))
    note_launch(study, keys)
    for key in keys:
        Story(study / key.id).step(0, "draft", 0.5).executed(0).ended(0).write(key, result=True)
    good = read_result(study / keys[0].id)
    for key in keys:
        write_result(study / key.id, {"status": "failed", "reason": "no key", "real_s": 1.0})
    seen = read_status(study)
    assert seen.count("failed") == 2
    monkeypatch.setattr("mlesearch.cli.requests.read_status", lambda study: seen)
    write_result(study / keys[0].id, good)
    assert main(["requeue", str(study)]) == 0
    assert read_result(study / keys[0].id) == good
    assert read_result(study / keys[1].id) is None


def test_studies_without_a_run_are_not_called_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    key = RunKey("m", "greedy", "base", "t", 0)
    for name in ("a", "b"):
        open_study(tmp_path / name, study_header("s", None))
        note_launch(tmp_path / name, [key])
    assert main(["compare", "a", "b"]) == 1
    nothing = "a (there) and b (here): there is nothing to compare: neither has begun a run\n"
    assert capsys.readouterr().out == nothing
    assert not compare(tmp_path / "a", tmp_path / "b").same
    for name in ("a", "b"):  # planned to the folder, and stopped before their first event
        Story(tmp_path / name / key.id).write(key)
        (tmp_path / name / key.id / "journal.jsonl").write_text("")
    assert main(["compare", "a", "b"]) == 1
    assert capsys.readouterr().out == nothing
    for name in ("a", "b"):
        Story(tmp_path / name / key.id).step(0, "draft", 0.5).write(key)
    assert main(["compare", "a", "b"]) == 0
    assert "1 of 1 run in both is the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["work", "submit", "status", "resume", "compare", "pause", "requeue", "clean", "doctor"]
)
def test_help_has_examples_that_can_be_typed_and_exit_codes(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert "Exit codes: 0 " in said
    examples = [line.split("   ")[0].strip() for line in said.splitlines() if line.startswith("  mlesearch ")]
    assert len(examples) >= 2
    for example in examples:
        assert parse(shlex.split(example)[1:]).command == command
