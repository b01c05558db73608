"""The report as a reader gets it: self-contained, the same twice, honest about what it shows."""

import re
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.text import p_text, points
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.synthetic_study import synthetic, write


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The shape of the demo: three models, four strategies, two tasks, two seeds."""
    return write(synthetic(name="a <demo> & more"), tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def page(demo):
    return Page(write_report(demo).read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(demo, page):
    raw = (demo / "report.html").read_bytes()
    assert len(raw) < 1_500_000
    assert page.links == []
    text = raw.decode()
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert str(demo) not in text
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"#0a0[b-d]0", text)  # every stand-in colour became a variable of the page
    assert not re.search(r"\b20\d\d-\d\d-\d\dT", text)


def test_ids_are_unique_and_every_reference_resolves(page):
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)


def test_figures_speak_and_tables_have_heads(page):
    assert len(page.svgs) == 8
    for svg in page.svgs:
        assert svg["role"] == "img"
        assert len(svg["aria-label"]) > 60
    assert set(page.heads) == {"col", "row"}
    assert page.tags.count("h1") == 1


def test_the_same_tables_give_the_same_bytes_and_figures_leave_no_state_behind(demo, page, tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    two = write_report(demo, tmp_path / "two" / "page.html")
    assert dict(mpl.rcParams) == before
    assert two.name == "page.html"
    assert two.read_bytes() == (demo / "report.html").read_bytes()
    files = sorted(path.name for path in (demo / "report_tables").glob("*.csv"))
    assert files == [
        "assumptions.csv",
        "budget_gaps.csv",
        "capability.csv",
        "cost.csv",
        "cost_by_operator.csv",
        "crossings.csv",
        "crossover.csv",
        "dispersion.csv",
        "dynamics.csv",
        "failures.csv",
        "front.csv",
        "gaps.csv",
        "gaps_by_task.csv",
        "improvement.csv",
        "left_out.csv",
        "measures.csv",
        "mechanism.csv",
        "percentiles.csv",
        "process.csv",
        "process_success.csv",
        "rates.csv",
    ]
    for name in files:
        a, b = (folder / "report_tables" / name for folder in (demo, tmp_path / "two"))
        assert a.read_bytes() == b.read_bytes()


def test_a_simulated_study_says_so_in_every_quotable_sentence(demo, page):
    assert "they are no evidence about any language model" in page.text
    assert "a <demo> & more" in page.text
    sentences = re.findall(r'<p class="headline">.*?</p>\s*<p>(.*?)</p>', (demo / "report.html").read_text(), re.DOTALL)
    assert len(sentences) == 3
    for sentence in sentences:
        assert sentence.startswith("Confirmatory, in simulation, on tasks like these (E2, n = 2 tasks, 2 seeds each): ")


def test_the_demo_is_told_what_it_cannot_show(page):
    assert (
        "three models are too few for a crossover: one needs at least two in the lowest and two in the highest group"
        in page.text
    )
    assert "These data cannot reach 0.05" in page.text
    assert "mean ± SEM over seeds" in page.text
    assert "no missing run among 48 (policy: fail)" in page.text


def test_the_page_follows_its_order(page):
    order = [
        "claim", "medals", "rates", "gaps", "capability", "dynamics", "mechanism", "cost", "failures", "facts",
    ]  # fmt: skip
    assert [name for name in page.ids if name in order] == order


def test_csv_hold_the_numbers_unrounded(demo, page):
    rates = pd.read_csv(demo / "report_tables" / "rates.csv")
    results = analyse(synthetic(name="a <demo> & more"))
    own = rates[rates["outcome"] == "any_medal"]
    np.testing.assert_allclose(own["e2_low"], results.board.e2.low.ravel(), rtol=1e-12)
    assert (rates["successes"] / rates["runs"]).round(12).equals(rates["rate"].round(12))
    gaps = pd.read_csv(demo / "report_tables" / "gaps.csv")
    assert (gaps["status"] == "confirmatory").sum() == 3
    assert len(gaps) == 9


def test_a_live_study_has_no_banner_and_states_a_proved_crossover(tmp_path):
    tables = synthetic(models=10, tasks=30, seeds=2, simulated=False, effect=1.4, steps=3)
    page = Page(write_report(write(tables, tmp_path)).read_text(encoding="utf-8"))
    assert "imulat" not in page.text
    assert "a crossover is established: gome is behind greedy in the low group and ahead in the high group" in page.text
    assert "the gap of gome over greedy in any-medal rate rises with capability, from −" in page.text
    assert "Holm-adjusted over 10 tests" in page.text
    assert (tmp_path / "report.html").stat().st_size < 1_500_000


@pytest.mark.usefixtures("undrawn")
def test_the_worded_verdict_follows_the_numbers(tmp_path):
    tables = synthetic(models=10, tasks=30, seeds=2, simulated=False, effect=1.4, steps=3)
    swapped = {**tables.study, "claim": {**tables.study["claim"], "treatment": "greedy", "baseline": "gome"}}
    text = Page(write_report(write(replace(tables, study=swapped), tmp_path)).read_text(encoding="utf-8")).text
    assert "a crossover is established" not in text
    assert "no crossover established: the low group's gap is +" in text
    assert "greedy ahead with" in text


@pytest.mark.parametrize(
    "shape",
    [
        {"models": 1, "strategies": ("greedy",), "tasks": 1, "seeds": 1, "claim": False},
        {"models": 1, "tasks": 2, "seeds": 1, "claim": False},
        {"models": 2, "strategies": ("greedy", "gome"), "tasks": 5, "seeds": 3, "tiers": True, "priced": False},
        {"models": 6, "tasks": 3, "seeds": 2, "tiers": True, "variants": ("base", "no_memory")},
        {"models": 4, "tasks": 6, "seeds": 2, "effect": 0.0, "claim": False, "simulated": False},
    ],
)
def test_any_shape_renders(shape, tmp_path):
    page = Page(write_report(write(synthetic(**shape), tmp_path)).read_text(encoding="utf-8"))
    assert "medals" in page.ids
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"\bnan\b", page.text)
    assert ("claim declared" in page.text) == shape.get("claim", True)


def test_a_study_in_which_nothing_worked_renders(tmp_path):
    tables = synthetic(models=2, tasks=2)
    flags = dict.fromkeys(("valid", "gold", "silver", "bronze", "above_median"), False)
    runs = tables.runs.assign(status="failed", score=None, direction_accuracy=None, improvement_rate=None, **flags)
    gone = replace(tables, runs=runs, nodes=tables.nodes.iloc[:0], calls=tables.calls.iloc[:0])
    page = Page(write_report(write(gone, tmp_path)).read_text(encoding="utf-8"))
    assert "48 failed" not in page.text
    assert "32 failed" in page.text
    assert "dynamics" not in page.ids


@pytest.mark.usefixtures("undrawn")
def test_tasks_whose_programs_reported_their_own_score_are_named_where_others_did_not(tmp_path):
    tables = synthetic(models=2, tasks=3)
    first = sorted(set(tables.runs["task"]))[0]
    runs = tables.runs.assign(validation=np.where(tables.runs["task"] == first, "reported", "harness"))
    text = Page(write_report(write(replace(tables, runs=runs), tmp_path)).read_text(encoding="utf-8")).text
    assert "Not all runs share the same validation: harness; reported." in text
    assert f"Programs reported their own score on {first}." in text
    same = replace(tables, runs=runs.assign(validation="reported"))
    assert "reported their own" not in Page(write_report(write(same, tmp_path / "same")).read_text()).text


@pytest.mark.usefixtures("undrawn")
def test_differences_between_the_arms_are_pointed_out(tmp_path):
    tables = synthetic(models=2, tasks=2)
    hardware = np.where(tables.runs["strategy"] == "gome", "8 CPU, 64 GiB", "2 CPU, 4 GiB")
    runs = tables.runs.assign(hardware=hardware)
    first = tables.calls["run_id"].str.endswith("seed-0") & tables.calls["run_id"].str.startswith(
        runs["run_id"][0].split("/")[0]
    )
    review = tables.calls["op"] == "review"  # another model's role: its id is another in every run
    answered = np.where(review, "lab/c", np.where(first, "lab/a", "lab/b"))
    calls = tables.calls.assign(model_answered=answered)
    changed = replace(tables, runs=runs, calls=calls)
    text = Page(write_report(write(changed, tmp_path)).read_text(encoding="utf-8")).text
    assert "Not all runs share the same hardware: 2 CPU, 4 GiB; 8 CPU, 64 GiB." in text
    assert f"Model {runs['model'][0]} answered under 2 ids: lab/a; lab/b." in text
    assert text.count("answered under") == 1
    before = replace(changed, calls=tables.calls.drop(columns="model_answered"))  # of an earlier version
    before = replace(before, runs=runs.assign(model_answered=np.where(runs["seed"] == 0, "lab/a", "lab/b")))
    text = Page(write_report(write(before, tmp_path / "before")).read_text(encoding="utf-8")).text
    assert "answered under 2 ids: lab/a; lab/b." in text


@pytest.mark.usefixtures("undrawn")
def test_missing_runs_are_counted_on_the_page(tmp_path):
    tables = synthetic(models=2, tasks=3)
    runs = tables.runs.copy()
    runs.loc[0, ["valid", "gold", "silver", "bronze", "above_median"]] = False
    runs.loc[0, "status"] = "failed"
    folder = write(replace(tables, runs=runs), tmp_path)
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert re.search(r"(\d+) of 48 runs are missing, \1 of them since they failed \(policy: fail\)", text)
    dropped = Page(write_report(folder, missing="drop_task").read_text(encoding="utf-8")).text
    assert "1 task left out for all models and strategies" in dropped
    assert "2 models × 4 strategies × 2 tasks × 2 seeds" in dropped


@pytest.mark.usefixtures("undrawn")
def test_an_unwritable_place_is_named(demo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="the report cannot be written to"):
        write_report(demo, tmp_path / "file" / "report.html")


def test_tables_are_refused_before_anything_is_written(tmp_path):
    tables = synthetic(models=1, tasks=1)
    folder = write(replace(tables, runs=tables.runs.assign(gold=True, silver=True, valid=True)), tmp_path)
    with pytest.raises(ConfigError, match="more than one medal flag"):
        write_report(folder)
    assert not (folder / "report.html").exists()
    assert not (folder / "report_tables").exists()


@pytest.mark.parametrize(("value", "text"), [(0.042, "+4.2"), (-0.0123, "−1.2"), (-0.0004, "0.0"), (float("nan"), "–")])
def test_points(value, text):
    assert points(value) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "p < 0.001"), (0.0123, "p = 0.012"), (0.5, "p = 0.50"), (float("nan"), "p not estimable")]
)
def test_p_text(p, text):
    assert p_text(p) == text


def test_numbers_of_a_large_grid_are_quick():
    rng = np.random.default_rng(0)
    from mlesearch.analysis.statistics.capability import slope_test
    from mlesearch.analysis.statistics.gaps import adjust, paired_gap
    from mlesearch.analysis.statistics.rates import e1_rates, e2_rates

    hits = rng.binomial(10, rng.beta(0.5, 1, size=(10, 4, 75)))
    counts = np.full_like(hits, 10)

    def numbers():
        for _ in range(4):
            e2_rates(hits, counts)
            e1_rates(hits, counts)
        for arm in range(1, 4):
            pair = hits[:, [arm, 0]]
            adjust([paired_gap(h, k) for h, k in zip(pair, counts[:, :2], strict=True)], "holm")
            slope_test((pair[:, 0] - pair[:, 1]) / 10, np.arange(10.0))

    def seconds():
        start = time.perf_counter()
        numbers()
        return time.perf_counter() - start

    seconds()
    assert min(seconds() for _ in range(5)) < 0.25  # some 0.04 s on an idle core
