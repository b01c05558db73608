"""An interpreter with the stand-in package, prepared data, and workers that leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench.pool import GraderPool
from tests.support import mlebench_standin as standin
from tests.support.command import alive

MakePool = Callable[..., GraderPool]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has the stand-in package, and releases of the libraries that grade rightly."""
    return standin.interpreter(tmp_path_factory.mktemp("interpreter") / "venv")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data of the simple competitions; read only."""
    return standin.prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def make_pool(python: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePool]:
    """Pools that are closed after the test, which must leave no process and no folder then."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with ExitStack() as stack:

        def make(**settings: object) -> GraderPool:
            named = {"python": python, "data_dir": data, "timeout_s": 60.0, **settings}
            return stack.enter_context(GraderPool(**named))  # type: ignore[arg-type]  # of a test's own values

        yield make
    assert alive(place) == []
    assert list(place.iterdir()) == []


@pytest.fixture
def pool(make_pool: MakePool) -> GraderPool:
    """One worker at most."""
    return make_pool()
