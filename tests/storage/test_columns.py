"""Each column is declared once, and the documentation says what is declared."""

from pathlib import Path

import pytest

from mlesearch.storage.column_reference import markdown
from mlesearch.storage.columns import DURATIONS, TABLES
from mlesearch.storage.events import DURATIONS as JOURNAL_DURATIONS
from mlesearch.storage.events import without_durations

ROOT = Path(__file__).parents[2]


def test_the_reference_in_the_docs_is_up_to_date():
    how = "run: python -m mlesearch.storage.column_reference > docs/columns.md"
    assert (ROOT / "docs/columns.md").read_text() == markdown(), how


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_what_it_means(table):
    for name, column in TABLES[table].items():
        assert column.meaning, name
        assert bool(column.unit) <= (column.kind == "float"), name
        if name.endswith(("_s", "_h", "_usd")):
            assert column.unit == {"s": "seconds", "h": "hours", "usd": "US dollars"}[name.rpartition("_")[2]], name


def test_durations_are_the_measured_columns_and_keys():
    of_runs = {"charged_s", "wait_s", "real_s", "program_s", "program_cpu_s", "gpu_h", "gpu_wait_s", "sample_run_s"}
    assert of_runs | {"t_charged_s", "service_s"} == DURATIONS
    of_executions = {"wall_us", "cpu_us", "peak_bytes", "gpu_us", "gpu_wait_us"}
    assert of_executions | {"t", "real_us", "service_us", "wait_us"} == JOURNAL_DURATIONS
    assert without_durations({"t": 1, "usage": {"wait_us": 2, "calls": 3}}) == {"usage": {"calls": 3}}


def test_words_hold_unit_and_note():
    runs = TABLES["runs"]
    assert runs["cost_usd"].words == "cost of all model calls, US dollars; empty without a known price"
    assert runs["run_id"].words == "unique name of the run"
    kinds = [runs[name].kind for name in ("seed", "status", "gold", "score")]
    assert kinds == ["int", "text", "flag", "float"]
    assert (runs["tier"].nullable, runs["charged_s"].nullable, runs["run_id"].nullable) == (True, True, False)
