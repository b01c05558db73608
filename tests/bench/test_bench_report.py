"""What the numbers of a report cost, against pandas and nothing else, with 6,000 runs and with 30,000.

The larger study has ten models, four strategies, 75 tasks, ten seeds and 20 steps. The ratios in brackets are what to
look at: reading the larger study with types takes less than pandas takes for the same files, and all numbers of the
page about what plain pandas takes to find the best programs alone, one of some twenty tables. The bars of
the larger study, of processor time on a quiet machine: 0.3 s to read, 0.5 s to analyse, 20 ms for all intervals and
tests, 4 s and 1.5 MB for the whole report.
Among the other tests, without their figures, the larger study has a fifth of the seeds and of the steps: its page is
as large, for it is as long as the models, strategies and tasks are many.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlesearch.analysis.comparisons.comparison import Comparison, Grid, adjusted, compare, in_family
from mlesearch.analysis.data.tables import Tables, read
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import Results, analyse
from mlesearch.analysis.statistics.rates import e1_rates, e2_rates
from tests.support import plain_pandas
from tests.support.large_study import Shape, large
from tests.support.synthetic_study import synthetic, write

COPIES = 15
GROUP = "numbers of a report (6,000 runs)"


def _many() -> Tables:
    """A study whose tasks are copies of a few: large, and soon made."""
    few = synthetic(models=10, tasks=5, seeds=2)

    def copied(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        parts = [frame.assign(**{name: frame[name] + f"-{i}" for name in names}) for i in range(COPIES)]
        return pd.concat(parts, ignore_index=True)

    runs = copied(few.runs, ["run_id", "task"])
    return replace(few, runs=runs, nodes=copied(few.nodes, ["run_id"]), calls=copied(few.calls, ["run_id"]))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(_many(), tmp_path_factory.mktemp("large"))


@pytest.mark.benchmark(group=GROUP)
def test_pandas_reads_the_tables(benchmark, study: Path) -> None:
    frames = benchmark(lambda: [pd.read_parquet(study / f"{name}.parquet") for name in ("runs", "nodes", "calls")])
    assert len(frames[0]) == 6_000


@pytest.mark.benchmark(group=GROUP)
def test_the_tables_are_read_and_typed(benchmark, study: Path) -> None:
    assert len(benchmark(read, study).runs) == 6_000


@pytest.mark.benchmark(group=GROUP)
def test_all_numbers_are_computed(benchmark, study: Path) -> None:
    tables = read(study)
    assert len(benchmark(analyse, tables).cells) == 40


WHOLE = "the whole study (30,000 runs, 600,000 programs, 1.3 million calls)"


@pytest.fixture(scope="module")
def shape(request: pytest.FixtureRequest) -> Shape:
    return Shape(seeds=2, steps=4) if request.config.getoption("benchmark_disable") else Shape()


@pytest.fixture(scope="module")
def whole(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(large(shape), tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def whole_tables(whole: Path) -> Tables:
    return read(whole)


@pytest.fixture(scope="module")
def whole_results(whole_tables: Tables) -> Results:
    return analyse(whole_tables)


@pytest.mark.benchmark(group=f"reading {WHOLE}")
def test_pandas_reads_the_whole_study(benchmark, shape: Shape, whole: Path) -> None:
    names = ("runs", "nodes", "calls")
    frames = benchmark.pedantic(lambda: [pd.read_parquet(whole / f"{n}.parquet") for n in names], rounds=3)
    assert len(frames[0]) == 3_000 * shape.seeds


@pytest.mark.benchmark(group=f"reading {WHOLE}")
def test_the_whole_study_is_read_and_typed(benchmark, shape: Shape, whole: Path) -> None:
    assert len(benchmark.pedantic(read, (whole,), rounds=3).nodes) == 3_000 * shape.seeds * shape.steps


@pytest.mark.benchmark(group=f"analysing {WHOLE}")
def test_plain_pandas_finds_the_best_programs_alone(benchmark, shape: Shape, whole_tables: Tables) -> None:
    """One of the dozen tables that the analysis makes."""
    tables = whole_tables
    found = benchmark.pedantic(plain_pandas.best_so_far, (tables.nodes, tables.runs), rounds=3)
    assert len(found) > 3_000 * shape.seeds


@pytest.mark.benchmark(group=f"analysing {WHOLE}")
def test_all_numbers_of_the_whole_study(benchmark, whole_tables: Tables) -> None:
    assert len(benchmark.pedantic(analyse, (whole_tables,), rounds=3).cells) == 40


TESTS = "intervals and tests of 40 cells, 3 comparisons of 10 models, 75 tasks and 10 seeds"


@pytest.mark.benchmark(group=TESTS)
def test_scipy_tests_one_gap_of_thirty(benchmark, whole_results: Results) -> None:
    """By permutation, 9,999 draws."""
    gaps = whole_results.main.by_task[-1] if whole_results.main is not None else np.zeros(0)
    found = benchmark.pedantic(
        lambda: stats.permutation_test((gaps,), np.mean, permutation_type="samples", vectorized=True), rounds=3
    )
    assert 0 < found.pvalue <= 1


@pytest.mark.benchmark(group=TESTS)
def test_all_intervals_and_tests(benchmark, whole_results: Results) -> None:
    """The rates of the claim's outcome by task and by run, and every gap, slope and crossover, adjusted."""
    r = whole_results
    assert r.claim is not None
    claim, counts = r.claim, r.board.counts
    grid = Grid(r.models, r.arms, counts, counts, r.cells)

    def compute() -> tuple[Comparison, ...]:
        e2_rates(counts.hits, counts.counts)
        e1_rates(counts.hits, counts.counts)
        main = compare(grid, claim.treatment, claim.baseline, claim.declared, claim.trend, claim.margin)
        rest = [arm for arm in r.arms if arm not in (claim.treatment, claim.baseline)]
        main, others = adjusted(main, tuple(compare(grid, arm, claim.baseline, False) for arm in rest), claim)
        return in_family(main, claim, r.models), *others

    assert len(benchmark.pedantic(compute, rounds=5, warmup_rounds=1)) == 3


@pytest.mark.benchmark(group=f"report of {WHOLE}")
def test_the_whole_report_is_written_and_is_small(benchmark, whole: Path, tmp_path: Path) -> None:
    page = benchmark.pedantic(write_report, (whole, tmp_path), rounds=2)
    assert 500_000 < page.stat().st_size < 1_500_000
