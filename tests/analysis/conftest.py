"""What tests of reports share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import undrawn as without_figures


@pytest.fixture
def undrawn() -> Iterator[None]:
    """Pages have no figures: for tests of what else is on them. Those of figures, and of whole pages, draw them."""
    with without_figures.undrawn():
        yield
