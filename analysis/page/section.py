"""A section of the report: what the page shows under one heading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.page import views


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        id: anchor.
        title: heading.
        text: a paragraph before the figure.
        figure: draws what it shows; None where it has no figure.
        caption: of the figure.
        tables: shown below it.
        folded: tables that open on demand.
    """

    id: str
    title: str
    text: str = ""
    figure: Callable[[], Drawn] | None = None
    caption: str = ""
    tables: tuple[views.View, ...] = ()
    folded: tuple[views.View, ...] = ()
