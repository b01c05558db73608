"""The figures of rates, gaps and capability, each from results to a drawing with its alternative text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from mlesearch.analysis.comparisons.comparison import Comparison, groups
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.figures import svg
from mlesearch.analysis.figures.names import short_names
from mlesearch.analysis.figures.series import colour, hatch, legend, legend_label
from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.gaps import Gap
from mlesearch.analysis.text import interval, percent, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN_BARS = 16
"""So many bars stand in one column of two of a paper; more are drawn wider."""

GAP_PANELS = 6
"""So many comparisons are drawn as panels; all are in the tables."""

LABEL = 40
"""Characters of an axis's label in one line."""


def bars(results: Results, width: float = svg.WIDTH) -> Drawn:
    """Grouped bars of the outcome's rate by model, with the E2 interval."""
    board, models, arms = results.board, results.models.names, results.arms
    if len(models) * len(arms) > COLUMN_BARS:
        width = max(width, svg.TEXT_WIDTH)
    with svg.drawing():
        fig = svg.figure(width, 3.5)
        ax = fig.subplots()
        wide = 0.8 / max(len(arms), 3)
        bar_pt = wide * (width - 0.7) * 72 / len(models)
        halo, dot = min(3.0, 0.6 * bar_pt), min(22.0, 0.7 * bar_pt**2)
        for a, arm in enumerate(arms):
            x = np.arange(len(models)) + (a - (len(arms) - 1) / 2) * wide
            rate = 100 * board.e2.rate[:, a]
            edge = svg.PAPER if hatch(a) else None
            ax.bar(
                x,
                rate,
                wide * 0.9,
                color=colour(a),
                label=legend_label(arm.label),
                zorder=2,
                hatch=hatch(a),
                edgecolor=edge,
            )
            some_lost = board.counts.lost[:, a].sum(axis=-1) > 0
            low = np.where(some_lost, 100 * board.counts.least[:, a], 100 * board.e2.low[:, a])
            high = np.where(some_lost, 100 * board.counts.most[:, a], 100 * board.e2.high[:, a])
            known = ~np.isnan(low)
            ax.vlines(x[known], low[known], high[known], color=svg.PAPER, lw=halo, zorder=3)
            ax.vlines(x[known], low[known], high[known], color=svg.INK, lw=halo / 3, zorder=4)
            ax.scatter(
                x, rate, s=dot, color=colour(a), zorder=5, linewidths=halo / 3, edgecolors=svg.INK, clip_on=False
            )
        ax.set_xticks(np.arange(len(models)), short_names(models, 16 if len(models) < 8 else 11))
        if len(models) > 0.6 * width:
            ax.tick_params(axis="x", labelrotation=20 if width > svg.COLUMN_WIDTH else 45)
        if bool(np.isnan(board.e2.rate).any()):
            ax.set_xlim(-0.5, len(models) - 0.5)
        lowest = np.nanmin(np.concatenate((board.e2.rate.ravel(), board.e2.low.ravel(), [0.0])))
        ax.set_ylim(min(0.0, 100 * float(lowest)), 100)
        unit = "%" if results.claimed is None else "points"
        ax.set_ylabel("\n".join(wrap(f"{RATES[board.outcome]}, {unit}", LABEL)))
        ax.grid(axis="y")
        ax.spines["left"].set_visible(False)
        legend(fig, [arm.label for arm in arms])
        alt = (
            f"Bars of the {RATES[board.outcome]} in {unit.replace('%', 'percent')} by model and strategy. "
            + " ".join(
                f"{m}: " + ", ".join(f"{arm.label} {percent(board.e2.rate[i, a])}" for a, arm in enumerate(arms)) + "."
                for i, m in enumerate(models)
            )
        )
        return svg.drawn(fig, "rates", alt, simulated=results.tables.simulated)


def drawn_gaps(results: Results) -> tuple[Comparison, ...]:
    """The comparisons that `gap_bars` draws: the claim's first, then others in the order of the strategies."""
    return () if results.main is None else (results.main, *results.others)[:GAP_PANELS]


