"""What a launch would take: by hand-computed sums, from the default profile or from recorded runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlesearch.cli.main import main
from mlesearch.cli.terminal import duration, money, number
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan, StudyPlan, plan
from mlesearch.models.price import Price
from mlesearch.storage.documents import read_result
from mlesearch.storage.layout import run_folders
from mlesearch.study.estimates.estimate import Estimate, estimate
from mlesearch.study.estimates.profiles import DEFAULT, PastRun, PastRuns, Profile, models_text, search_text

LIVE = ["model=local", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=10", "sandbox=local"]
PRICED = "model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 10.0}"
# a step of the default profile: 2.2 calls of 12,000 tokens in and 4,000 out, at 60 s; programs: 15 of 60 s
STEP_USD = 2.2 * (12_000 * 1.0 + 4_000 * 10.0) / 1e6


def planned(folder: Path, *words: str) -> StudyPlan:
    price = [] if any(word.startswith("model=sim") for word in words) else [PRICED]
    launch = jobs(expand([*LIVE, *price, f"study.dir={folder}/s", *words]), False)
    with ProcessResources() as resources:
        return plan([j.settings for j in launch.jobs], resources, keys=False)


def of(folder: Path, *words: str, price: Price | None = Price(1.0, 10.0), profile: Profile | None = None) -> Estimate:  # noqa: B008  a frozen value
    runs = planned(folder, *words).runs
    past = PastRuns(runs=[past_run(runs[0], profile)] if profile is not None else [])
    return estimate(runs, past, lambda s: price)


def past_run(run: RunPlan, profile: Profile, **changed: Any) -> PastRun:
    """As if a planned run had been made, and had taken that."""
    own = PastRun(
        run.key.model,
        models_text(run.identity),
        run.key.strategy,
        search_text(run.identity),
        run.key.task,
        "paid",
        10,
        profile,
    )
    return replace(own, **changed)


def test_the_default_profile_by_hand(tmp_path: Path) -> None:
    found = of(tmp_path)
    (row,) = found.rows
    assert row.profile == DEFAULT
    assert (row.runs, row.steps) == (2, 20)
    assert row.calls == pytest.approx(44)
    assert row.tokens_in == pytest.approx(44 * 12_000)
    assert row.tokens_out == pytest.approx(44 * 4_000)
    assert found.usd == row.usd == pytest.approx(20 * STEP_USD)
    assert row.charged_s == pytest.approx(44 * 60 + 20 * 15)
    assert row.gpu_h == 0
    assert found.wall_s(1, 1, 2) == pytest.approx(row.charged_s / 2)


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        (["budget.steps=null", "budget.time_s=294"], 294 / (2.2 * 60 + 15)),
        (["budget.steps=null", "budget.time_s=294", "run.workers=2"], 2 * 294 / (2.2 * 60 + 15)),
        (["budget.steps=null", "budget.tokens=352000"], 10),
        (["budget.cost_usd=1.0"], 1.0 / STEP_USD),
        (["budget.cost_usd=1000"], 10),
    ],
)
def test_the_tightest_limit_of_a_run_counts(words: list[str], steps: float, tmp_path: Path) -> None:
    assert of(tmp_path, *words).rows[0].steps == pytest.approx(2 * steps, rel=1e-6)


def test_a_prompt_is_taken_to_be_put_into_the_cache_where_that_costs_more(tmp_path: Path) -> None:
    written = Price(1.0, 10.0, cached_usd_per_mtok=0.1, cache_write_usd_per_mtok=1.25)
    assert of(tmp_path, price=written).usd == pytest.approx(44 * (12_000 * 1.25 + 4_000 * 10) / 1e6)


def test_shared_budgets_bound_the_sum(tmp_path: Path) -> None:
    assert of(tmp_path, "budget.cell_usd=0.5").usd == pytest.approx(0.5)
    assert of(tmp_path, "budget.study_usd=0.25").usd == pytest.approx(0.25)


def test_a_price_that_is_not_known_is_never_nothing(tmp_path: Path) -> None:
    found = of(tmp_path, price=None)
    assert found.usd is None
    assert found.unpriced == ("local",)
    assert money(found.usd) == "unknown"


def test_gpus_are_counted_where_programs_get_one(tmp_path: Path) -> None:
    measured = Profile("x", 2, 100, 10, 5.0, 3600.0, 10)
    runs = planned(tmp_path).runs
    gpu = [replace(r, settings=replace(r.settings, sandbox=replace(r.settings.sandbox, gpus=1))) for r in runs]
    past = PastRuns(runs=[past_run(runs[0], measured, model="other", models="other", task="other", kind="free")])
    found = estimate(gpu, past, lambda s: Price(0.0, 0.0))
    assert found.rows[0].gpu_h == pytest.approx(20)
    assert found.usd == 0
    assert found.wall_s(4, 1, 100) == pytest.approx(5 * 3600)
    assert found.wall_s(4, 2, 100) == pytest.approx(2.5 * 3600)
    assert found.wall_s(4, 1, 1) == pytest.approx(20 * 3605)


def test_a_replay_costs_nothing(tmp_path: Path) -> None:
    runs = [
        replace(
            r, settings=replace(r.settings, cassette="replay", sandbox=replace(r.settings.sandbox, exec_store="replay"))
        )
        for r in planned(tmp_path).runs
    ]
    found = estimate(runs, PastRuns([]), lambda s: Price(1.0, 1.0))
    assert (found.usd, found.rows[0].calls, found.rows[0].charged_s) == (0.0, 0.0, 0.0)


def test_recorded_runs_are_measured_and_the_closest_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for strategy in ("random", "greedy"):
        words = ["model=sim_05", f"strategy={strategy}", "budget.steps=2", "launcher.n_jobs=1", "study.dir=like"]
        words += ["sandbox=local"]
        assert main(["run", *words]) == 0
    past = PastRuns([tmp_path / "like"])
    sim = ["model=sim_05", "strategy=greedy", "seeds=[0]", "budget.steps=2"]
    exact = past.profile_of(planned(tmp_path, *sim).runs[0], "simulated")
    assert exact is not None
    assert exact.trusted
    assert exact.source == "recorded: 1 of this model, strategy and task"
    assert exact.calls >= 2
    assert exact.call_s == 0  # simulated calls take no time
    assert 0 < exact.program_s < 60
    other = past.profile_of(planned(tmp_path, "model=sim_09", "strategy=gome", "tasks=[canvas]").runs[0], "simulated")
    assert other is not None
    assert other.source == "recorded: 2 of other runs"
    assert not other.trusted
    capsys.readouterr()
    assert main(["estimate", *LIVE, PRICED, "--like", "like"]) == 0
    said = capsys.readouterr().out
    assert "recorded runs are of simulated models alone" in said
    assert "default profile: 12,000 tokens in" in said
    assert main(["estimate", "model=gpt-5", "strategy=gome", "budget.steps=3"]) == 0  # no key is needed
    said = capsys.readouterr().out
    assert "default profile: 12,000 tokens in" in said
    assert not (tmp_path / "studies").exists()
    assert main(["estimate", *LIVE, "--like", "nowhere"]) == 2
    assert "nowhere is no study" in capsys.readouterr().err


MEASURED = Profile("x", 2.0, 1_000, 100, 5.0, 3.0, 10)


@pytest.mark.parametrize("kind", ["simulated", "free"])
def test_runs_of_another_kind_of_model_are_no_profile(kind: str, tmp_path: Path) -> None:
    runs = planned(tmp_path).runs
    past = PastRuns(runs=[past_run(runs[0], MEASURED, kind=kind)])
    found = estimate(runs, past, lambda s: Price(1.0, 10.0))
    assert found.rows[0].profile == f"default (recorded runs are of {kind} models alone)"
    assert found.most_usd == found.usd == pytest.approx(20 * STEP_USD)


@pytest.mark.parametrize(
    "changed",
    [{"models": "other"}, {"search": "other"}, {"task": "other"}, {"strategy": "gome", "search": "gome"}],
    ids=["model", "parameters", "task", "strategy"],
)
def test_runs_of_others_never_disarm_the_guard(changed: dict[str, str], tmp_path: Path) -> None:
    """They may say what is likely; what is asked by is the default profile where that is more."""
    runs = planned(tmp_path).runs
    cheap = estimate(runs, PastRuns(runs=[past_run(runs[0], MEASURED, **changed)]), lambda s: Price(1.0, 10.0))
    assert cheap.usd == pytest.approx(20 * (1_000 + 10 * 100) / 1e6)
    assert cheap.most_usd == pytest.approx(20 * STEP_USD)
    assert cheap.exceeds(1.0)
    dear = Profile("x", 9.0, 100_000, 50_000, 5.0, 3.0, 10)
    found = estimate(runs, PastRuns(runs=[past_run(runs[0], dear, **changed)]), lambda s: Price(1.0, 10.0))
    assert found.most_usd == found.usd == pytest.approx(20 * 0.6)


def test_the_same_model_strategy_and_task_are_trusted_and_scaled_to_longer_runs(tmp_path: Path) -> None:
    own = of(tmp_path, profile=MEASURED)
    assert own.most_usd == own.usd == pytest.approx(20 * 2_000 / 1e6)
    assert not own.exceeds(1.0)
    longer = of(tmp_path, "budget.steps=50", profile=MEASURED)  # prompts five times as long
    assert longer.rows[0].tokens_in == pytest.approx(2 * 50 * 5_000)
    assert "scaled from 10 to 50 steps" in longer.rows[0].profile
    longest = of(tmp_path, "budget.steps=5000", profile=MEASURED)  # and never longer than the default ones
    assert longest.rows[0].tokens_in == pytest.approx(2 * 5000 * 2.0 * 12_000)
    shorter = of(tmp_path, "budget.steps=3", profile=MEASURED)
    assert shorter.rows[0].tokens_in == pytest.approx(2 * 3 * 1_000)


def test_a_run_of_unusable_replies_is_no_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["model=sim_05", "strategy=random", "budget.steps=2", "launcher.n_jobs=1", "study.dir=like"]
    words += ["sandbox=local"]
    assert main(["run", *words]) == 0
    (run,) = run_folders(tmp_path / "like")
    row = read_result(run)
    assert row is not None
    run_of_sim = planned(tmp_path, "model=sim_05").runs[0]
    assert PastRuns([tmp_path / "like"]).profile_of(run_of_sim, "simulated") is not None
    (run / "result.json").write_text(json.dumps({**row, "n_executions": 0}))
    assert PastRuns([tmp_path / "like"]).profile_of(run_of_sim, "simulated") is None


def test_what_a_simulated_study_measured_never_starts_a_paid_one_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A paid model is launched like a study of simulated runs; in their folder it is refused."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.name=g1", "model=sim_05", "strategy=gome", "budget.steps=3", "sandbox=local"]) == 0
    paid = ["study.name=g2", "model=gpt-5", "strategy=gome", "seeds=[1,2,3,4,5,6,7,8,9]", "budget.steps=50"]
    assert main(["estimate", *paid, "study.name=g1"]) == 2
    assert "simulated and other results may never stand in one table" in capsys.readouterr().err
    assert main(["estimate", *paid, "--like", "studies/g1"]) == 0
    said = capsys.readouterr().out
    assert "recorded runs are of simulated models alone" in said
    assert float(re.search(r"out, \$([\d.]+)", said)[1]) > 80  # type: ignore[index]  # it is there, or the test fails
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    assert main(["run", *paid]) == 2
    assert "above budget.confirm_usd" in capsys.readouterr().err


def test_words() -> None:
    assert [number(n) for n in (0, 999.6, 9_999, 12_345, 1_234_567, 2e9)] == [
        "0", "1,000", "9,999", "12.3 k", "1.2 M", "2.0 G"
    ]  # fmt: skip
    said = ["less than a second", "1 second", "30 seconds", "2.0 minutes", "2.0 hours", "10.0 days"]
    assert [duration(s) for s in (0.4, 1.2, 30, 120, 7200, 10 * 86400)] == said
