"""A section of the report: what the page shows under one heading."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.page import views


class Figured(Protocol):
    """Draws a figure."""

    def __call__(self, *, width: float = ...) -> Drawn:
        """The figure, so wide, in inches; without a width as the page shows it."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        id: anchor.
        title: heading.
        text: a paragraph before the figure.
        figure: draws what it shows, at a width of its own or at the one that is given; None where it has no figure.
        caption: of the figure.
        tables: shown below it.
        folded: tables that open on demand.
    """

    id: str
    title: str
    text: str = ""
    figure: Figured | None = None
    caption: str = ""
    tables: tuple[views.View, ...] = ()
    folded: tuple[views.View, ...] = ()
