"""What a launch would take: by hand-computed sums, from the default profile or from recorded runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.cli.terminal import duration, money, number
from mlesearch.config.compose import expand, jobs
from mlesearch.config.plan import StudyPlan, plan
from mlesearch.config.resources import ProcessResources
from mlesearch.models.price import Price
from mlesearch.study.estimate import Estimate, estimate
from mlesearch.study.profiles import DEFAULT, PastRuns, Profile

LIVE = ["model=local", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=10"]
PRICED = "model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 10.0}"
# a step of the default profile: 2.2 calls of 12,000 tokens in and 4,000 out, at 60 s; programs: 15 of 60 s
STEP_USD = 2.2 * (12_000 * 1.0 + 4_000 * 10.0) / 1e6


def planned(folder: Path, *words: str) -> StudyPlan:
    launch = jobs(expand([*LIVE, PRICED, f"study.dir={folder}/s", *words]), False)
    with ProcessResources() as resources:
        return plan([j.settings for j in launch.jobs], resources, keys=False)


def of(folder: Path, *words: str, price: Price | None = Price(1.0, 10.0), profile: Profile | None = None) -> Estimate:  # noqa: B008  a frozen value
    past = PastRuns([])
    if profile is not None:
        past._rows.append(("local", "random", "rentals", profile))
    return estimate(planned(folder, *words).runs, past, lambda s: price)


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
    past = PastRuns([])
    past._rows.append(("other", "random", "other", measured))
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
        assert main(["run", *words]) == 0
    past = PastRuns([tmp_path / "like"])
    exact = past.profile_of("sim_05", "greedy", "rentals")
    assert exact is not None
    assert exact.source == "recorded: 1 of this model, strategy and task"
    assert exact.calls >= 2
    assert exact.call_s == 0  # simulated calls take no time
    assert 0 < exact.program_s < 60
    other = past.profile_of("gpt-5", "gome", "canvas")
    assert other is not None
    assert other.source == "recorded: 2 of other runs"
    capsys.readouterr()
    assert main(["estimate", *LIVE, PRICED, "--like", "like"]) == 0
    said = capsys.readouterr().out
    assert "recorded: 1 of this strategy and task" in said
    assert "default profile" not in said
    assert main(["estimate", "model=gpt-5", "strategy=gome", "budget.steps=3"]) == 0  # no key is needed
    said = capsys.readouterr().out
    assert "default profile: 12,000 tokens in" in said
    assert not (tmp_path / "studies").exists()
    assert main(["estimate", *LIVE, "--like", "nowhere"]) == 2
    assert "nowhere is no study" in capsys.readouterr().err


def test_words() -> None:
    assert [number(n) for n in (0, 999.6, 9_999, 12_345, 1_234_567, 2e9)] == [
        "0", "1,000", "9,999", "12.3 k", "1.2 M", "2.0 G"
    ]  # fmt: skip
    assert [duration(s) for s in (30, 7200, 10 * 86400)] == ["0.5 minutes", "2.0 hours", "10.0 days"]
