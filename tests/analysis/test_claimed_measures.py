"""Claims about a measure: the same verdicts as of medals, in points, with bounds, words and refusals of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.data.tables import Tables, read
from mlesearch.analysis.frames import frames
from mlesearch.analysis.page import contrasts_view
from mlesearch.analysis.planning.sequential import plan_of
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import Results, analyse
from mlesearch.analysis.statistics.gaps import MEASURE_FLIPS, paired_gap
from mlesearch.analysis.words.checks import warnings
from mlesearch.analysis.words.wording import declaration, verdicts
from mlesearch.cli.power import _piloted
from mlesearch.storage.claim import CLAIMABLE, OUTCOMES, outcome_problem
from mlesearch.storage.claimed_measures import MEASURE_NAMES, MEASURE_RANGES, MEASURES
from mlesearch.storage.columns import MEDALS
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.large_study import Shape, large
from tests.support.synthetic_study import lost, synthetic, write

KINDS = ("percentile", "normalised_improvement", "auc_tokens", "to_bronze_time_s")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    shape = Shape(models=4, tasks=18, seeds=2, steps=8)
    return read(write(large(shape), tmp_path_factory.mktemp("claimed")))


def about(tables: Tables, outcome: str, **more: object) -> Tables:
    claim = dict(tables.study["claim"]) | {"outcome": outcome, "capability": True} | more
    return replace(tables, study=dict(tables.study) | {"claim": claim})


def said(results: Results, title: str) -> str:
    return next(v.sentence for v in verdicts(results) if v.title == title)


def natural(results: Results) -> np.ndarray:
    """The measure's own gaps by model, so that more is better and times are shares of the common budget."""
    main = results.main
    own = [
        g
        for g in results.measured.gaps
        if g.measure == results.outcome and g.model and g.treatment == main.treatment.label
    ]
    scale = -1.0 / own[0].limit if results.outcome.startswith("to_") else 1.0
    by_model = {g.model: scale * g.gap for g in own}
    return np.array([by_model[name] for name in results.models.names])


@pytest.mark.parametrize("outcome", KINDS)
def test_gaps_trend_and_crossover_are_those_of_the_measure(study: Tables, outcome: str) -> None:
    """Of each model the gap of measures.csv and scipy's t over tasks; of the trend scipy's t of the tasks' slopes."""
    results = analyse(about(study, outcome))
    main = results.main
    assert main.confirmatory
    assert results.outcome == results.board.outcome == outcome
    np.testing.assert_allclose([g.gap for g in main.gaps], natural(results), atol=1e-12)
    for gap, d in zip(main.gaps, main.by_task, strict=True):
        if gap.method == "t over tasks":
            assert gap.p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=1e-9)
            assert (gap.low, gap.high) == pytest.approx(stats.ttest_1samp(d, 0).confidence_interval(), rel=1e-9)
        else:
            assert gap.informative <= MEASURE_FLIPS
    c = results.models.capability - results.models.capability.mean()
    slopes = c @ main.by_task / (c @ c)
    assert main.slope.p_tasks == pytest.approx(stats.ttest_1samp(slopes, 0, alternative="greater").pvalue)
    assert main.odds is None
    low = main.by_task[[results.models.names.index(m) for m in main.crossover.weak.models]].mean(axis=0)
    assert main.crossover.weak.p == pytest.approx(stats.ttest_1samp(low, 0, alternative="less").pvalue)
    assert main.family is not None


def test_cells_have_means_with_t_intervals(study: Tables) -> None:
    results = analyse(about(study, "percentile"))
    runs = study.runs
    own = runs[(runs["model"] == results.models.names[0]) & (runs["strategy"] == "gome")]
    by_task = own["percentile"].fillna(0.0).groupby(own["task"]).mean().to_numpy(dtype=float)
    place = [arm.label for arm in results.arms].index("gome")
    assert results.board.e2.rate[0, place] == pytest.approx(by_task.mean(), rel=1e-12)
    limits = stats.ttest_1samp(by_task, 0).confidence_interval()
    assert results.board.e2.low[0, place] == pytest.approx(max(0.0, limits.low))
    assert results.board.e2.high[0, place] == pytest.approx(min(1.0, limits.high))
    frame = frames(results)["claimed_measure"]
    assert len(frame) == 4 * len(results.arms)
    assert frame["mean"].tolist() == results.board.e2.rate.ravel().tolist()


