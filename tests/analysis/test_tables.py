"""Tables of a study: read, refused, missing runs treated, what they are about."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.data.claim import arms_of, claim_of, models_of
from mlesearch.analysis.data.outcomes import outcomes
from mlesearch.analysis.data.schema import typed
from mlesearch.analysis.data.tables import apply_policy, only, read, validate
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.terminal import medal_rows, medal_table
from mlesearch.analysis.words.wording import declaration
from mlesearch.storage.columns import CALLS, NODES, RUNS
from mlesearch.types import ConfigError
from tests.support.synthetic_study import synthetic, write


@pytest.fixture(scope="module")
def study():
    return synthetic(models=2, tasks=3, seeds=2, steps=4)


def changed(tables, **columns):
    """The tables with cells of table runs changed: column={row: value}."""
    runs = tables.runs.copy()
    for column, cells in columns.items():
        for row, value in cells.items():
            runs.loc[row, column] = value
    return replace(tables, runs=runs)


def refusal(tables):
    with pytest.raises(ConfigError) as caught:
        validate(tables)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_package_itself_is_light():
    heavy = "{'numpy', 'pandas', 'scipy', 'matplotlib', 'jinja2'}"
    code = f"import sys, mlesearch.analysis; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_written_tables_are_read_back(study, tmp_path):
    tables = read(write(study, tmp_path))
    validate(tables)
    for frame, columns in ((tables.runs, RUNS), (tables.calls, CALLS)):
        there = [name for name, column in columns.items() if name in frame.columns or not column.optional]
        assert list(frame.columns)[: len(there)] == there
    assert tables.runs["seed"].dtype == "int64"
    assert tables.runs["gold"].dtype == bool
    assert tables.nodes["base"].dtype == "Int64"
    assert len(tables.nodes) == len(study.nodes)
    assert tables.simulated


def test_extension_types_and_empty_cells_are_understood(study, tmp_path):
    runs = study.runs.convert_dtypes()
    row = runs.index[0]
    runs.loc[row, "status"] = "missing"
    for column in ("gold", "silver", "bronze", "above_median", "valid"):
        runs.loc[row, column] = False
    for column in ("simulated", "score", "capability", "tier", "lower_is_better", "steps", "hardware"):
        runs.loc[row, column] = pd.NA
    tables = read(write(replace(study, runs=runs), tmp_path))
    validate(tables)
    assert tables.runs["simulated"].all()
    assert tables.runs.loc[row, "hardware"] is None
    assert np.isnan(tables.runs.loc[row, "score"])
    assert analyse(tables).policy.missing == 1


def test_what_cannot_be_read_is_named(study, tmp_path):
    with pytest.raises(ConfigError, match=r"study\.json is expected"):
        read(tmp_path)
    folder = write(study, tmp_path)
    (folder / "calls.parquet").unlink()
    with pytest.raises(ConfigError, match=r"calls\.parquet does not exist: collect the study first"):
        read(folder)
    (folder / "calls.parquet").write_bytes(b"not parquet")
    with pytest.raises(ConfigError, match=r"calls\.parquet cannot be read"):
        read(folder)
    write(study, folder)
    (folder / "study.json").write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        read(folder)
    (folder / "study.json").write_text("[]")
    with pytest.raises(ConfigError, match="holds list, expected an object"):
        read(folder)


def test_columns_are_checked(study):
    with pytest.raises(ConfigError, match="table runs lacks the columns gold, steps"):
        typed(study.runs.drop(columns=["gold", "steps"]), RUNS, "runs")
    with pytest.raises(ConfigError, match=r"runs\.model is empty in row 2"):
        typed(changed(study, model={2: None}).runs, RUNS, "runs")
    with pytest.raises(ConfigError, match=r"runs\.cost_usd does not hold numbers"):
        typed(study.runs.assign(cost_usd="dear"), RUNS, "runs")
    with pytest.raises(ConfigError, match=r"runs\.gold holds something other than true or false"):
        typed(study.runs.assign(gold="yes"), RUNS, "runs")
    assert "medal" not in typed(study.nodes.drop(columns="medal"), NODES, "nodes").columns


def test_each_refusal_says_what_and_where(study):
    validate(study)
    first = study.runs.iloc[0]
    again = replace(study, runs=pd.concat([study.runs, study.runs.iloc[[0]].assign(run_id="other")], ignore_index=True))
    assert f"two rows for model={first['model']}, strategy=random" in refusal(again)
    assert f"two rows for run_id={first['run_id']}" in refusal(changed(study, run_id={1: first["run_id"]}))
    assert "has status 'done'; allowed: ok, failed, timeout, missing" in refusal(changed(study, status={3: "done"}))
    two = changed(study, valid={0: True}, gold={0: True}, bronze={0: True}, silver={0: False})
    assert f"run {first['run_id']} has more than one medal flag (gold, bronze)" in refusal(two)
    medal = changed(study, valid={0: False}, gold={0: True}, silver={0: False}, bronze={0: False})
    assert "though its submission is invalid" in refusal(medal)
    assert "mixes 47 simulated with 1 live" in refusal(changed(study, simulated={0: False}))
    assert "says simulated=False" in refusal(replace(study, study={**study.study, "simulated": False}))
    hole = replace(study, runs=study.runs.drop(index=5))
    row = study.runs.loc[5]
    place = f"model={row['model']}, strategy={row['strategy']}, variant=base, task={row['task']}, seed=1"
    assert place in refusal(hole)
    assert "strategy annealing of the declared grid has no row" in refusal(
        replace(study, study={**study.study, "grid": {"strategies": ["random", "annealing"]}})
    )
    assert "seed=7" in refusal(replace(study, study={**study.study, "grid": {"seeds": [0, 1, 7]}}))
    assert "table runs is empty" in refusal(replace(study, runs=study.runs.iloc[:0]))
    stranger = study.nodes.assign(run_id=["nobody", *study.nodes["run_id"][1:]])
    assert "table nodes has rows of run 'nobody'" in refusal(replace(study, nodes=stranger))


def with_missing(tables, rows, status="failed"):
    gone = changed(tables, status=dict.fromkeys(rows, status))
    gone.runs.loc[list(rows), ["valid", "gold", "silver", "bronze", "above_median"]] = False
    return gone


def test_missing_runs_follow_the_named_policy(study):
    row = study.runs.index[study.runs["gold"] | study.runs["silver"] | study.runs["bronze"]][0]
    model, strategy, task = study.runs.loc[row, ["model", "strategy", "task"]]
    tables = with_missing(study, [row])

    def cell(policy):
        kept, note = apply_policy(tables, policy)
        counts = outcomes(kept.runs, models_of(kept), arms_of(kept), "valid")
        return kept, note, counts

    kept, note, counts = cell("fail")
    assert (note.missing, note.expected, note.dropped_runs, len(kept.runs)) == (1, 48, 0, 48)
    assert "1 of 48 runs are missing, 1 of them since they failed (policy: fail): each counts as" in note.words
    assert (counts.counts == 2).all()

    kept, note, counts = cell("drop_task")
    assert note.dropped_tasks == (task,)
    assert note.dropped_runs == 16
    assert task not in counts.tasks
    assert set(kept.nodes["run_id"]) <= set(kept.runs["run_id"])
    assert "1 task left out for all models and strategies, 16 runs in all" in note.words

    kept, note, counts = cell("drop_seed")
    assert note.dropped_runs == 1
    m, a = models_of(kept).names.index(model), [arm.label for arm in arms_of(kept)].index(strategy)
    assert counts.counts[m, a, counts.tasks.index(task)] == 1
    assert counts.counts.sum() == 47

    tables = with_missing(study, [row], "missing")  # a run that was not made is no failure, whatever the policy
    kept, note, counts = cell("fail")
    assert (note.missing, note.failed, note.to_come, note.dropped_runs) == (1, 0, 1, 1)
    assert counts.counts[m, a, counts.tasks.index(task)] == 1
    assert "1 since they were not made" in note.words
    assert "those that were not made are no failures, and gaps leave them out" in note.words

    with pytest.raises(ConfigError, match="unknown policy for missing runs 'ignore'; allowed: fail"):
        apply_policy(tables, "ignore")


def test_drop_seed_leaves_out_a_task_with_no_run_left(study):
    cell = study.runs[["model", "strategy", "task"]].eq(study.runs.loc[0, ["model", "strategy", "task"]]).all(axis=1)
    kept, note = apply_policy(with_missing(study, study.runs.index[cell]), "drop_seed")
    assert note.dropped_tasks == ("task-00",)
    assert set(kept.runs["task"]) == {"task-01", "task-02"}
    everything = with_missing(study, study.runs.index)
    for policy in ("drop_task", "drop_seed"):
        with pytest.raises(ConfigError, match="leaves no task"):
            apply_policy(everything, policy)


def test_claims_are_checked_against_the_study(study):
    def problem(**claim):
        whole = {"treatment": "gome", "baseline": "greedy", "outcome": "any_medal"} | claim
        tables = replace(study, study={**study.study, "claim": whole})
        with pytest.raises(ConfigError) as caught:
            analyse(tables)
        return str(caught.value)

    assert "claim.outcome is 'medals'; allowed: any_medal, gold" in problem(outcome="medals")
    assert "compares gome with itself" in problem(baseline="gome")
    assert "lacks the tier 'middle' of model" in problem(tiers=["low", "high"])
    with pytest.raises(ConfigError, match="needs treatment, baseline and outcome"):
        claim_of(replace(study, study={**study.study, "claim": {"treatment": "gome"}}))
    tiers_only = synthetic(models=2, tasks=1, seeds=1, tiers=True)
    both = {**tiers_only.study, "claim": {**tiers_only.study["claim"], "capability": True}}
    with pytest.raises(ConfigError, match="the claim is about capability, but table runs has none for sim/model-01"):
        models_of(replace(tiers_only, study=both))


def test_a_claim_about_a_strategy_without_runs_is_said_and_nothing_is_confirmatory(study):
    claim = {"treatment": "gnome", "baseline": "greedy", "outcome": "gold", "primary": "gnome wins"}
    results = analyse(replace(study, study={**study.study, "claim": claim}))
    assert not results.claim.declared
    assert not results.main.confirmatory
    assert results.claim.outcome == "gold"
    assert "no runs of gnome" in declaration(results)
    assert "Declared before the first run" not in declaration(results)


def test_without_a_claim_greedy_is_the_baseline_and_all_is_exploratory():
    tables = synthetic(models=2, tasks=3, claim=False)
    claim = claim_of(tables)
    assert (claim.baseline.label, claim.treatment.label, claim.declared) == ("greedy", "random", False)
    results = analyse(tables)
    assert not results.main.confirmatory
    raw = [gap.p for c in (results.main, *results.others) for gap in c.gaps]
    adjusted = [gap.p_adjusted for c in (results.main, *results.others) for gap in c.gaps]
    assert len(raw) == 6
    assert all(a >= p for a, p in zip(adjusted, raw, strict=True))
    assert claim_of(synthetic(models=1, strategies=("greedy",), tasks=1, claim=False)) is None


@pytest.mark.parametrize("tiers", [False, True])
def test_a_model_that_never_began_only_costs_the_order(tiers):
    tables = synthetic(models=4, tasks=2, seeds=1, tiers=tiers)
    unbegun = tables.runs["model"] == "sim/model-04"
    gone = with_missing(tables, tables.runs.index[unbegun], "missing")
    gone.runs.loc[unbegun, ["tier", "capability"]] = None
    assert analyse(gone).progress.to_come == 8
    results = analyse(gone, "fail")
    assert results.models.capability is None
    assert results.main.slope is None
    assert results.policy.missing == 8


def test_variants_are_arms_of_their_own():
    tables = synthetic(models=1, strategies=("greedy", "gome"), variants=("base", "no_memory"), tasks=2)
    assert [arm.label for arm in arms_of(tables)] == ["greedy/base", "greedy/no_memory", "gome/base", "gome/no_memory"]
    claim = claim_of(tables)
    assert (claim.treatment.label, claim.baseline.label) == ("gome/base", "greedy/base")


def test_arms_stand_baseline_first_and_treatment_last_unless_declared():
    tables = synthetic(models=1, strategies=("gome", "random", "greedy", "mcts"), tasks=1, seeds=1)
    assert [arm.label for arm in arms_of(tables)] == ["gome", "random", "greedy", "mcts"]
    undeclared = replace(tables, study={**tables.study, "grid": {}})
    assert [arm.label for arm in arms_of(undeclared)] == ["greedy", "mcts", "random", "gome"]
    bare = replace(tables, study={**tables.study, "grid": None, "claim": None})
    assert [arm.label for arm in arms_of(bare)] == ["gome", "greedy", "mcts", "random"]


def test_tiers_order_models_where_capability_is_unknown():
    models = models_of(synthetic(models=6, tasks=1, seeds=1, tiers=True))
    assert models.ordinal
    assert models.tier_order == ("low", "middle", "high")
    assert models.capability.tolist() == [0, 0, 1, 1, 2, 2]


def test_terminal_table(study):
    rows = medal_rows(analyse(study))
    assert len(rows) == 8
    for row in rows:
        own = study.runs[(study.runs["model"] == row.model) & (study.runs["strategy"] == row.strategy)]
        hit = own[["gold", "silver", "bronze"]].any(axis=1)
        assert row.rate == pytest.approx(hit.mean())
        assert row.parity.mean == pytest.approx(100 * hit.mean())
        assert row.low <= row.rate <= row.high
    text = medal_table(analyse(study))
    assert "SEM over 2 seeds; E2: Wilson interval over 3 tasks" in text
    assert text.endswith("Simulated engineers, not language models: this says nothing about any language model.")
    assert max(len(line) for line in text.splitlines()) <= 90
    assert "missing" not in text
    assert "1 of 48 runs are missing" in medal_table(analyse(with_missing(study, [0])))
    assert medal_table(analyse(with_missing(study, [0]))).splitlines()[0] == "1 of 48 runs has no result"
    assert medal_table(analyse(study)).startswith("model ")
    live = synthetic(models=1, tasks=1, seeds=1, simulated=False)
    assert "Simulated" not in medal_table(analyse(live))
    assert "not estimable" in medal_table(analyse(live))


@pytest.mark.usefixtures("undrawn")
def test_an_interim_report_is_about_its_runs_and_tests_no_claim(study, tmp_path):
    first = study.runs["seed"].min()
    ids = set(study.runs.loc[study.runs["seed"] == first, "run_id"])
    part = only(study, ids)
    assert set(part.runs["run_id"]) == set(part.nodes["run_id"]) == ids
    assert only(study, set(study.runs["run_id"])) is study
    results = analyse(part)
    assert claim_of(study).declared
    assert not results.claim.declared
    assert (results.claim.treatment, results.claim.baseline) == (claim_of(study).treatment, claim_of(study).baseline)
    assert (results.main, results.boards) == (None, ())
    assert analyse(part, "fail").progress == results.progress  # no policy opens it
    said = f"the first {len(ids)} of {len(study.runs)} runs"
    assert said in medal_table(results)
    page = write_report(write(study, tmp_path), run_ids=ids).read_text()
    assert said in page
    assert "no verdict, test or interval" in page
    assert "Interim" not in write_report(tmp_path, tmp_path / "whole").read_text()


def test_the_study_of_the_tables_survives_a_round_trip(study, tmp_path):
    folder = write(study, tmp_path)
    assert read(folder).study == json.loads(json.dumps(study.study))


def test_where_no_run_has_begun_study_json_says_whether_they_are_simulated(study, tmp_path):
    flags = dict.fromkeys(("valid", "gold", "silver", "bronze", "above_median"), False)
    runs = study.runs.assign(status="missing", simulated=pd.array([None] * len(study.runs), dtype="boolean"), **flags)
    gone = replace(study, runs=runs, nodes=study.nodes.iloc[:0], calls=study.calls.iloc[:0])
    tables = read(write(gone, tmp_path))
    validate(tables)
    assert tables.simulated


@pytest.mark.parametrize("name", ["nodes", "calls"])
def test_tables_that_say_otherwise_than_the_runs_are_refused(study, name):
    mixed = replace(study, **{name: getattr(study, name).assign(simulated=False)})
    with pytest.raises(ConfigError, match=f"^table {name} says simulated=False of run "):
        validate(mixed)
