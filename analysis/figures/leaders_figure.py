"""The heat maps of which strategy leads where, as one figure with a panel for each level of the further axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from mlesearch.analysis.comparisons.leaders import GRADIENT, LeaderCell, LeaderMap
from mlesearch.analysis.data.axes import BUDGET, SettingAxis
from mlesearch.analysis.data.claim import Models
from mlesearch.analysis.figures import svg
from mlesearch.analysis.figures.names import short_names
from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.text import listing, plural, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

MOST_COLUMNS = 3
"""Panels side by side; with more the words in a cell would be too small to read."""

EDGE = 2.6
"""Width of the line around the region, points."""


@dataclass(frozen=True, slots=True)
class MapPanel:
    """The cells of one panel.

    Attributes:
        title: levels that all of its cells have in common.
        cells: by place of the model and of the level on the first axis.
    """

    title: str
    cells: Mapping[tuple[int, int], LeaderCell]


def panels(found: LeaderMap) -> tuple[tuple[MapPanel, ...], int]:
    """The panels row by row, and how many are in a row.

    The first axis is that of a panel's rows. The second one has its panels side by side; those of all further ones, the
    budget last, are below each other.
    """
    side, below = found.axes[1:2], found.axes[2:]
    columns = len(side[0].levels) if side else 1
    made = []
    for lower in product(*(range(len(axis.levels)) for axis in below)):
        for beside in product(*(range(len(axis.levels)) for axis in side)):
            places = (*beside, *lower)
            words = [_level(axis, i) for axis, i in zip(found.axes[1:], places, strict=True)]
            own = {(c.model, c.setting[0]): c for c in found.cells if c.setting[1:] == places}
            made.append(MapPanel(", ".join(reversed(words)), own))
    return tuple(made), min(columns, MOST_COLUMNS)


def _level(axis: SettingAxis, place: int) -> str:
    return axis.levels[place] if axis.name == BUDGET else f"{axis.words} {axis.levels[place]}"


def draw(found: LeaderMap, models: Models, *, simulated: bool, width: float = svg.WIDTH) -> Drawn:
    """The figure.

    Args:
        found: the map.
        models: of the study.
        simulated: whether its study is.
        width: of the figure, inches.
    """
    made, columns = panels(found)
    rows = -(-len(made) // columns)
    levels = found.axes[0].levels
    with svg.drawing():
        fig = svg.figure(width, 0.75 + rows * (0.72 + 0.44 * len(levels)))
        axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        flat = list(axes.flat)
        for ax, panel in zip(flat, made, strict=False):
            _panel(ax, panel, found, len(models.names))
        for ax in flat[len(made) :]:
            ax.set_visible(False)
        for ax in axes[:, 0]:
            ax.set_ylabel(found.axes[0].words)
        for ax in axes[-1, :]:
            ax.set_xlabel("model" if models.capability is None or models.ordinal else "capability c")
        ticks = range(len(models.names))
        axes[0, 0].set_xticks(ticks, _ticks(models))
        axes[0, 0].set_yticks(range(len(levels)), levels)
        _legend(fig, found)
        alt = f"Heat maps of the leading strategy by model and {found.axes[0].words}. " + " ".join(map(_said, made))
        return svg.drawn(fig, "leaders", alt, simulated=simulated)


def _ticks(models: Models) -> list[str]:
    if models.capability is None or models.ordinal:
        return list(short_names(models.names, 11))
    return [f"{value:g}" for value in models.capability]


def _panel(ax: Axes, panel: MapPanel, found: LeaderMap, models: int) -> None:
    for (x, y), cell in panel.cells.items():
        _cell(ax, x, y, cell, found)
    ahead = {place for place, cell in panel.cells.items() if cell.gradient_ahead}
    for start, end in _outline(ahead):
        ax.plot(*zip(start, end, strict=True), color=svg.INK, lw=EDGE, solid_capstyle="projecting", zorder=5)
    ax.set_xlim(-0.5, models - 0.5)
    ax.set_ylim(-0.5, len(found.axes[0].levels) - 0.5)
    ax.set_title(panel.title)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _cell(ax: Axes, x: int, y: int, cell: LeaderCell, found: LeaderMap) -> None:
    """One cell: the leader's colour, its name and lead; hatched where the lead is not established."""
    from matplotlib.patches import Rectangle

    box = (x - 0.47, y - 0.45)
    if cell.lead is None:
        ax.add_patch(Rectangle(box, 0.94, 0.9, facecolor="none", edgecolor=svg.GRID, linewidth=0.8))
        ax.annotate("not\ncompared", (x, y), ha="center", va="center", fontsize=6.5, color=svg.MUTED)
        return
    alone = len(cell.leaders) == 1
    colour = _colour(found, cell.leaders[0]) if alone else svg.MUTED
    solid = cell.established
    ax.add_patch(
        Rectangle(
            box,
            0.94,
            0.9,
            facecolor=colour if solid else "none",
            edgecolor=colour,
            hatch=None if solid else "////",
            linewidth=0.8,
            alpha=1.0 if solid else 0.55,
            zorder=2,
        )
    )
    words = f"{short_names(cell.leaders[:1], 12)[0]}\n{points(cell.lead.gap)}" if alone else "tie"
    paper = None if solid else {"facecolor": svg.PAPER, "edgecolor": "none", "pad": 1.2}
    ax.annotate(
        words,
        (x, y),
        ha="center",
        va="center",
        fontsize=7.5,
        fontweight="bold" if solid else "normal",
        color=svg.PAPER if solid else svg.INK,
        bbox=paper,
        linespacing=1.15,
        zorder=4,
    )


