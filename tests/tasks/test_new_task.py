"""A task's folder from a table: ten kinds of tables and more, and what is written."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.config.parts.task_prompt import first_prompt
from mlesearch.tasks import check, folder, grading
from mlesearch.tasks.new import make, pipelines, reference_program, splits
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.write import write_task
from mlesearch.tasks.protocol import MetricRules, Validation
from mlesearch.tasks.resplit import check_resplit
from mlesearch.tasks.row_sample import SampleRule, check_sample
from mlesearch.tasks.strict_metrics import STRICT
from mlesearch.types import ConfigError, Level
from tests.support.tables import ROWS, MadeTable, TableCase, cases, made_task, request_of

CASES = cases()
pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MadeTable]:
    """A folder of each table that is a task, with what mends it."""
    place = tmp_path_factory.mktemp("tables")
    return {name: made_task(case, place, mended=True) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_table_becomes_a_task_that_passes_its_preflight(made, name):
    assert [f for f in made[name].findings if f.subject != "leaderboard"] == []
    task = folder.load(made[name].place)
    sample = grading.grade_test(task, task.public_dir / folder.SAMPLE)
    assert sample.valid, sample.problem
    counts = folder.declared(made[name].place)["rows"]
    assert {part: len(pd.read_csv(task.public_dir / f"{part}.csv")) for part in counts} == counts
    check_sample(task, SampleRule(0.1, 20))
    if task.validation is Validation.HARNESS:
        check_resplit(task)  # selection by fresh splits works too


@pytest.mark.parametrize("name", CASES)
def test_a_metric_that_has_rules_of_mlebench_scores_by_them(made, name):
    task = folder.load(made[name].place)
    declared = folder.declared(made[name].place)
    assert (declared.get("metric_rules") == "mlebench") is (task.metric in STRICT)
    assert task.metric_rules is (MetricRules.MLEBENCH if task.metric in STRICT else MetricRules.PLAIN)
    words = {"auc": "predict probabilities from 0 to 1", "log_loss": "those of a row sum to 1"}.get(task.metric, "")
    assert words in task.description


def test_labels_that_are_no_whole_numbers_keep_the_plain_rules(tmp_path):
    """MLE-bench's graders refuse them as answers."""
    rows = "".join(f"{i % 7},{i % 11},{0.5 + (i % 7 > 3)}\n" for i in range(400))
    (tmp_path / "halves.csv").write_text("a,b,y\n" + rows)
    request = NewTaskRequest(tmp_path / "halves.csv", ("y",), "accuracy", tmp_path / "halves", keep=("a",))
    planned = make.plan(request)
    assert not planned.is_strict
    with make.staged(planned.request.place) as place:
        write_task(planned, place)
    assert "metric_rules" not in folder.declared(planned.request.place)


@pytest.mark.parametrize("name", CASES)
def test_the_description_says_all_that_an_agent_needs(made, name):
    task = folder.load(made[name].place)
    text = task.description
    assert f"`{task.metric}`" in text
    assert ",".join([task.id_column, *task.target_columns][:4]) in text
    train = pd.read_csv(task.public_dir / "train.csv", dtype=str)
    for column in [c for c in train if c not in task.target_columns][:5]:
        assert f"`{column}`" in text or name == "wide"
    assert len(text) < 6000
    prompt = "\n".join(message.content for message in first_prompt(task))
    assert text.strip() in prompt
    assert str(task.private_dir) not in prompt