def gap_bars(results: Results, width: float = svg.WIDTH) -> Drawn:
    """Bars of the paired gap by model, one panel a treatment, hatched where the adjusted test does not reject."""
    if results.main is None:
        return Drawn("gaps")
    from matplotlib.patches import Patch

    comparisons = drawn_gaps(results)
    models = results.models.names
    columns = min(3, len(comparisons))
    rows = math.ceil(len(comparisons) / columns)
    reach = max(_reach(g) for c in comparisons for g in c.gaps)
    with svg.drawing():
        fig = svg.figure(width, rows * (1.15 + 0.36 * max(2, len(models))) + 0.35)
        axes = fig.subplots(rows, columns, sharey=True, squeeze=False)
        for i, c in enumerate(comparisons):
            _gap_panel(axes[i // columns][i % columns], c, models, reach, narrow=columns > 1)
        for i in range(len(comparisons), rows * columns):
            axes[i // columns][i % columns].set_visible(False)
        handles = [
            Patch(facecolor=svg.PLUS, edgecolor=svg.PLUS, label="ahead of the baseline"),
            Patch(facecolor=svg.MINUS, edgecolor=svg.MINUS, label="behind"),
            Patch(facecolor="none", edgecolor=svg.MUTED, hatch="/////", label="hatched: the test does not reject"),
        ]
        fig.legend(handles=handles, loc="outside lower left", ncols=3, handlelength=1.6)
        alt = " ".join(
            f"Gap of {c.treatment.label} over {c.baseline.label} in points: "
            + ", ".join(
                f"{m} not compared"
                if g.refused
                else f"{m} {points(g.gap)} ({'test rejects' if g.rejects() else 'test does not reject'})"
                for m, g in zip(models, c.gaps, strict=True)
            )
            + "."
            for c in comparisons
        )
        return svg.drawn(fig, "gaps", alt, simulated=results.tables.simulated)


def _reach(gap: Gap) -> float:
    """How far from zero a panel must show for this gap."""
    ends = [abs(v) for v in (gap.gap, gap.low, gap.high) if not math.isnan(v)]
    return float(100 * max([0.02, *ends]))


def _gap_panel(ax: Axes, c: Comparison, models: Sequence[str], reach: float, *, narrow: bool) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    y = np.arange(len(models))
    for place, gap in zip(y, c.gaps, strict=True):
        if gap.refused:
            ax.annotate("not compared", (0, place), va="center", ha="center", fontsize=8, color=svg.MUTED)
            continue
        colour = svg.PLUS if gap.gap >= 0 else svg.MINUS
        solid = gap.rejects()
        ax.barh(
            place,
            100 * gap.gap,
            0.56,
            facecolor=colour if solid else "none",
            edgecolor=colour,
            hatch=None if solid else "/////",
            linewidth=1.0 if gap.gap else 0.0,
            zorder=2,
        )
        if not math.isnan(gap.low):
            ax.hlines(place, 100 * gap.low, 100 * gap.high, color=svg.INK, lw=1.0, zorder=3)
            ax.scatter([100 * gap.gap], [place], s=9, color=svg.INK, zorder=4, linewidths=0)
        ax.annotate(
            points(gap.gap),
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=8,
            color=svg.INK,
        )
    ax.axvline(0, color=svg.INK, lw=0.9, zorder=1)
    ax.set_xlim(-reach * 1.05, reach * 1.05)
    ax.set_ylim(len(models) - 0.4, -0.6)
    ax.set_yticks(y, short_names(models))
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+g}".replace("-", "−") if v else "0"))
    ax.set_xlabel("gap, percentage points")
    kind = "declared, Holm" if c.confirmatory else "exploratory, BH"
    between = "\n" if narrow and len(c.treatment.label) + len(c.baseline.label) > 24 else " "
    ax.set_title(f"{c.treatment.label} −{between}{c.baseline.label}", pad=17)
    ax.annotate(
        kind,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 5),
        textcoords="offset points",
        ha="left",
        fontsize=7.5,
        color=svg.MUTED,
    )


def has_capability(results: Results) -> bool:
    """Whether gaps can be drawn against capability."""
    return results.main is not None and results.models.capability is not None and len(results.models.names) > 1


def gap_by_capability(results: Results, width: float = svg.WIDTH) -> Drawn:
    """The gap of each model against capability, with the gaps of the two groups; no fitted line."""
    c, order = results.main, results.models
    if c is None or order.capability is None or not has_capability(results):
        return Drawn("capability")
    from matplotlib.ticker import FuncFormatter

    x = _spread(order.capability) if order.ordinal else order.capability
    weak, strong = groups(order)
    with svg.drawing():
        fig = svg.figure(width, 3.3)
        ax = fig.subplots()
        ax.axhline(0, color=svg.INK, lw=0.9, zorder=1)
        low = np.array([100 * g.low for g in c.gaps])
        high = np.array([100 * g.high for g in c.gaps])
        y = np.array([100 * g.gap for g in c.gaps])
        colours = [svg.PLUS if g.gap >= 0 else svg.MINUS for g in c.gaps]
        known = ~np.isnan(low)
        ax.vlines(
            x[known], low[known], high[known], color=[k for k, s in zip(colours, known, strict=True) if s], lw=1.3
        )
        for place, value, gap, colour in zip(x, y, c.gaps, colours, strict=True):
            if gap.refused:
                continue
            face = colour if gap.rejects() else svg.PAPER
            ax.plot(place, value, "o", ms=6.5, mfc=face, mec=colour, mew=1.5, zorder=3)
        narrow = width < svg.TEXT_WIDTH
        between = "\n" if narrow else " "
        verdict = c.crossover
        if verdict is not None and verdict.weak is not None and verdict.strong is not None:
            for name, group, members in (("low", verdict.weak, weak), ("high", verdict.strong, strong)):
                at = np.array([x[order.names.index(m)] for m in members])
                pad = 0.02 * float(np.ptp(x))
                ax.hlines(100 * group.gap, at.min() - pad, at.max() + pad, color=svg.INK, lw=2.2, zorder=2)
                ax.axvspan(at.min() - pad, at.max() + pad, color=svg.GRID, alpha=0.45, lw=0, zorder=0)
                ax.annotate(
                    f"{name} group {points(group.gap)}{between}[90 % {interval(group.low, group.high)}]",
                    (float(at.mean()), 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, -4),
                    textcoords="offset points",
                    ha="center",
                    va="top",
                    fontsize=7.5,
                    color=svg.MUTED,
                )
        for place, value, model in zip(x, y, short_names(order.names), strict=True):
            if narrow:
                text = model if not math.isnan(value) else f"{model}: not compared"
                ax.annotate(
                    text, (place, 0.015), xycoords=("data", "axes fraction"), rotation=90, fontsize=7, ha="center"
                )
                continue
            ax.annotate(
                model if not math.isnan(value) else f"{model}: not compared",
                (place, 0 if math.isnan(value) else value),
                xytext=(7, 3),
                textcoords="offset points",
                fontsize=7.5,
                zorder=6,
                bbox={"facecolor": svg.PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
            )
        if order.ordinal:
            ax.set_xticks(range(len(order.tier_order)), order.tier_order)
            ax.set_xlabel("declared tier")
        else:
            ax.set_xlabel(f"capability ({order.source})" if order.source else "capability")
        ax.margins(x=0.08, y=0.3 if narrow else 0.18)
        if narrow:
            ax.set_ylim(bottom=ax.get_ylim()[0] - 0.25 * float(np.ptp(ax.get_ylim())))
        ax.update_datalim([(float(place), 0.0) for place in x])
        ax.set_title(f"{c.treatment.label} − {c.baseline.label}")
        ax.set_ylabel("gap, percentage points")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+g}".replace("-", "−") if v else "0"))
        ax.grid(axis="y")
        alt = (
            f"Gap of {c.treatment.label} over {c.baseline.label} against capability, weakest model first: "
            + ", ".join(
                f"{m} {'not compared' if g.refused else f'{points(g.gap)} points'}"
                for m, g in zip(order.names, c.gaps, strict=True)
            )
        )
        return svg.drawn(fig, "capability", f"{alt}.", simulated=results.tables.simulated)


def _spread(ranks: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Ordinal places with models of one tier side by side."""
    out = ranks.astype(np.float64).copy()
    for rank in np.unique(ranks):
        inside = np.flatnonzero(ranks == rank)
        out[inside] += (np.arange(inside.size) - (inside.size - 1) / 2) * min(0.16, 0.6 / max(1, inside.size))
    return out
