"""The preflight of a launch: faults refuse it in words, warnings are told once, and what is known costs nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning import plan as planning
from mlesearch.config.planning.preflight import TaskFinding, preflight, refuse_faults
from mlesearch.config.settings import Settings, recordable
from mlesearch.tasks import check
from mlesearch.types import ConfigError, Level
from tests.support.task_maker import make_task, write_csv

GRADER = """
def grade(submission, answers):
    return float(((submission["y"] - answers["y"]) ** 2).mean() ** 0.5)
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "mlesearch" / "preflight"


def made(task: Path | str, folder: Path, **run: object) -> list[Settings]:
    found = cells({"model": "local", "strategy": "greedy", "tasks": [str(task)], "sandbox": "local"})
    for s in found:
        s.study.dir = str(folder / "study")
        for key, value in run.items():
            setattr(s.run, key, value)
    return found


def found(task: Path | str, folder: Path, **run: object) -> list[TaskFinding]:
    """What a launch finds; it is refused where it would be."""
    chosen = made(task, folder, **run)
    with ProcessResources() as resources:
        told = preflight(planning.plan(chosen, resources, keys=False), resources)
    refuse_faults(told, chosen)
    return told


def _board(*scores: float) -> Callable[[Path], None]:
    return lambda root: write_csv(root / "leaderboard.csv", "score", [str(score) for score in scores])


def _sample_medals(root: Path) -> None:
    write_csv(root / "public" / "sample_submission.csv", "id,y", [f"{i},11.0" for i in range(7, 20)])


def _in_public(root: Path) -> None:
    (root / "public" / "notes.csv").write_bytes((root / "private" / "test.csv").read_bytes())


def _by_position(root: Path) -> None:
    (root / "grade.py").write_text(GRADER)


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "answers earn no gold": (
        _board(*(n / 10 - 1 for n in range(30))),
        "the answers themselves score 0 and earn bronze",
    ),
    "board on another scale": (_board(*(n / 1000 for n in range(1, 13))), "the board is on another scale than the gr"),
    "direction wrong": (
        _board(*(n / 10 for n in range(16, 4, -1))),
        "the board runs from 1.6 to 0.5, as if the metric",
    ),
    "grader by position": (_by_position, "grade.py compares rows by position: with the rows shuffled"),
    "answers in public": (_in_public, "public/notes.csv is a copy of private/test.csv; remove it"),
    "sample that medals": (_sample_medals, " and earns silver; is the board on another scale?"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_task_refuses_the_launch_with_the_reason(tmp_path: Path, case: str) -> None:
    damage, reason = BROKEN[case]
    damage(make_task(tmp_path / "task"))
    with pytest.raises(ConfigError, match=r"run it all the same with run\.preflight=warn") as refused:
        found(tmp_path / "task", tmp_path)
    assert "\n" not in str(refused.value)
    told = found(tmp_path / "task", tmp_path, preflight="warn")
    assert any(f.finding.level is Level.ERROR and reason in str(f) for f in told), told
    assert found(tmp_path / "task", tmp_path, preflight="off") == []


def test_a_board_that_is_a_pointer_is_refused_when_the_task_is_loaded(tmp_path: Path) -> None:
    make_task(tmp_path / "task")
    (tmp_path / "task" / "leaderboard.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(ConfigError, match="a Git-LFS pointer, not the board itself; fetch it with `git lfs pull`"):
        found(tmp_path / "task", tmp_path)


def _with_a_warning(folder: Path) -> Path:
    """A task whose rows to predict lie in a file of another name."""
    root = make_task(folder / "task")
    (root / "public/test.csv").rename(root / "public/rows.csv")
    return root


def test_warnings_are_kept_by_the_version_of_the_task(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = _with_a_warning(tmp_path)
    (first,) = found(root, tmp_path)
    assert (first.known, first.finding.subject) == (False, "parts")
    (kept,) = own_cache.iterdir()
    with monkeypatch.context() as without:
        without.setattr(check, "check", None)  # it is not called again
        (second,) = found(root, tmp_path)
        assert (second.known, second.finding) == (True, first.finding)
    kept.write_text("{")
    assert [f.known for f in found(root, tmp_path)] == [False]
    (root / "description.md").write_text("Predict y, please.\n")
    assert [f.known for f in found(root, tmp_path)] == [False]
    assert len(list(own_cache.iterdir())) == 2


def test_errors_are_looked_for_again(tmp_path: Path, own_cache: Path) -> None:
    root = make_task(tmp_path / "task")
    _in_public(root)
    assert [f.known for _ in range(2) for f in found(root, tmp_path, preflight="warn")].count(True) == 0
    assert not own_cache.exists()


def test_without_a_place_for_it_each_launch_looks_again(tmp_path: Path, own_cache: Path) -> None:
    own_cache.parent.parent.write_text("a file")
    _with_a_warning(tmp_path)
    assert [f.known for _ in range(2) for f in found(tmp_path / "task", tmp_path)] == [False, False]


def test_replays_are_not_checked(tmp_path: Path) -> None:
    _in_public(make_task(tmp_path / "task"))
    chosen = made(tmp_path / "task", tmp_path)
    with ProcessResources() as resources:
        planned = planning.plan(chosen, resources, keys=False)
        assert preflight(planned, resources)
        assert preflight(replace(planned, states=dict.fromkeys(planned.states, "begun")), resources) == []
        (run,) = planned.runs
        replayed = replace(run, settings=replace(run.settings, cassette="replay"))
        assert preflight(replace(planned, runs=(replayed,)), resources) == []


def test_it_is_of_launches_and_not_of_runs(tmp_path: Path) -> None:
    (s,) = made(make_task(tmp_path / "task"), tmp_path, preflight="off")
    assert "preflight" not in recordable(s)["run"]
    with pytest.raises(ConfigError, match=r"run\.preflight: 'no'; there are: refuse, warn, off"):
        found(tmp_path / "task", tmp_path, preflight="no")
