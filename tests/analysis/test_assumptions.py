"""What verdicts depend on, through whole studies: their sentences, tables and CSV."""

from dataclasses import replace

import numpy as np
import pytest

from mlesearch.analysis.page import assumptions_view
from mlesearch.analysis.results import analyse
from mlesearch.analysis.statistics.published import published_rate
from mlesearch.analysis.words import checks, wording
from mlesearch.types import ConfigError
from tests.support.synthetic_study import FLAGS, synthetic

TASKS = 24


def study(wins, models=4, category=None, seeds=3):
    """A study whose runs succeed where `wins(model, treatment, task, seed)` says so, categories by task."""
    tables = synthetic(models=models, strategies=("greedy", "gome"), tasks=TASKS, seeds=seeds, steps=1)
    runs = tables.runs.copy()
    names = sorted(set(runs["model"]))
    runs[FLAGS] = False
    runs["status"], runs["valid"] = "ok", True
    keys = zip(runs["model"], runs["strategy"], runs["task"], runs["seed"], strict=True)
    runs["bronze"] = [bool(wins(names.index(m), s == "gome", int(t[5:]), int(k))) for m, s, t, k in keys]
    if category is not None:
        runs["category"] = [category(int(task[5:])) for task in runs["task"]]
    return replace(tables, runs=runs)


def sentences(results):
    return {answer.title: answer.sentence for answer in wording.verdicts(results)}


def one_category_wins(model, treatment, task, seed):
    return treatment and task < 12


def test_a_difference_within_one_category_is_said_to_hang_on_it():
    results = analyse(study(one_category_wins, category=lambda task: f"kind {min(task // 12, 1) or 0}{task // 18}"))
    said = sentences(results)["The gap"]
    assert "has a higher any-medal rate" in said
    assert "With variances clustered by category of task (3 that weigh as much as 2.7 equal ones)" in said
    assert "a difference is not established with sim/model-01" in said
    assert "sim/model-03 and sim/model-04 hang on category kind 00: left out, they are not established." in said
    assert "task-0" not in said  # no single task does it
    views = assumptions_view.rates(results), assumptions_view.gaps(results), assumptions_view.left_out(results)
    assert [view.name for view in views] == ["rates-by-category", "gaps-checked", "left-out"]
    frames = assumptions_view.frames(results)
    assert set(frames) == {"rates_by_category", "assumptions", "left_out", "dispersion", "crossings"}
    assert set(frames["left_out"]["falls_without"]) == {"kind 00"}
    low, high = frames["rates_by_category"][["low", "high"]].to_numpy().T
    assert (results.board.e2.high.ravel() - results.board.e2.low.ravel() <= high - low + 1e-12).all()


def test_without_categories_nothing_is_said_of_them():
    results = analyse(study(one_category_wins))
    assert results.board.by_category is None
    assert results.main.assumptions.by_category is None
    assert not any("category" in said for said in sentences(results).values())
    assert assumptions_view.rates(results) is None
    assert "by category" not in " ".join(assumptions_view.gaps(results).heads)


def test_a_difference_everywhere_hangs_on_nothing():
    results = analyse(study(lambda m, treated, t, k: treated, category=lambda task: f"c{task // 4}"))
    assert all(h.holds for h in results.main.assumptions.hanging if h.verdict == "gap")
    assert "hangs" not in sentences(results)["The gap"]
    assert {row[1].text for row in assumptions_view.left_out(results).rows} == {"none"}


def test_a_skewed_low_group_is_said_to_be():
    def rescued(model, treatment, task, seed):
        if model >= 4:
            return treatment or task < 2
        return (task == 0 and treatment) if treatment else (0 < task < 12 and seed == 0)

    results = analyse(study(rescued, models=8))
    assert results.main.assumptions.low_skew.flagged
    x = results.main.crossover
    assert x.weak.p <= 0.05
    said = sentences(results)["Crossover"]
    assert "The gaps of the low group are skewed (1 tasks ahead, 11 behind, 12 level)" in said
    assert f"forecast to reject in {100 * results.main.assumptions.low_skew.level:.0f} % of studies" in said


def test_a_bad_day_is_a_warning():
    rng = np.random.default_rng(0)
    luck = rng.random((4, 2, TASKS, 3))
    plain = analyse(study(lambda m, treated, t, k: luck[m, int(treated), t, k] < 0.5))
    assert not any("Seeds differ" in said for said in checks.warnings(plain))
    hit = analyse(study(lambda m, treated, t, k: luck[m, int(treated), t, k] < 0.5 and not (k == 1 and m == 2)))
    (said,) = [said for said in checks.warnings(hit) if said.startswith("Seeds differ")]
    assert "most so seed 1 of" in said
    assert "with sim/model-03 (0.0 % of its runs," in said


def test_a_task_with_two_categories_is_refused():
    tables = study(one_category_wins, category=lambda task: "a" if task else "b")
    tables.runs.loc[tables.runs.index[0], "category"] = "c"
    with pytest.raises(ConfigError, match="has more than one category in table runs"):
        analyse(tables)


@pytest.mark.parametrize(
    ("mean", "sem", "tasks", "decimals", "seeds"),
    [
        (50.0, 0.0, 22, 1, (2, 4, 6)),  # 11 of 22 each time
        (16.9, 1.1, 75, 1, (6, 16)),
        (35.91, 1.86, 22, 2, (20,)),
    ],
)
def test_published_rates_that_can_be(mean, sem, tasks, decimals, seeds):
    got = published_rate(mean, sem, tasks, decimals)
    assert set(seeds) <= set(got.by_both)
    assert set(got.by_both) <= set(got.by_mean)
    assert got.words.startswith("possible with")


@pytest.mark.parametrize("tasks", [3, 9])
def test_published_rates_equal_enumeration(tasks):
    rng = np.random.default_rng(tasks)
    for _ in range(20):
        hits = rng.integers(0, tasks + 1, 3)
        percent = 100 * hits / tasks
        mean, sem = float(np.round(percent.mean(), 1)), float(np.round(percent.std(ddof=1) / np.sqrt(3), 1))
        assert 3 in published_rate(mean, sem, tasks).by_both
    for _ in range(40):  # any mean and SEM: what three whole numbers can give
        mean, sem = float(np.round(rng.uniform(0, 100), 1)), float(np.round(rng.uniform(0, 20), 1))
        grid = np.stack(np.meshgrid(*[np.arange(tasks + 1)] * 3), axis=-1).reshape(-1, 3) * 100 / tasks
        close = np.abs(grid.mean(1) - mean) <= 0.05 + 1e-9
        both = close & (np.abs(grid.std(axis=1, ddof=1) / np.sqrt(3) - sem) <= 0.05 + 1e-9)
        got = published_rate(mean, sem, tasks, seeds=[3])
        assert (got.by_mean, got.by_both) == ((3,) * bool(close.any()), (3,) * bool(both.any()))


def test_no_common_number_of_seeds_is_no_accusation():
    got = published_rate(8.7, 0.1, 75)
    assert got.by_both == ()
    assert got.words.startswith("no common number of seeds: unequal numbers of runs")