@pytest.mark.parametrize("name", CASES)
def test_reference_pipelines_learn_something_of_every_kind_of_table(made, name, tmp_path, monkeypatch):
    """Each learner is executed on each table, here in this process, and some is better than a constant."""
    planned = made[name].planned
    task = folder.load(made[name].place)
    (tmp_path / "input").symlink_to(task.public_dir)
    monkeypatch.chdir(tmp_path)
    drawn = {team.settings["model"]: team for team in reversed(pipelines.reference_pipelines(planned, 0))}
    assert sorted(drawn) == sorted(pipelines.LEARNERS)
    scores = []
    for learner in ("linear", "tree", "neighbours") if name != "wide" else ("forest",):
        reference_program.main(dict(drawn[learner].settings))
        grade = grading.grade_test(task, Path("submission.csv"))
        assert grade.valid, grade.problem
        scores.append(grade.score)
    sample = grading.grade_test(task, task.public_dir / folder.SAMPLE).score
    assert max(task.direction.sign * s for s in scores) > task.direction.sign * sample


def test_a_reference_pipeline_is_a_program_of_its_own_and_drawn_by_the_seed(tmp_path):
    CASES["plain"].write(tmp_path)
    planned = make.plan(request_of(CASES["plain"], tmp_path))
    first = [team.program for team in pipelines.reference_pipelines(planned, 3)]
    assert first == [team.program for team in pipelines.reference_pipelines(planned, 3)]
    assert first != [team.program for team in pipelines.reference_pipelines(planned, 4)]
    assert len(set(first)) == pipelines.TEAMS
    for program in first[:3]:
        compile(program, "solution.py", "exec")


def test_equal_requests_write_equal_bytes_and_another_seed_others(tmp_path):
    case = CASES["texts"]
    case.write(tmp_path)
    request = request_of(case, tmp_path)
    written = []
    for number, seed in enumerate((5, 5, 6)):
        place = tmp_path / f"made{number}" / "texts"
        planned = make.plan(replace(request, folder=place, seed=seed))
        with make.staged(place) as staged:
            write_task(planned, staged)
        written.append({p.name: p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()})
    assert written[0] == written[1]
    assert written[0]["train.csv"] != written[2]["train.csv"]


def test_cells_stay_what_they_were(made):
    """Quotes, newlines and letters of other encodings come through; decimal commas become points."""
    task = folder.load(made["texts"].place)
    messages = pd.concat(
        pd.read_csv(task.public_dir / f"{part}.csv", keep_default_na=False)["message"]
        for part in ("train", "validation", "test")
    )
    assert len(messages) == ROWS
    assert messages.str.contains('so "called"', regex=False).any()
    assert messages.str.contains("really\nsoon", regex=False).any()
    train = pd.read_csv(made["semicolons"].place / "public" / "train.csv")
    assert set(train["Stadt"]) == {"Köln", "Zürich", "Orléans"}
    assert train["Fläche"].dtype == float
    assert 500 < train["Preis"].mean() < 1500, "1.234,56 is a thousand and some"


def test_a_time_split_tests_on_the_last_rows(made):
    task = folder.load(made["dates"].place)
    days = {
        part: pd.to_datetime(pd.read_csv(task.public_dir / f"{part}.csv")["day"], format="%d.%m.%Y")
        for part in ("train", "validation", "test")
    }
    assert days["train"].max() < days["validation"].min()
    assert days["validation"].max() < days["test"].min()
    assert days["train"].is_monotonic_increasing
    assert task.time_column == "day"
    assert task.known_issues == ()


