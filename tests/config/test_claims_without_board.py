"""A claim about medals is refused where there are none: no leaderboard, or no answers. One of validity is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning import plan as planning
from mlesearch.config.planning.plan import StudyPlan
from mlesearch.tasks.protocol import Validity
from mlesearch.tasks.ungraded_folder import UngradedRequest, write_ungraded
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task
from tests.support.unanswered import write_data


def without_board(root: Path) -> str:
    folder = make_task(root / "boardless")
    for name in ("leaderboard.csv", "thresholds.csv"):
        (folder / name).unlink(missing_ok=True)
    return str(folder)


def ungraded(root: Path, validity: Validity = Validity.SAMPLE) -> str:
    data = write_data(root / "live", rows=4)
    write_ungraded(UngradedRequest(data, root / "ungraded", validity, metric="rmse"))
    return str(root / "ungraded")


def planned(tasks: Sequence[str], folder: Path, outcome: str) -> StudyPlan:
    claim = {"treatment": "gome", "baseline": "greedy", "outcome": outcome}
    made = cells({"model": "local", "strategy": ["greedy", "gome"], "tasks": tasks, "sandbox": "local", "claim": claim})
    for s in made:
        s.study.dir = str(folder / "study")
    with ProcessResources() as resources:
        return planning.plan(made, resources)


@pytest.mark.parametrize("outcome", ["any_medal", "gold", "above_median"])
def test_a_claim_about_medals_needs_a_board(tmp_path: Path, outcome: str) -> None:
    with pytest.raises(ConfigError, match="no task of this launch has a leaderboard") as error:
        planned([without_board(tmp_path)], tmp_path, outcome)
    assert f"claim.outcome: {outcome}" in str(error.value)
    assert "set claim.outcome=valid, or give a task a leaderboard.csv" in str(error.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("outcome", ["any_medal", "gold", "above_median"])
def test_an_ungraded_task_has_no_place_in_a_claim_about_medals(tmp_path: Path, outcome: str) -> None:
    """Not even beside a task that has a board: its runs would never win, whatever they found."""
    for tasks in ([ungraded(tmp_path)], ["rentals", str(tmp_path / "ungraded")]):
        with pytest.raises(ConfigError, match=f"claim.outcome: {outcome}, and live is ungraded") as error:
            planned(tasks, tmp_path, outcome)
        assert "leave it out, or set claim.outcome=valid" in str(error.value)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "study").exists()


def test_validity_can_be_claimed_of_both(tmp_path: Path) -> None:
    found = planned([without_board(tmp_path), ungraded(tmp_path)], tmp_path, "valid")
    labels = {run.key.task: run.labels for run in found.runs}
    assert labels["live"].get("ungraded") is True
    assert all(label.get("no_board") is True for label in labels.values())
    assert sum("ungraded" in label for label in labels.values()) == 1
    assert planned(["rentals"], tmp_path / "other", "any_medal").runs[0].labels.get("ungraded") is None


def test_a_boardless_task_may_stand_beside_one_with_a_board(tmp_path: Path) -> None:
    assert len(planned([without_board(tmp_path), "rentals"], tmp_path, "any_medal").runs) == 4


def test_a_task_that_a_server_judges_needs_its_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a grading server says whether a submission to 'live' is valid"):
        planned([ungraded(tmp_path, Validity.SERVER)], tmp_path, "valid")
