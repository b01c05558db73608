"""A folder to run in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def empty_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The test runs in it, and leaves nothing there."""
    place = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(place)
    yield place
    assert list(place.iterdir()) == []
