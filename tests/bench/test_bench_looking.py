"""What looking at a study costs: its tables from nothing and where nothing changed, its status, a launch's progress.

A study of 400 runs of 20 steps, by a real engine. The ratios in brackets are what to look at: tables from nothing take
about twice what parsing the journals takes, shared among the processors; where nothing changed, and for a status, next
to nothing. With `-m slow` the same of 10,000 runs: 30 s from nothing, and 2 s each where nothing changed and for a
status, are the bars on a quiet machine of two processors. Among the other tests, without its figures, it is of 80 runs.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlesearch.storage.layout import declared
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.monitoring.watching import LaunchWatch
from mlesearch.study.tables.collect import collect
from mlesearch.study.tables.collected import RECORD, look
from tests.support import many_runs

GROUP = "looking at a study (400 runs)"


def made(folder: Path, tasks: int) -> Path:
    """Of 80 runs for each task."""
    templates = many_runs.templates(folder / "templates")
    study = many_runs.write_study(folder / "study", many_runs.keys(models=4, tasks=tasks, seeds=5), templates)
    while not look(study).settled:
        time.sleep(0.01)
    return study


@pytest.fixture(scope="module")
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("many")
    yield made(folder, tasks=1 if request.config.getoption("benchmark_disable") else 5)
    shutil.rmtree(folder)


def journals(study: Path) -> list[Path]:
    return [study / key.id / "journal.jsonl" for key in declared(study)]


@pytest.mark.benchmark(group=GROUP)
def test_journals_are_parsed(benchmark, study: Path) -> None:
    paths = journals(study)
    benchmark.pedantic(lambda: [[json.loads(s) for s in p.read_bytes().splitlines()] for p in paths], rounds=3)


@pytest.mark.benchmark(group=GROUP)
def test_tables_from_nothing(benchmark, study: Path) -> None:
    benchmark.pedantic(collect, (study,), setup=lambda: (study / RECORD).unlink(missing_ok=True), rounds=3)


@pytest.mark.benchmark(group=GROUP)
def test_tables_where_nothing_changed(benchmark, study: Path) -> None:
    collect(study)
    benchmark(collect, study)


@pytest.mark.benchmark(group=GROUP)
def test_status(benchmark, study: Path) -> None:
    assert benchmark(read_status, study).count("ended") == len(declared(study))


@pytest.mark.benchmark(group=GROUP)
def test_one_look_at_a_launch(benchmark, study: Path, tmp_path: Path) -> None:
    settings = SimpleNamespace(budget=SimpleNamespace(steps=20))
    runs = [
        SimpleNamespace(key=k, folder=tmp_path / k.id, study_dir=tmp_path, settings=settings) for k in declared(study)
    ]
    watch = LaunchWatch(runs)  # type: ignore[arg-type]
    watch.begin()
    benchmark(lambda: list(watch.look()))


@pytest.mark.slow
@pytest.mark.benchmark(group="looking at a study (10,000 runs)")
def test_ten_thousand_runs(benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Says what this process took for each; the benchmark is where nothing changed."""
    templates = many_runs.templates(tmp_path / "templates")
    study = many_runs.write_study(tmp_path / "study", many_runs.keys(models=10, tasks=50, seeds=5), templates)
    while not look(study).settled:
        time.sleep(0.01)
    took = {}
    for name, work in (("from nothing", collect), ("nothing changed", collect), ("status", read_status)):
        began_s = time.process_time()
        work(study)
        took[name] = time.process_time() - began_s
    benchmark(collect, study)
    with capsys.disabled():
        print({name: f"{seconds:.1f} s of this process" for name, seconds in took.items()})
    shutil.rmtree(tmp_path / "study")
