"""Synthetic tasks: worlds with the stated variances, and folders that every check passes."""

import hashlib
import itertools
import json
import math
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks.check import check
from mlesearch.tasks.folder import load
from mlesearch.tasks.grading import grade_test, score_validation
from mlesearch.tasks.protocol import Medal
from mlesearch.tasks.synthetic import names, scoring
from mlesearch.tasks.synthetic.catalogue import QUESTIONS
from mlesearch.tasks.synthetic.folder import SyntheticSource, contents
from mlesearch.tasks.synthetic.names import DIFFICULTIES, expanded, tasks
from mlesearch.tasks.synthetic.outline import outline
from mlesearch.tasks.synthetic.world import world
from mlesearch.types import ConfigError, Direction

SAMPLE = ("easy-01", "easy-13", "medium-04", "medium-25", "hard-02", "hard-17")

GOLDEN = "0a87e58d9e84e51b9b69662de175aa3cad9bd72e0588fc47211c80467f8ee761"
"""sha256 over the effects of all worlds: the same on every machine, and changed by a change of version alone."""


def drawn(name: str, count: int, seed: int = 0) -> list[tuple[int, ...]]:
    rng = random.Random(seed)
    return [tuple(rng.randrange(len(effects)) for effects in world(name).mains) for _ in range(count)]


# ------------------------------------------------------------------------------------------------------- worlds


def test_there_are_75_tasks_in_three_difficulties():
    assert Counter(name.partition("-")[0] for name in tasks()) == {"easy": 25, "medium": 25, "hard": 25}
    for name in tasks():
        known = outline(name)
        assert len(known.questions) == {"easy": 18, "medium": 21, "hard": 24}[name.partition("-")[0]]
        assert list(known.questions) == sorted(known.questions, key=QUESTIONS.index)
    assert {outline(name).direction for name in tasks()} == set(Direction)
    assert len({outline(name).questions for name in tasks("easy")}) == 25


def test_the_worlds_are_the_same_on_every_machine():
    effects = [[w.mains, sorted(w.pairs.items()), w.logs, w.direction.value] for w in map(world, tasks())]
    assert hashlib.sha256(json.dumps(effects).encode()).hexdigest() == GOLDEN


@pytest.mark.parametrize("name", tasks())
def test_quality_has_mean_0_and_variance_1_with_the_stated_epistasis(name):
    """Exactly, over all pipelines: main effects are centred, those of pairs in both directions, so variances add up."""
    w = world(name)
    for effects in w.mains:
        assert sum(effects) == pytest.approx(0.0, abs=1e-7)
    for table in w.pairs.values():
        rows = np.array(table)
        assert rows.sum(axis=0) == pytest.approx(0.0, abs=1e-7)
        assert rows.sum(axis=1) == pytest.approx(0.0, abs=1e-7)
    single = sum(np.mean(np.square(effects)) for effects in w.mains)
    joint = sum(np.mean(np.square(table)) for table in w.pairs.values())
    assert single + joint == pytest.approx(1.0, abs=1e-6)
    assert joint == pytest.approx(outline(name).difficulty.epistasis, abs=1e-6)
    assert len(w.pairs) < 0.2 * math.comb(len(w.questions), 2)


def test_the_mean_and_variance_of_drawn_pipelines_agree():
    """4 standard errors of 4,000 draws."""
    qualities = [world("hard-02").quality(levels) for levels in drawn("hard-02", 4000)]
    assert np.mean(qualities) == pytest.approx(0.0, abs=4 / math.sqrt(4000))
    assert np.var(qualities) == pytest.approx(1.0, abs=4 * math.sqrt(2 / 4000))


@given(st.sampled_from(SAMPLE), st.integers(0, 2**32))
def test_gains_are_differences_of_quality(name, seed):
    w, (levels,) = world(name), drawn(name, 1, seed)
    steps = w.steps(levels)
    assert len(steps) == len(set(steps)) == sum(len(effects) - 1 for effects in w.mains)
    after = [(*levels[:choice], option, *levels[choice + 1 :]) for choice, option in steps]
    expected = [w.quality(there) - w.quality(levels) for there in after]
    assert w.gains(levels) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", SAMPLE)
def test_scores_rise_with_quality_in_the_tasks_direction(name):
    w = world(name)
    ranked = sorted(drawn(name, 60), key=w.quality)
    worth = [w.direction.sign * w.scores(levels).test for levels in ranked]
    assert worth == sorted(worth)
    assert all(w.scores(levels).test > 0 for levels in ranked)


@pytest.mark.parametrize("name", ["easy-01", "hard-02"])
def test_the_validation_bias_is_frozen_and_the_noise_belongs_to_the_random_state(name):
    w, difficulty = world(name), outline(name).difficulty

    def error(levels: tuple[int, ...], state: int) -> float:
        """What validation adds to quality, by inverting the score."""
        score = w.scores(levels, state).validation
        seen = math.log(score / (1 - score)) / 0.4 if w.direction is Direction.MAXIMIZE else -4 * math.log(score)
        return seen - w.quality(levels)

    some = drawn(name, 400)
    assert [w.scores(levels, 5) for levels in some] == [w.scores(levels, 5) for levels in some]
    assert {w.scores(levels, 5).test for levels in some} == {w.scores(levels, 6).test for levels in some}
    errors = np.array([[error(levels, state) for state in range(12)] for levels in some])
    assert errors.mean(axis=1).std() == pytest.approx(
        math.sqrt(difficulty.bias_sd**2 + difficulty.noise_sd**2 / 12), rel=0.15
    )
    assert (errors - errors.mean(axis=1, keepdims=True)).std() == pytest.approx(
        difficulty.noise_sd * math.sqrt(11 / 12), rel=0.1
    )


