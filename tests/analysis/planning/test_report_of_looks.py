"""A study with declared looks in the report: nothing before the decision, then its verdict, and rates by stage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.planning.sequential import standing
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.words import wording
from mlesearch.storage.layout import RunKey
from tests.support.sequential_study import sequential_study
from tests.support.synthetic_study import write


def lean(tables: Tables) -> Tables:
    """The study as `run --sequential` leaves it: rows of what was asked for, and of what was left out by design."""
    found = standing(tables)
    most = max(found.looks[-1].seeds_of) if found.looks else 0
    ends = tables.runs["model"].isin([*found.plan["low"], *found.plan["high"]])
    runs = tables.runs[ends & (tables.runs["seed"].astype(int) < most)].copy()
    keys = [RunKey(*row) for row in runs[["model", "strategy", "variant", "task", "seed"]].itertuples(index=False)]
    out = np.array([key in found.stopped for key in keys])
    runs.loc[out, "status"] = "not_planned"
    runs.loc[out, "reason"] = [found.stopped[k] for k, o in zip(keys, out, strict=True) if o]
    runs.loc[out, ["valid", "gold"]] = False
    kept = set(runs.loc[~out, "run_id"])
    nodes, calls = (frame[frame["run_id"].isin(kept)] for frame in (tables.nodes, tables.calls))
    study = {**tables.study, "grid": {}}
    return replace(tables, runs=runs.reset_index(drop=True), nodes=nodes, calls=calls, study=study)


def test_between_two_looks_there_is_a_progress_page_and_no_verdict():
    results = analyse(lean(sequential_study(1, 0.12)))
    assert results.progress is not None
    assert (results.progress.made, results.progress.planned) == (160, 320)
    assert results.to_come == 160
    said = " ".join(answer.sentence for answer in wording.verdicts(results))
    assert "no verdict, test or interval" in said
    assert "established" not in said


def test_a_decided_study_has_one_confirmatory_verdict_by_its_looks():
    tables = lean(sequential_study(3, 0.25))
    found = standing(tables)
    assert found.shown
    assert found.looks[-1].seeds_of[0] != found.looks[-1].seeds_of[1]  # one group stopped before the other
    results = analyse(tables)
    assert results.not_planned.runs > 0
    assert results.policy.missing == 0
    answers = {answer.title: answer for answer in wording.verdicts(results)}
    crossover = answers["Crossover"]
    assert crossover.mark == "yes"
    assert crossover.sentence.startswith("In simulation, on tasks like these, for these models (gome against greedy")
    assert "a crossover is established: the low group's gap is below 0 (" in crossover.sentence
    assert "confirmatory; looks after 1, 2 and 3 seeds on 20 tasks, 2 and 2 models at the ends" in crossover.sentence
    assert [a.status for a in wording.verdicts(results)].count("confirmatory") == 1
    assert "everything else is exploratory" in wording.declaration(results)


def test_without_a_crossover_the_sentence_says_what_is_not_shown():
    results = analyse(lean(sequential_study(3, 0.0)))
    answer = next(a for a in wording.verdicts(results) if a.title == "Crossover")
    assert answer.mark == "open"
    assert (
        "no crossover is established: the study ended after 2 seeds, by the declared rule of futility"
        in answer.sentence
    )
    assert "it is not shown that" in answer.sentence


@pytest.mark.parametrize(("shift", "seeds"), [(0.25, 3), (0.12, 1)])
@pytest.mark.usefixtures("undrawn")
def test_the_page_has_stages_once_it_is_decided(tmp_path, shift, seeds):
    folder = write(lean(sequential_study(seeds, shift)), tmp_path)
    page = write_report(folder).read_text(encoding="utf-8")
    decided = seeds == 3
    assert ('id="looks"' in page) == decided
    assert ("biased, away" in page) == decided
    assert ("stopped here: biased" in page) == decided
    assert ("its rates are biased" in page) == decided  # why runs of a group were not run by design
