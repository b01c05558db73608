"""Parity: the figures of MLE-bench's own aggregation, bit for bit, by an implementation of its rule of this file's own.

The rule (experiments/aggregate_grading_reports.py of openai/mle-bench): reports are read file by file in the order of
their names, and within a file by competition; seed k is made of the k-th report of every competition; without padding
there are as many seeds as the competition with fewest reports has, with padding as many as that with most, and what is
absent counts as without a medal; of the seeds' percentages the mean and scipy's standard error (ddof 1, 0 with one
seed), and the mean ± 1.96 of these.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mlesearch.analysis.page.views import medals
from mlesearch.analysis.results import analyse
from mlesearch.analysis.statistics.rates import parity
from tests.support.synthetic_study import FLAGS, lost, synthetic

MEDALS = ("gold_medal", "silver_medal", "bronze_medal")


def by_the_rule(files, competitions, *, padded=False):
    """Mean, SEM and limits of the any-medal percentage.

    Args:
        files: name of a grading report to its entries: competition, and which medal, if any.
        competitions: of the split.
        padded: whether absent reports count as without a medal.
    """
    in_order = defaultdict(list)
    for _, entries in sorted(files.items()):
        for entry in sorted(entries, key=lambda e: e["competition_id"]):
            in_order[entry["competition_id"]].append(any(entry[medal] for medal in MEDALS))
    numbers = [len(in_order[c]) for c in competitions]
    percentages = []
    for k in range(max(numbers) if padded else min(numbers)):
        won = sum(1 for c in competitions if k < len(in_order[c]) and in_order[c][k])
        percentages.append(won / len(competitions) * 100)
    mean = float(np.mean(percentages))
    sem = float(stats.sem(percentages, ddof=1)) if len(percentages) > 1 else 0.0
    return mean, sem, mean - 1.96 * sem, mean + 1.96 * sem


def report(competition, medal):
    return {"competition_id": competition} | {name: name == medal for name in MEDALS}


def random_reports(rng):
    """Grading reports of up to 6 seeds on up to 30 competitions; some lack some, every competition has one at least."""
    competitions = [f"competition-{i:02d}" for i in range(int(rng.integers(1, 31)))]
    files = {}
    for seed in range(int(rng.integers(1, 7))):
        there = [c for c in competitions if seed == 0 or rng.random() < 0.9]
        won = rng.choice([*MEDALS, ""], size=len(there), p=[0.1, 0.1, 0.2, 0.6])
        files[f"group-{seed}/grading_report.json"] = [report(c, m) for c, m in zip(there, won, strict=True)]
    return files, competitions


@pytest.mark.parametrize("number", range(50))
def test_fifty_random_report_sets_bit_for_bit(number):
    files, competitions = random_reports(np.random.default_rng([19, number]))
    lists = {c: [] for c in competitions}
    for name in sorted(files):
        for entry in files[name]:
            lists[entry["competition_id"]].append(any(entry[medal] for medal in MEDALS))
    for padded in (False, True):
        got = parity([lists[c] for c in competitions], padded)
        assert (got.mean, got.sem, got.low, got.high) == by_the_rule(files, competitions, padded=padded)


@pytest.fixture(scope="module")
def study():
    made = synthetic(models=2, strategies=("greedy", "gome"), tasks=9, seeds=4, steps=2, simulated=False)
    rng = np.random.default_rng(3)
    runs = made.runs.assign(status="ok", valid=True, **dict.fromkeys(FLAGS[1:], False))
    return replace(made, runs=runs.assign(silver=rng.random(len(runs)) < 0.45))


def files_of(runs, model, strategy):
    """The grading reports of a cell: one file a seed."""
    cell = runs[(runs["model"] == model) & (runs["strategy"] == strategy)]
    return {
        f"seed-{seed}": [
            report(t, "silver_medal" if s else "") for t, s in zip(part["task"], part["silver"], strict=True)
        ]
        for seed, part in cell.groupby("seed")
    }


def test_the_boards_parity_is_theirs_whole_and_where_seeds_are_unequal(study):
    """A complete study, one with runs that are not planned, and one whose missing runs are left out."""
    gone = np.random.default_rng(8).random(len(study.runs)) < 0.15
    gone &= (study.runs["seed"] > 0).to_numpy()
    kept = study.runs[~gone]
    for tables, runs, policy in (
        (study, study.runs, None),
        (lost(study, gone, "not_planned", "fewer seeds"), kept, None),
        (lost(study, gone, "failed"), kept, "drop_seed"),
    ):
        results = analyse(tables, policy)
        for m, model in enumerate(results.models.names):
            for a, arm in enumerate(results.arms):
                p = results.board.parity[m][a]
                theirs = by_the_rule(files_of(runs, model, arm.strategy), sorted(set(runs["task"])))
                assert (p.mean, p.sem, p.low, p.high) == theirs


def test_where_a_run_is_missing_ours_keeps_the_true_seed_and_the_page_says_so(study):
    """MLE-bench has no report of it, and moves later ones up: the same mean as with padding, another SEM."""
    gone = (study.runs["seed"] == 0) & (study.runs["task"].str[-2:].astype(int) < 6)
    tables = lost(study, gone)
    results = analyse(tables)
    differ = 0
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            p = results.board.parity[m][a]
            mean, sem, *_ = by_the_rule(
                files_of(study.runs[~gone], model, arm.strategy), sorted(set(study.runs["task"])), padded=True
            )
            assert p.mean == pytest.approx(mean, rel=1e-12)
            differ += p.sem != sem
    assert differ == 4
    note = medals(results).caption
    assert "keeps every run in its own seed" in note
    assert "moves later reports up" in note
    assert "keeps every run" not in medals(analyse(study)).caption
    assert "keeps every run" not in medals(analyse(tables, "drop_seed")).caption
