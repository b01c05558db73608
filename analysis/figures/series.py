"""How the strategies of a figure look: of the first 64 no two alike in colour and dash (or marker, or hatch).

There are eight colours. The ninth strategy has the first one's colour again, with another dash, marker and hatch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlesearch.analysis.figures import svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = len(svg.SERIES)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.6)),
    (0, (1.4, 1.2)),
    (0, (6, 1.5, 1.4, 1.5)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (1, 3)),
    (0, (8, 2, 2, 2, 2, 2)),
)
"""Line styles of matplotlib."""

PART_HATCHES = (None, "////", None, "\\\\\\\\", "----", None, "xxxx", "||||")
"""Of the parts of a whole, so that neighbours can be told apart in grey."""

HATCHES = (None, "////", "....", "xxxx", "----", "\\\\\\\\", "oo", "++")
LEGEND_CHARACTERS = 14.0
"""So many characters of labels fit into an inch of a legend's line."""


def colour(i: int) -> str:
    """The colour of the i-th strategy."""
    return str(svg.SERIES[i % COLOURS])


def dash(i: int) -> Any:
    """Its line style."""
    return DASHES[(i + i // COLOURS) % len(DASHES)]


def marker(i: int) -> str:
    """Its marker."""
    return MARKERS[(i + i // COLOURS) % len(MARKERS)]


def hatch(i: int) -> str | None:
    """The hatch of its bars; none for those that no other shares a colour with."""
    return HATCHES[i // COLOURS % len(HATCHES)]


def legend_label(label: str) -> str:
    """A label that matplotlib shows: it leaves out those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def legend_columns(labels: list[str], width: float = svg.WIDTH, most: int = 8) -> int:
    """How many labels stand side by side in a legend, which is filled column by column.

    Args:
        labels: in their order.
        width: of the figure, inches.
        most: at most so many.
    """
    for count in range(min(len(labels), most), 1, -1):
        rows = math.ceil(len(labels) / count)
        columns = [labels[i : i + rows] for i in range(0, len(labels), rows)]
        if sum(max(map(len, column)) + 6 for column in columns) <= LEGEND_CHARACTERS * width:
            return len(columns)
    return 1


def legend(fig: Figure, labels: list[str]) -> None:
    """Puts the legend of a figure above it."""
    columns = legend_columns(labels, fig.get_figwidth())
    fig.legend(loc="outside upper left", ncols=columns, handlelength=1.4, columnspacing=1.6)
