"""Reports without their figures, which take most of a report's time: for what a page says in words and in tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from mlesearch.analysis import report


@contextmanager
def undrawn() -> Iterator[None]:
    """Reports that are written within have pages as of sections that have nothing to draw; all else is as ever."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(report, "render", partial(report.render, ink=lambda _section: ""))
        yield
