"""Results of others in a report: beside one's own on the same tasks, marked, and in no other number of it."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.analysis.data.tables import read, validate
from mlesearch.analysis.page.imported import import_rates, imported_view, own_rates
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.statistics.rates import parity
from mlesearch.analysis.terminal import medal_table
from mlesearch.storage.imported import ImportedFile, ImportedRow, write_imported
from mlesearch.types import ConfigError
from tests.support.synthetic_study import synthetic, write


def rows(strategy: str, medals: dict[str, list[str | None]]) -> list[ImportedRow]:
    return [
        {
            **{"model": "gpt", "strategy": strategy, "task": task, "seed": k, "score": 0.5, "medal": medal},
            **{"above_median": None if medal is None else medal != "none", "submitted": True, "valid": True},
            **{"kind": "test", "lower_is_better": None, "source": "f"},
        }  # type: ignore[typeddict-item,misc]  # in parts
        for task, won in medals.items()
        for k, medal in enumerate(won)
    ]


def imported(made: list[ImportedRow], *mismatches: str) -> ImportedFile:
    return {
        **{"format": 1, "name": "board", "imported": True, "mlesearch": "0", "sources": {}, "incomplete": "pad"},
        **{"notes": ["a note"], "mismatches": list(mismatches), "rows": made},
    }  # type: ignore[typeddict-item,return-value]  # in two parts


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write(synthetic(name="own", simulated=False), tmp_path / "own")


def test_a_simulated_study_has_no_imported_results(tmp_path: Path) -> None:
    tables = replace(synthetic(name="own"), imported=(imported(rows("aide", {"t": ["gold"]})),))
    with pytest.raises(ConfigError, match="this study is simulated, and board was imported into it"):
        validate(tables)


def test_rates_are_those_of_mle_bench(study: Path) -> None:
    tasks = sorted(set(read(study).runs["task"]))
    made = imported(rows("aide", {tasks[0]: ["gold", "none", "bronze"], tasks[1]: ["none"] * 3, "z": ["silver"] * 3}))
    (rate,) = import_rates(made)
    assert (rate.tasks, rate.seeds) == (3, 3)
    assert rate.rates["any_medal"] == parity([[True, False, True], [False] * 3, [True] * 3])
    assert rate.rates["gold"] == parity([[True, False, False], [False] * 3, [False] * 3])
    (shared,) = import_rates(made, tasks)
    assert shared.rates["any_medal"] == parity([[True, False, True], [False] * 3])
    assert import_rates(made, ["elsewhere"]) == []


@pytest.mark.usefixtures("undrawn")
def test_the_report_shows_them_beside_its_own_and_counts_them_nowhere(study: Path) -> None:
    before = write_report(study).read_text()
    tables = {p.name: p.read_bytes() for p in (study / "report_tables").iterdir()}
    tasks = sorted(set(read(study).runs["task"]))
    made = rows("aide", {tasks[0]: ["gold", "none"], "another": ["none", "none"]}) + rows("fml", {"x": [None]})
    write_imported(study, imported(made, "f: t, seed 1: score 1 wins none"), [])
    page = write_report(study).read_text()
    start, end = page.index('<section id="imported"'), page.index("</section>", page.index('<section id="imported"'))
    section = page[start:end]
    assert "board (imported)" in section
    assert "this study" in section
    assert "1 task of both" in section
    assert "1 grade of the source not that of its score" in section
    assert "imported-scores" in section, "a source without medals has scores"
    without = page[:start] + page[end + len("</section>\n") :]
    without = without.replace('<a href="#imported">Imported results</a>\n', "")
    without = re.sub(r',\n +"imported_results/board.json": "[0-9a-f]{64}"', "", without)  # of what the page is made
    assert re.sub(r"Table \d+", "Table", without) == re.sub(r"Table \d+", "Table", before)
    after = {p.name: p.read_bytes() for p in (study / "report_tables").iterdir()}
    extra = after.pop("imported.csv").decode()
    beside = {f"{name}.{kind}" for name in ("imported", "imported-scores") for kind in ("md", "tex")}
    assert {name: content for name, content in after.items() if name not in beside} == tables
    assert {line["imported"] for line in csv.DictReader(extra.splitlines())} == {"True"}
    said = medal_table(analyse(read(study)))
    assert "Imported results (board) stand in the report" in said


def test_own_rates_beside_them_are_those_of_the_medal_table(study: Path) -> None:
    results = analyse(read(study))
    tasks = sorted(set(results.tables.runs["task"]))
    for rate in own_rates(results, tasks):
        m = results.models.names.index(rate.model)
        a = [arm.label for arm in results.arms].index(rate.strategy)
        for board in results.boards:
            assert rate.rates[board.outcome] == board.parity[m][a]
    assert imported_view(results) is None


def test_rows_that_were_imported_are_never_pooled(study: Path) -> None:
    tables = read(study)
    marked = tables.runs.assign(imported=[False] * (len(tables.runs) - 1) + [True])
    with pytest.raises(ConfigError, match="was imported; imported results are never pooled with a study's own runs"):
        validate(replace(tables, runs=marked))
    validate(replace(tables, runs=tables.runs.assign(imported=pd.array([False] * len(tables.runs)))))
    own = tables.runs.iloc[0]
    made = imported(rows(str(own["strategy"]), {"t": ["gold"]}))
    made["rows"][0]["model"] = str(own["model"])
    with pytest.raises(ConfigError, match=r"has the model and strategy of the import board; .* never pooled"):
        validate(replace(tables, imported=(made,)))


def test_no_claim_is_tested_with_them(study: Path) -> None:
    header = json.loads((study / "study.json").read_text())
    header["claim"] = {"treatment": "aide", "baseline": "greedy", "outcome": "any_medal"}
    (study / "study.json").write_text(json.dumps(header))
    write_imported(study, imported(rows("aide", {"t": ["gold"]})), [])
    claim = analyse(read(study)).claim
    assert claim is not None
    assert not claim.declared
    assert "Imported results of aide are no runs of it, and no claim is tested with them." in claim.unmet
