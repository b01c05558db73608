"""How far a run's programs lie apart, and what its reruns say: worked values, and rows that are the same everywhere."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.embed import HashedNgramEmbedder
from mlesearch.storage.blobs import BLOBS, Blobs
from mlesearch.storage.documents import read_run
from mlesearch.study.runs.program_spread import MOST, program_spread, spaced, spread_and_reach
from mlesearch.study.runs.reruns import rerun_facts
from mlesearch.study.runs.summary import rows_of, summarise
from mlesearch.study.tables.run_rows import read_runs
from mlesearch.types import Direction
from tests.support.run_story import Story

PROGRAMS = ("fit = Ridge()", "fit = Ridge(alpha=2)", "model = GradientBoosting(depth=3)", "fit = Ridge()")


def unit(*values: float) -> list[float]:
    return (np.array(values) / math.hypot(*values)).tolist()


def written(folder, programs=PROGRAMS):
    """A run of drafts with these programs."""
    story, blobs = Story(folder), Blobs(folder / BLOBS)
    for id, program in enumerate(programs):
        story.step(id, "draft", 0.1 * id + 0.1).executed(id)
        story.events[-1]["program"] = blobs.put(program)
    return story.ended(len(programs) - 1).write()


def test_worked_distances():
    """Three unit vectors at right angles to the first or equal to it: pairs 0, 1, 1; the farthest from the first 1."""
    spread, reach = spread_and_reach(np.array([unit(1, 0), unit(1, 0), unit(0, 1)]))
    assert spread == pytest.approx(2 / 3, abs=1e-9)
    assert reach == pytest.approx(1.0, abs=1e-9)
    assert spread_and_reach(np.array([unit(3, 4)] * 4)) == (0.0, 0.0)


def test_of_a_run_against_every_pair_of_its_programs(tmp_path):
    f = written(tmp_path).fold()
    vectors = [np.array(HashedNgramEmbedder().vector(text)) for text in PROGRAMS]
    apart = [1 - float(a @ b) for a, b in itertools.combinations(vectors, 2)]
    spread, reach = program_spread(f)
    assert spread == pytest.approx(np.mean(apart), abs=1e-8)
    assert reach == pytest.approx(max(1 - float(v @ vectors[0]) for v in vectors), abs=1e-8)
    assert 0 < spread < reach <= 2


def test_the_row_has_them_and_a_run_without_two_programs_has_none(tmp_path):
    row = summarise(read_run(written(tmp_path / "a").folder), written(tmp_path / "a").fold())
    assert row["program_spread"] > 0
    assert row["fresh_splits"] is row["choice_noise"] is None
    one = written(tmp_path / "one", PROGRAMS[:1])
    assert program_spread(one.fold()) == (None, None)


def test_a_program_that_is_gone_costs_the_row_nothing_else(tmp_path):
    """Blobs that were removed by hand: the run is collected all the same, without these two figures."""
    story = written(tmp_path)
    for file in (tmp_path / BLOBS).iterdir():
        file.unlink()
    rows = rows_of(read_run(story.folder), story.fold())
    assert rows.run["program_spread"] is None
    assert rows.run["score"] == pytest.approx(0.4)
    story.write(result=True)
    assert read_runs([story.folder]).runs[0].state == "ended"


@given(st.lists(st.text(max_size=40), min_size=2, max_size=MOST), st.randoms(use_true_random=False))
def test_the_order_of_later_programs_plays_no_part(texts, random):
    vectors = [HashedNgramEmbedder().vector(text) for text in texts]
    first, *rest = vectors
    other = rest.copy()
    random.shuffle(other)
    ours, theirs = (spread_and_reach(np.array([first, *later])) for later in (rest, other))
    assert ours == pytest.approx(theirs, abs=2e-9)
    assert 0 <= ours[0] <= 2
    assert 0 <= ours[1] <= 2


@given(st.integers(1, 500))
def test_some_of_many_are_evenly_spaced_with_both_ends(count):
    items = [str(i) for i in range(count)]
    found = spaced(items)
    assert len(found) == min(count, MOST)
    assert (found[0], found[-1]) == (items[0], items[-1])
    steps = np.diff([int(i) for i in found])
    assert not steps.size or (steps.min() >= 1 and np.ptp(steps) <= 1)


def reruns(story: Story, scores: dict[int, list[float | None]]) -> Story:
    for id, own in scores.items():
        for split, score in enumerate(own, start=1):
            ran = {"status": "ok", "wall_us": 1, "cpu_us": 1, "peak_bytes": 0}
            event = {"type": "revalidated", "id": id, "split": split, "worker": 0, "t": story.t, "score": score}
            story.events.append({**event, "result": ran})
    return story


def test_worked_parts_of_optimism(tmp_path):
    """Validation puts 1 first (.9); on three fresh splits it has .7, .8, .6, and 0 has .5, .9, .4.

    The first split puts 1 first, and the others give it .7: it flatters by 0; the second puts 0 first (.9), which has
    .45 on the others: .45; the third puts 1 first (.6 against .75): -.15. So .1 of the .2 by which validation flattered
    is noise.
    """
    story = Story(tmp_path).step(0, "draft", 0.8, test=0.5).step(1, "draft", 0.9, test=0.65)
    f = reruns(story, {1: [0.7, 0.8, 0.6], 0: [0.5, 0.9, 0.4]}).fold()
    found = rerun_facts(f, Direction.MAXIMIZE)
    assert (found.splits, found.validation, found.test) == (3, 0.9, 0.65)
    assert found.fresh == pytest.approx(0.7)
    assert found.by_noise == pytest.approx((0.0 + 0.45 - 0.15) / 3)


def test_of_a_metric_where_less_is_better_more_is_still_more_flattering(tmp_path):
    story = Story(tmp_path).step(0, "draft", 8.0).step(1, "draft", 9.0)
    f = reruns(story, {0: [8.5, 9.5], 1: [9.0, 9.0]}).fold()
    found = rerun_facts(f, Direction.MINIMIZE)
    assert (found.validation, found.fresh) == (8.0, 9.0)
    assert found.by_noise == pytest.approx((1.0 + 0.0) / 2)  # 8.5 first, then 9.5; then 1 with 9.0, and 9.0


@pytest.mark.parametrize(
    ("scores", "noise"),
    [
        ({1: [0.7], 0: [0.5]}, None),  # one split says nothing of noise
        ({1: [0.7, 0.8]}, None),  # nothing was chosen from one candidate
        ({1: [0.7, 0.8], 0: [0.5, None]}, None),  # one that failed is left out
        ({1: [0.7, 0.8], 0: [0.5]}, None),  # a split that was cut short counts for nothing
    ],
)
def test_what_cannot_be_estimated_is_not(tmp_path, scores, noise):
    story = Story(tmp_path).step(0, "draft", 0.8).step(1, "draft", 0.9)
    found = rerun_facts(reruns(story, scores).fold(), Direction.MAXIMIZE)
    assert found.by_noise is noise
    assert found.validation == 0.9


def test_where_the_first_candidate_failed_on_a_fresh_split_nothing_is_said(tmp_path):
    story = Story(tmp_path).step(0, "draft", 0.8).step(1, "draft", 0.9)
    f = reruns(story, {1: [0.7, None], 0: [0.5, 0.5]}).fold()
    assert rerun_facts(f, Direction.MAXIMIZE) is None
    assert rerun_facts(replace(f, revalidated=[]), Direction.MAXIMIZE) is None


def test_noise_alone_is_told_from_a_search_that_fitted_its_split(tmp_path):
    """Forty candidates alike with noise of 1: validation's first is flattered by noise alone; then by 3 more."""
    rng = np.random.default_rng(5)
    noise, fitted = [], []
    for run in range(60):
        for extra in (0.0, 3.0):
            story = Story(tmp_path / f"{run}-{extra}")
            for id in range(8):
                story.step(id, "draft", float(rng.normal() + extra))
            fresh = {id: rng.normal(size=4).tolist() for id in range(8)}
            found = rerun_facts(reruns(story, fresh).fold(), Direction.MAXIMIZE)
            noise.append(found.by_noise)
            fitted.append((extra, found.validation - found.fresh - found.by_noise))
    expected = 1.4236  # the mean of the largest of eight standard normals
    assert np.mean(noise) == pytest.approx(expected, abs=0.1)
    for extra in (0.0, 3.0):
        assert np.mean([value for at, value in fitted if at == extra]) == pytest.approx(extra, abs=0.35)


def test_a_collected_row_is_plain_data(tmp_path):
    story = written(tmp_path)
    row = summarise(read_run(story.folder), story.fold())
    assert json.loads(json.dumps(row)) == row