def _colour(found: LeaderMap, strategy: str) -> str:
    place = found.strategies.index(strategy) + 1  # the first colour is grey, as ties are
    return str(svg.SERIES[place % len(svg.SERIES)])


def _outline(region: set[tuple[int, int]]) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The edges between cells of a region and others."""
    for x, y in sorted(region):
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if (x + dx, y + dy) in region:
                continue
            along = (0.0, 0.5) if dx else (0.5, 0.0)
            middle = (x + dx / 2, y + dy / 2)
            yield (middle[0] - along[0], middle[1] - along[1]), (middle[0] + along[0], middle[1] + along[1])


def _legend(fig: Figure, found: LeaderMap) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    seen = {name for cell in found.cells for name in cell.leaders if len(cell.leaders) == 1}
    entries: list[Patch | Line2D] = [
        Patch(facecolor=_colour(found, name), label=name) for name in found.strategies if name in seen
    ]
    entries.append(Patch(facecolor="none", edgecolor=svg.MUTED, hatch="////", label="hatched: lead not established"))
    if any(cell.gradient_ahead for cell in found.cells):
        label = f"{listing(found.of_family(GRADIENT))} ahead of the best tree search"
        entries.append(Line2D([], [], color=svg.INK, lw=EDGE, label=label))
    fig.legend(
        handles=entries, loc="outside upper left", ncols=min(len(entries), 6), handlelength=1.4, columnspacing=1.4
    )


def _said(panel: MapPanel) -> str:
    """A panel in words: in how many cells which strategy leads."""
    cells = list(panel.cells.values())
    found = f"{panel.title or 'All settings'}: leading {leads(cells)}."
    ahead = sum(cell.gradient_ahead for cell in cells)
    return found + (f" A gradient strategy is ahead of the best tree search in {ahead}." if ahead else "")


def leads(cells: Sequence[LeaderCell]) -> str:
    """In how many cells which strategy leads, and in how many of them that is established."""
    counts: dict[str, list[int]] = {}
    for cell in cells:
        if len(cell.leaders) == 1:
            own = counts.setdefault(cell.leaders[0], [0, 0])
            own[0] += 1
            own[1] += cell.established
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
    found = [f"{who} in {all_} ({sure} established)" for who, (all_, sure) in ordered]
    ties = sum(len(cell.leaders) > 1 for cell in cells)
    none = sum(not cell.leaders for cell in cells)
    found += [f"several tie in {ties}"] if ties else []
    found += [f"{none} could not be compared"] if none else []
    return f"of {plural(len(cells), 'cell')} {listing(found)}"