def test_few_tasks_that_differ_are_tested_by_their_signs() -> None:
    """Six tasks of twelve differ, all in one direction: 2^(1 - 6), whatever their sizes; t would say .004."""
    gains = np.array([0.3, 0.1, 0.25, 0.4, 0.2, 0.15, 0, 0, 0, 0, 0, 0])
    hits = np.stack((0.5 + gains, np.full(12, 0.5)))
    found = paired_gap(hits, np.ones((2, 12), dtype=int))
    assert (found.p, found.method, found.informative) == (2.0**-5, "exact sign-flip", 6)
    assert found.gap == pytest.approx(gains.mean(), rel=1e-15)
    assert paired_gap(hits, np.ones((2, 12), dtype=int), mid_p=True).p == 2.0**-6
    many = np.stack((np.linspace(0.4, 0.8, 15), np.full(15, 0.5)))
    assert paired_gap(many, np.ones((2, 15), dtype=int)).p == pytest.approx(stats.ttest_1samp(many[0] - 0.5, 0).pvalue)


@pytest.mark.parametrize("outcome", KINDS)
def test_runs_without_a_result_are_bounded_by_the_range(study: Tables, outcome: str) -> None:
    """The four cases against sums by hand; the worst takes the ends of the measure's range, and none is beyond it."""
    rows = pd.Series(study.runs.index % 11 == 3, index=study.runs.index)
    results = analyse(about(lost(study, rows), outcome))
    cases = {case.name: case.found for case in results.lost_cases}
    assert list(cases) == ["failed", "left out", "worst case", "best case"]
    low, high = MEASURE_RANGES[outcome]
    planned, arms = results.board.counts, [arm.label for arm in results.arms]
    own, other = arms.index("gome"), arms.index("greedy")

    def mean(sums: np.ndarray) -> np.ndarray:
        return (sums / planned.counts).mean(axis=-1)

    least, most = mean(planned.hits + low * planned.lost), mean(planned.hits + high * planned.lost)
    worst = [gap.gap for gap in cases["worst case"].gaps]
    np.testing.assert_allclose(worst, least[:, own] - most[:, other], atol=1e-12)
    np.testing.assert_allclose([g.gap for g in cases["best case"].gaps], most[:, own] - least[:, other], atol=1e-12)
    np.testing.assert_allclose([g.least for g in results.main.gaps], worst, atol=1e-12)
    assert all(w <= f.gap for w, f in zip(worst, cases["failed"].gaps, strict=True))
    assert planned.lost[:, own].any()
    assert "hangs on the runs without a result" in said(results, "The runs") or "is the same" in said(
        results, "The runs"
    )
    assert analyse(about(lost(study, rows), outcome), "drop_seed").main.gaps[0].gap == pytest.approx(
        cases["left out"].gaps[0].gap, abs=1e-12
    )


def test_what_a_failed_run_had_found_counts_for_nothing(study: Tables) -> None:
    """Its programs stand in the table of nodes; an area or a time of them would be a result that it has not."""
    gone = pd.Series(study.runs.index == study.runs.index[0], index=study.runs.index)
    failed = replace(study, runs=lost(study, gone).runs)
    assert failed.nodes["run_id"].eq(study.runs["run_id"].iloc[0]).any()
    values = {m.key: m for m in analyse(failed).measured.measures}
    for key, measure in values.items():
        worst = measure.limit if key.startswith("to_") else 0.0
        assert measure.values[0] == worst, key


def test_sentences_can_be_quoted_alone(study: Tables) -> None:
    results = analyse(about(study, "to_bronze_time_s"))
    for title in ("The gap", "Capability", "Crossover"):
        text = said(results, title)
        assert text.startswith("Confirmatory, in simulation, on tasks like these (E2, n = 18 tasks, 2 seeds each): ")
    gap = said(results, "The gap")
    assert "share of the common budget of charged time left when a run reaches bronze" in gap
    assert (
        "The measure (0 for a run that does not reach it) goes from 0 to 100 points, more is better; the common" in gap
    )
    assert "charged time, s)" in gap
    assert "log odds" not in said(results, "Capability")
    assert "scale of rates" not in said(results, "Capability")
    assert "goes from −100 to 100 points" in said(analyse(about(study, "normalised_improvement")), "The gap")


def test_the_page_and_its_files_are_about_the_measure(study: Tables, tmp_path: Path) -> None:
    folder = write(about(study, "percentile"), tmp_path)
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert "claimed-measure" in "".join(page.ids)
    assert "gome against greedy: mean percentile on the board" in page.text
    assert f"sign-flip where at most {MEASURE_FLIPS} tasks differ" in page.text
    assert "t over tasks, n = 18 tasks" in page.text
    gaps = pd.read_csv(folder / "report_tables/gaps.csv")
    assert set(gaps["outcome"]) == {"percentile"}
    rates = pd.read_csv(folder / "report_tables/rates.csv")
    assert set(rates["outcome"]) == set(OUTCOMES)


