"""What the numbers of a report cost, against reading its three tables with pandas and nothing else.

6,000 runs with 36,000 programs: a fifth of the runs of ten models, four strategies, 75 tasks and ten seeds. The ratios
in brackets are what to look at: reading with types takes some 4 times what pandas takes for the same files, all numbers
of the page some 15 times. The bar for the report of the whole study, page and figures included, is one minute.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.analysis.results import analyse
from mlesearch.analysis.tables import Tables, read
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
