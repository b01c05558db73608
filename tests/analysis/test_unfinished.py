"""The gate: of a study of which a planned run was not made there are counts, and no verdict, test or interval."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlesearch as ml
from mlesearch.analysis.data.policies import POLICIES
from mlesearch.analysis.data.tables import only
from mlesearch.analysis.recheck import recheck
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.terminal import medal_table
from mlesearch.analysis.words.wording import declaration, verdicts
from mlesearch.cli.main import main
from mlesearch.cli.report import write_report as command
from mlesearch.storage.columns import MEDALS
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.synthetic_study import lost, synthetic, write

FINAL = re.compile(
    r"has a (higher|lower)|widens|narrows|crossover is|95 %|interval over|± |\[\d|p [=<] |ahead|behind|rejects|SEM"
)
"""Words and figures of a finding; the page of an unfinished study has none of them."""


@pytest.fixture(scope="module")
def study():
    made = synthetic(models=3, strategies=("greedy", "gome"), tasks=8, seeds=3, steps=3, simulated=False)
    return replace(made, runs=made.runs.assign(status="ok"))


def part_of_tasks(share):
    return lambda runs: (runs["strategy"] == "gome") & (runs["task"].str[-2:].astype(int) >= 8 * share)


CASES = {
    "a quarter of the treatment's tasks": part_of_tasks(0.25),
    "half of the treatment's tasks": part_of_tasks(0.5),
    "three quarters of the treatment's tasks": part_of_tasks(0.75),
    "two of three seeds of one arm did not run": lambda runs: (runs["strategy"] == "gome") & (runs["seed"] > 0),
    "one run": lambda runs: runs.index == 7,
    "the treatment never began": lambda runs: runs["strategy"] == "gome",
    "one model never began": lambda runs: runs["model"] == "lab/model-02",
    "stopped in the middle of everything": lambda runs: runs.index % 3 > 0,
    "nothing ran": lambda runs: runs.index >= 0,
}


def with_all_won(tables):
    """Every run that was made succeeded, in both arms: what is claimed then, was invented."""
    runs = tables.runs.copy()
    done = runs["status"] == "ok"
    runs.loc[done, [*MEDALS, "valid", "above_median"]] = [True, False, False, True, True]
    return replace(tables, runs=runs)


@pytest.mark.parametrize("case", CASES)
def test_an_unfinished_study_has_counts_and_no_findings(study, case):
    rows = pd.Series(CASES[case](study.runs), index=study.runs.index)
    tables = with_all_won(lost(study, rows, "missing", ""))
    results = analyse(tables)
    assert (results.boards, results.main, results.others) == ((), None, ())
    found = results.progress
    assert (found.planned, found.made, found.to_come) == (144, 144 - rows.sum(), rows.sum())
    for cell in found.cells:
        own = ~rows & (study.runs["model"] == cell.model) & (study.runs["strategy"] == cell.strategy)
        assert (cell.planned, cell.ended, cell.failed) == (24, own.sum(), 0)
        assert cell.successes == cell.rated == cell.ended  # those that were not made are no failures
    said = " ".join(f"{v.headline} {v.sentence}" for v in verdicts(results)) + medal_table(results)
    assert not FINAL.search(said), said
    assert f"{144 - rows.sum()} of 144 planned runs were made" in said
    assert "nothing here is confirmatory" in declaration(results)
    assert "have no result" not in said


def test_runs_that_failed_and_runs_that_were_not_made_are_told_apart(study):
    first = study.runs["seed"] == 0
    tables = lost(study, first & (study.runs["strategy"] == "gome"), "failed", "HTTP 500")
    runs = tables.runs.copy()
    runs.loc[(runs["seed"] == 2), ["status", "reason"]] = ["missing", ""]
    runs.loc[(runs["seed"] == 2), [*MEDALS, "valid", "above_median"]] = False
    results = analyse(replace(tables, runs=runs))
    gome = next(c for c in results.progress.cells if c.strategy == "gome")
    assert (gome.planned, gome.ended, gome.failed, gome.to_come) == (24, 8, 8, 8)
    unfinished, box = verdicts(results)
    assert unfinished.headline == "Unfinished: 96 of 144 planned runs were made"
    assert "48 planned runs were not made (not begun, or not ended): these are no failures." in unfinished.sentence
    assert box.headline == "24 of 96 runs have no result"
    assert "gome: 24 of 48 runs have no result (24 failed: HTTP 500 × 24)" in box.sentence
    failed_alone = replace(tables, runs=tables.runs)
    assert analyse(failed_alone).progress is None  # all planned runs were made
    assert analyse(failed_alone).main.confirmatory


@pytest.mark.usefixtures("undrawn")
def test_the_page_of_an_unfinished_study(study, tmp_path):
    """The whole page; the tables of an earlier report, when the grid was smaller, go with the verdicts."""
    folder = write(study, tmp_path)
    command(folder, None, figures=True)
    assert (folder / "report_tables/gaps.csv").exists()
    assert (folder / "report_figures/gaps.pdf").exists()
    rows = part_of_tasks(0.5)(study.runs)
    write(with_all_won(lost(study, rows, "missing", "")), folder)
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    assert not FINAL.search(page.text), FINAL.search(page.text)
    assert [i for i in page.ids if i in ("progress", "cost", "medals", "rates", "gaps", "capability", "dynamics")] == [
        "progress",
        "cost",
    ]
    assert "How far the study is" in page.text
    assert "live models unfinished" in page.text  # the stamps
    assert "12 of 24" in page.text
    assert "12 of 12 (100.0 %)" in page.text
    assert "no policy is applied before all planned runs were made (36 were not)" in page.text
    names = {p.name for p in (folder / "report_tables").iterdir()}
    assert {n for n in names if n.endswith(".csv")} == {
        "progress.csv", "cost.csv", "cost_by_operator.csv", "failures.csv",
    }  # fmt: skip
    for text in [p.read_text(encoding="utf-8") for p in (folder / "report_tables").iterdir()]:
        assert not FINAL.search(text.replace("\\addlinespace[2pt]", ""))  # LaTeX's space between rows is no interval
    assert not {"gaps.svg", "gaps.pdf", "rates.svg", "dynamics.pdf"} & {
        p.name for p in (folder / "report_figures").iterdir()
    }
    frame = pd.read_csv(folder / "report_tables/progress.csv")
    assert frame["to_come"].sum() == 36
    np.testing.assert_allclose(frame["cost_usd"].sum(), with_all_won(study).runs["cost_usd"].sum(), rtol=0.6)
    again = write_report(folder, tmp_path / "two")
    assert again.read_bytes() == (folder / "report.html").read_bytes()
    write(study, folder)
    assert "How far" not in write_report(folder).read_text(encoding="utf-8")
    assert "progress.csv" not in {p.name for p in (folder / "report_tables").iterdir()}


@pytest.mark.parametrize("policy", ["fail", "drop_task", "drop_seed"])
def test_a_named_policy_opens_an_unfinished_study_to_exploration_alone(study, policy):
    """No claim is confirmatory, runs that were not made are no failures, and where both arms won all, none is ahead."""
    for case in ("half of the treatment's tasks", "two of three seeds of one arm did not run"):
        rows = pd.Series(CASES[case](study.runs))
        tables = with_all_won(lost(study, rows, "missing", ""))
        if policy == "drop_task" and "seeds" in case:
            with pytest.raises(ConfigError, match="every task has a missing run; finish the study, or report its"):
                analyse(tables, policy)
            continue
        results = analyse(tables, policy)
        assert not results.main.confirmatory
        assert not results.claim.declared
        assert all(gap.refused or gap.gap == 0 for gap in results.main.gaps)
        said = " ".join(f"{v.headline} {v.sentence} {v.status}" for v in verdicts(results))
        assert "confirmatory" not in said
        assert f"under the policy {policy}; everything in it is exploratory" in said
        assert not re.search(r"has a (higher|lower)", said)
        assert "nothing here is confirmatory" in declaration(results)


def test_interim_reports_pass_the_same_gate(study):
    part = only(study, set(study.runs.loc[study.runs["seed"] < 2, "run_id"]))
    for policy in (None, "fail", "drop_seed"):
        results = analyse(part, policy)
        assert (results.main, results.progress.rounds) == (None, True)
        assert (results.progress.planned, results.progress.made) == (144, 96)
        text = medal_table(results)
        assert "Interim: the first 96 of 144 runs" in text
        assert not FINAL.search(text + " ".join(v.sentence for v in verdicts(results)))


@pytest.mark.usefixtures("undrawn")
def test_the_command_and_the_python_interface_pass_the_same_gate(study, tmp_path, capsys):
    rows = study.runs["seed"] == 2
    folder = write(lost(study, rows, "missing", ""), tmp_path)
    before = {p.name: p.read_bytes() for p in folder.glob("*.parquet")}
    said = command(folder, None)
    assert "Unfinished: 96 of 144 planned runs were made" in said
    assert "How far the study is" in ml.report(folder).read_text(encoding="utf-8")
    assert "under the policy drop_seed" in ml.report(folder, tmp_path / "x.html", "drop_seed").read_text()
    assert "policy: drop_seed" in command(folder, tmp_path / "y.html", missing="drop_seed")
    assert main(["report", str(folder), "--missing", "drop_seed"]) == 0
    assert "policy: drop_seed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["report", str(folder), "--missing", "drop_all"])
    refused = capsys.readouterr().err
    assert "drop_all" in refused
    assert all(policy in refused for policy in POLICIES)
    assert {p.name: p.read_bytes() for p in folder.glob("*.parquet")} == before  # there are no runs to make them of


@pytest.mark.usefixtures("undrawn")
def test_the_page_of_an_unfinished_study_can_be_rechecked(study, tmp_path):
    folder = write(lost(study, study.runs["seed"] == 2, "missing", ""), tmp_path)
    path = write_report(folder)
    assert recheck(path).differs == ""
    path.write_text(path.read_text(encoding="utf-8").replace("16 of 24", "17 of 24", 1), encoding="utf-8")
    assert "17 of 24" in recheck(path).differs
    named = write_report(folder, tmp_path / "named.html", "fail")
    assert recheck(named, folder).differs == ""


def test_an_unfinished_study_has_no_board_to_read_rates_from(study):
    results = analyse(lost(study, study.runs["seed"] == 2, "missing", ""))
    with pytest.raises(ValueError, match="an unfinished study has no rates"):
        _ = results.board


def null_study(rng, tasks, seeds):
    """Runs of two strategies without any gap, on tasks that differ and that each takes in its own way."""
    logit = -1.3 + 2.3 * rng.normal(size=tasks) + 0.7 * rng.normal(size=(2, tasks))
    return rng.random((seeds, 2, tasks)) < 1 / (1 + np.exp(-logit))


def found(runs):
    """The sign of a gap that the t test over tasks would establish, else 0."""
    d = runs.mean(axis=0)
    d = d[0] - d[1]
    error = d.std(ddof=1) / np.sqrt(d.size)
    p = 2 * stats.t.sf(abs(d.mean()) / error, d.size - 1) if error > 0 else 1.0
    return np.sign(d.mean()) if p <= 0.05 else 0


@pytest.mark.slow
def test_what_the_gate_keeps_out():
    """The figures of docs/statistics.md: looks at growing data, and runs that were not made taken for failures."""
    rng = np.random.default_rng(7)
    rates = {}
    for seeds in (3, 10):
        looks = [
            [found(runs[:k]) != 0 for k in range(1, seeds + 1)]
            for runs in (null_study(rng, 75, seeds) for _ in range(4000))
        ]
        rates[seeds] = np.mean([any(look) for look in looks]), np.mean([look[-1] for look in looks])
    assert rates[3] == pytest.approx((0.11, 0.05), abs=0.015)
    assert rates[10] == pytest.approx((0.17, 0.05), abs=0.02)
    lost_shares = {}
    for share in (0.25, 0.5, 0.75):
        behind = 0
        for _ in range(1000):
            runs = null_study(rng, 75, 3)
            runs[:, 0, int(75 * share) :] = False
            behind += found(runs) < 0
        lost_shares[share] = behind / 1000
    assert lost_shares == pytest.approx({0.25: 1.0, 0.5: 0.98, 0.75: 0.51}, abs=0.05)