@pytest.mark.parametrize("name", SAMPLE)
def test_there_are_local_optima_and_the_best_pipeline_is_one(name):
    w = world(name)
    best = w.best()
    assert max(w.gains(best)) <= 0.0
    ends = [w._ascent(levels) for levels in drawn(name, 40)]
    assert all(w.quality(end) <= w.quality(best) for end in ends)
    assert len(set(ends)) > 3


@pytest.mark.parametrize("name", SAMPLE)
def test_run_times_differ_and_fit_under_a_minute_mostly(name):
    seconds = [world(name).scores(levels).seconds for levels in drawn(name, 300)]
    assert 5 < np.median(seconds) < 50
    assert np.std(np.log(seconds)) > 0.3


# ------------------------------------------------------------------------------------------------------ folders


@pytest.mark.parametrize("name", SAMPLE)
def test_a_folder_passes_the_preflight(name):
    assert check(load(f"synthetic:{name}")) == []


@pytest.mark.parametrize("name", SAMPLE)
def test_the_graders_scores_are_those_of_the_world(name, tmp_path):
    task, w = load(f"synthetic:{name}"), world(name)
    assert (task.id, task.suite, task.direction) == (f"synthetic-{name}", "synthetic", w.direction)
    for i, levels in enumerate(drawn(name, 5)):
        state = 100 * i
        path = tmp_path / f"{i}.csv"
        given = [(scoring.ids(w, split), (*levels, state)) for split in scoring.SPLITS]
        rows = [f"{id},{level}" for ids, values in given for id, level in zip(ids, values, strict=True)]
        path.write_text("id,level\n" + "\n".join(rows))
        expected = w.scores(levels, state)
        assert score_validation(task, path).score == expected.validation
        assert grade_test(task, path).score == round(expected.test, 5)


@pytest.mark.parametrize(("level", "words"), [("9", "is 9; expected a whole number from 0 to"), ("0.5", "is 0.5")])
def test_a_level_that_is_none_makes_a_submission_invalid(level, words, tmp_path):
    task, w = load("synthetic:easy-01"), world("easy-01")
    ids = [id for split in scoring.SPLITS for id in scoring.ids(w, split)]
    path = tmp_path / "submission.csv"
    path.write_text("id,level\n" + "\n".join(f"{id},{level if i == 0 else 0}" for i, id in enumerate(ids)))
    scored = score_validation(task, path)
    assert scored.score is None
    assert words in scored.problem


def test_rows_of_another_task_are_refused():
    with pytest.raises(ValueError, match="expected the rows"):
        scoring.score("easy-01", [("test-nothing", 0.0)])
    with pytest.raises(ValueError, match="expected the rows"):
        scoring.score("easy-01", [])


@pytest.mark.parametrize("name", SAMPLE)
def test_medals_are_neither_given_away_nor_out_of_reach(name):
    task, w = load(f"synthetic:{name}"), world(name)
    sign = w.direction.sign
    four = [sign * getattr(task.thresholds, t) for t in ("gold", "silver", "bronze", "median")]
    assert four == sorted(four, reverse=True)
    assert len(set(four)) == 4
    assert sign * round(w.scores(w.best()).test, 5) >= four[0]
    assert sign * w.scores(w.baseline).test < four[2]
    won = 0
    for i in range(200):
        tried = drawn(name, 12, i)
        found = max(tried, key=lambda levels: sign * w.scores(levels).validation)
        won += sign * w.scores(found).test >= four[2]
    assert won / 200 <= 0.4


def test_a_folder_is_written_once_and_whole_by_whoever_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(SyntheticSource().folder, ["easy-02"] * 8))
    (place,) = places
    assert {path.name for path in place.parent.iterdir()} == {"easy-02"}
    for name, text in contents("easy-02").items():
        assert (place / name).read_text(encoding="utf-8") == text
    before = load("synthetic:easy-02").version
    assert load("synthetic:easy-02").version == before


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path, monkeypatch):
    (tmp_path / "mlesearch").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="the task's folder can't be written: ") as caught:
        SyntheticSource().folder("easy-01")
    assert "\n" not in str(caught.value)


def test_names_and_suites():
    assert expanded(["rentals", "rentals"]) == ["rentals", "rentals"]
    assert expanded(["synthetic:hard-03", "rentals"]) == ["synthetic:hard-03", "rentals"]
    assert expanded(["rentals", "synthetic:easy", "synthetic:easy-02"]) == [
        "rentals",
        *(f"synthetic:easy-{i:02d}" for i in range(1, 26)),
    ]
    assert len(expanded(["synthetic:all"])) == 75
    with pytest.raises(ConfigError, match=r"no synthetic task or suite 'medum'.*medium.*easy-01 to hard-25"):
        expanded(["synthetic:medum"])
    with pytest.raises(ConfigError, match="synthetic has no task"):
        load("synthetic:easy-26")
    assert set(DIFFICULTIES) == {name.partition("-")[0] for name in tasks()}
    assert names.PREFIX == "synthetic:"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_words_are_plain(question):
    assert question.problem.endswith(".")
    assert 2 <= len(question.options) <= 4
    assert all(name.isidentifier() and not why.endswith(".") for name, why in question.options)
    assert len({name for name, _ in question.options}) == len(question.options)


def test_no_two_questions_have_one_name():
    assert all(a.name != b.name for a, b in itertools.combinations(QUESTIONS, 2))


def test_a_medal_is_won_by_the_answers_alone(tmp_path):
    task = load("synthetic:medium-04")
    path = tmp_path / "submission.csv"
    path.write_text((task.public_dir / "sample_submission.csv").read_text())
    assert grade_test(task, path).medal is Medal.NONE
    path.write_text((task.private_dir / "test.csv").read_text())
    assert grade_test(task, path).medal is Medal.GOLD