def test_a_group_split_keeps_every_group_on_one_side(made):
    task = folder.load(made["groups"].place)
    parts = [set(pd.read_csv(task.public_dir / f"{p}.csv")["patient"]) for p in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert task.group_column == "patient"


def test_classes_become_columns_of_probabilities(made):
    task = folder.load(made["wide"].place)
    assert task.target_columns == ("species_setosa", "species_versicolor", "species_virginica")
    sample = pd.read_csv(task.public_dir / folder.SAMPLE)
    assert sample[list(task.target_columns)].sum(axis=1).sub(1).abs().max() < 1e-12
    answers = pd.read_csv(task.private_dir / "test.csv")
    assert (answers[list(task.target_columns)].sum(axis=1) == 1).all()
    assert "300 columns" in task.description


def test_two_labels_become_0_and_1_and_the_description_says_which(made, tmp_path):
    assert "1 is 'yes' and 0 is 'no'" in folder.load(made["plain"].place).description
    case = CASES["plain"]
    other = replace(case, options=(*case.options, "--positive", "no"))
    assert "1 is 'no' and 0 is 'yes'" in folder.load(made_task(other, tmp_path).place).description


def test_programs_that_report_see_all_labelled_rows(made):
    task = folder.load(made["outputs"].place)
    assert task.validation is Validation.REPORTED
    assert not (task.public_dir / "validation.csv").exists()
    assert not (task.private_dir / "validation.csv").exists()
    assert task.id_column == "key"
    assert task.target_columns == ("gap", "energy")


def test_what_a_task_was_made_by_is_declared(made):
    declared = folder.declared(made["semicolons"].place)
    assert declared["made_by"]["seed"] == 0
    assert declared["made_by"]["pandas"] == pd.__version__
    assert "Latin-1" in declared["made_by"]["read_as"]
    assert "semicolons" in declared["made_by"]["read_as"]
    assert len(declared["made_by"]["from_sha256"]) == 64
    assert len(declared["sha256"]) == 6


def test_some_repeated_rows_are_told(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)).round(4), columns=["a", "b", "y"])
    pd.concat([frame, frame.head(6)]).to_csv(tmp_path / "some.csv", index=False)
    planned = make.plan(NewTaskRequest(tmp_path / "some.csv", ("y",), "rmse", folder=tmp_path / "task"))
    assert any("stand among the training rows too" in note for note in planned.notes)


shares = st.tuples(st.floats(0.1, 0.5), st.sampled_from([0.0, 0.1, 0.2, 0.4]))


@given(rows=st.integers(60, 300), classes=st.integers(1, 8), shares=shares, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_a_random_split_has_every_class_in_every_part_in_its_share(rows, classes, shares, seed):
    labels = np.arange(rows) % classes
    sizes = splits.SplitSizes(rows, *shares)
    where = splits.at_random(sizes, labels, seed)
    assert (where == splits.at_random(sizes, labels, seed)).all()
    for part, share in enumerate(sizes.parts):
        own = where == part
        if share == 0:
            assert not own.any()
            continue
        assert set(labels[own]) == set(labels)
        for label in range(classes):
            number = (labels == label).sum()
            assert abs((labels[own] == label).sum() - share * number) <= max(2, classes)


@given(groups=st.integers(6, 40), rows=st.integers(100, 300), shares=shares, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=25)
def test_no_group_is_on_two_sides(groups, rows, shares, seed):
    rng = np.random.default_rng(seed)
    of = np.concatenate([np.arange(groups), rng.integers(0, groups, rows - groups)])
    where = splits.by_groups(splits.SplitSizes(rows, *shares), of, None, seed, "g", everywhere=False)
    assert all(len(set(where[of == group])) == 1 for group in range(groups))
    assert set(where) == {0, 2} | ({1} if shares[1] else set())


@given(distinct=st.integers(10, 400), shares=shares, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_later_parts_are_later_and_equal_times_stay_together(distinct, shares, seed):
    times = np.random.default_rng(seed).integers(0, distinct, 400).astype(float)
    try:
        where = splits.by_time(splits.SplitSizes(400, *shares), times, "t")
    except ConfigError:
        assert distinct < 40, "many times can always be split"
        return
    parts = [times[where == part] for part in sorted(set(where))]
    for earlier, later in itertools.pairwise(parts):
        assert earlier.max() < later.min()


def test_a_preflight_that_fails_says_why(made, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(made["plain"].place, broken)
    shutil.copy(broken / "private" / "test.csv", broken / "public" / "extra.csv")
    with pytest.raises(ConfigError, match="would not pass its preflight: error"):
        make.preflight(broken)
    assert any(f.level is Level.ERROR for f in check.check(broken))


def test_all_kinds_of_the_bar_are_among_the_tables():
    assert len(CASES) >= 10
    assert all(isinstance(case, TableCase) for case in CASES.values())