def test_a_measure_that_the_tables_do_not_give_is_explored_no_further(study: Tables) -> None:
    """The study was paid for: it gets its report, and no verdict on what cannot be computed."""
    without = replace(about(study, "auc_usd"), runs=study.runs.assign(cost_usd=np.nan))
    results = analyse(without)
    assert not results.claim.declared
    assert results.outcome == "any_medal"
    assert "which these tables do not give. So nothing here is confirmatory" in declaration(results)
    boardless = replace(about(study, "percentile"), runs=study.runs.assign(no_board=True))
    assert "no task of this study has a leaderboard" in declaration(analyse(boardless))


def test_an_unfinished_study_counts_medals(study: Tables) -> None:
    rows = pd.Series(study.runs.index % 5 == 0, index=study.runs.index)
    tables = about(lost(study, rows, "missing"), "percentile")
    results = analyse(tables)
    assert results.progress.outcome == "any_medal"
    assert results.claimed is None
    looked = analyse(tables, "drop_seed")
    assert not looked.main.confirmatory
    assert looked.claimed.counts.lost.sum() > 0


def test_looks_and_plans_are_of_yes_or_no(study: Tables) -> None:
    looks = {"looks": [1, 2]}
    with pytest.raises(ConfigError, match=r"looks count successes, and claim\.outcome is percentile"):
        plan_of(about(study, "percentile", sequential=looks).study)
    with pytest.raises(ConfigError, match="claims percentile, a measure, and plans are of yes-or-no outcomes"):
        _piloted(analyse(about(study, "percentile")), "here")


def test_every_measure_has_a_name_and_a_range() -> None:
    assert set(MEASURE_NAMES) == set(MEASURE_RANGES) == set(MEASURES)
    assert len(set(CLAIMABLE)) == len(OUTCOMES) + len(MEASURES)
    assert outcome_problem("percentile", ["auc_usd"]) == ""
    assert "percentile is the claim's outcome already" in outcome_problem("percentile", ["percentile"])


def test_alone_or_without_spread_nothing_is_estimable_and_nothing_fails() -> None:
    tables = about(synthetic(models=4, strategies=("greedy", "gome"), tasks=3, seeds=1), "percentile")
    flat = replace(tables, runs=tables.runs.assign(percentile=0.5))
    results = analyse(flat)
    assert np.isnan(results.board.e2.low).all()
    assert {g.gap for g in results.main.gaps} == {0.0}
    assert {g.p for g in results.main.gaps} == {1.0}


@pytest.mark.parametrize("outcome", ["percentile", "auc_steps", "to_bronze_steps"])
def test_seeds_and_the_front_of_cost_are_of_the_measure(study: Tables, outcome: str) -> None:
    results = analyse(about(study, outcome))
    front = contrasts_view.front(results)["usd"]
    board = results.board.counts
    means = (board.hits / board.counts).mean(axis=(0, 2))
    assert [e.rate for e in front] == pytest.approx(means.tolist())
    runs = results.tables.runs
    spent = [runs.loc[runs["strategy"] == arm.strategy, "cost_usd"].sum() for arm in results.arms]
    assert [e.per_unit for e in front] == pytest.approx((board.hits.sum(axis=(0, 2)) / spent).tolist())
    view = contrasts_view.front_view(results)
    assert view.caption.startswith(f"M{RATES[outcome][1:]} in points and cost of a run")
    assert {"mean", "points per unit"} <= set(view.heads)
    assert "measure_per_unit" in contrasts_view.frames(results)["front"].columns


def test_a_bad_day_is_seen_in_the_measure_where_no_medal_shows_it(study: Tables) -> None:
    """Nobody has a medal; one seed has a fifth of its place on the board on all tasks."""
    none = study.runs.assign(**dict.fromkeys(MEDALS, False), medal_oracle=False)
    bad = none.assign(percentile=none["percentile"].fillna(0.0) * np.where(none["seed"] == 1, 0.2, 1.0))
    results = analyse(about(replace(study, runs=bad), "percentile"))
    assert results.dispersion.flagged
    (sentence,) = (s for s in warnings(results) if s.startswith("Seeds differ"))
    assert re.search(r"most so seed [01] of .* \(mean percentile on the board \d+\.\d points, \d+\.\d of all", sentence)
    assert "Seeds differ" not in " ".join(warnings(analyse(about(replace(study, runs=bad), "any_medal"))))
    assert not analyse(about(study, "percentile")).dispersion.flagged
