"""A section of the report: what the page shows under one heading."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from mlesearch.analysis import views


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        id: anchor.
        title: heading.
        text: a paragraph before the figure.
        figure: an `<svg>`, or empty.
        caption: of the figure.
        tables: shown below it.
        folded: tables that open on demand.
    """

    id: str
    title: str
    text: str = ""
    figure: Markup | None = None
    caption: str = ""
    tables: tuple[views.View, ...] = ()
    folded: tuple[views.View, ...] = ()
