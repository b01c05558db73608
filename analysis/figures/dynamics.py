"""The figure of the dynamics: how the best node so far develops over steps and charged time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlesearch.analysis.data.claim import Models
from mlesearch.analysis.data.codes import run_rows
from mlesearch.analysis.data.tables import has_result
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.figures import svg
from mlesearch.analysis.figures.names import short_names
from mlesearch.analysis.figures.series import colour, dash, legend_columns, legend_label
from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.measures.accounts import arm_labels
from mlesearch.analysis.measures.curves import Axis, Curve, Value, axis_points, mean_curve
from mlesearch.analysis.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = tuple[Axis, Value]

BAND_TASKS = 5
"""A band over tasks is drawn from this many tasks on."""

BAND_ARMS = 6
"""With more strategies there are no bands, which would cover each other."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve of the figure.

    Attributes:
        models: the model, or the group of models, of its column.
        arm: label of the strategy.
        axis: what x counts.
        value: what the curve shows.
        curve: the numbers.
    """

    models: str
    arm: str
    axis: Axis
    value: Value
    curve: Curve


def columns(models: Models) -> list[tuple[str, tuple[str, ...]]]:
    """The figure's columns: each model up to three, else tiers, else thirds by capability, else all together."""
    names = models.names
    if len(names) <= 3:
        return [(name, (name,)) for name in names]
    if models.tier_order and len(models.tier_order) <= 4:
        return [(t, tuple(m for m, own in zip(names, models.tier, strict=True) if own == t)) for t in models.tier_order]
    if models.capability is not None:
        parts = np.array_split(np.arange(len(names)), 3)
        titles = ("lowest third", "middle third", "highest third")
        return [(title, tuple(names[i] for i in part)) for title, part in zip(titles, parts, strict=True)]
    return [("all models", names)]


def panels(best: pd.DataFrame) -> list[Panel]:
    """The figure's rows: medals over steps where nodes have medals, and the standing over steps and charged time."""
    medals: list[Panel] = [("step", "medal")] if bool(best["medal"].notna().any()) else []
    return [*medals, ("step", "standing"), ("t_charged_s", "standing")]


def all_curves(results: Results) -> list[Line]:
    """Every curve of the figure: column, arm, axis, value, curve; none where no run is of what the curve shows."""
    runs = results.tables.runs.assign(arm=arm_labels(results.tables.runs, results.arms))
    runs = runs[has_result(runs)]
    if results.best.empty:
        return []
    places = run_rows(results.best, runs)
    ranked = runs.index.isin(counted(runs, "any_medal").index)
    runs = runs[["run_id", "model", "arm", "task", "steps", "charged_s"]]
    points = {axis: axis_points(results.best, runs, axis) for axis in ("step", "t_charged_s")}
    out = []
    for title, members in columns(results.models):
        for arm in results.arms:
            own = (runs["model"].isin(members) & (runs["arm"] == arm.label)).to_numpy(dtype=bool)
            if not own.any():
                continue
            for axis, value in panels(results.best):
                kept = own & ranked if value == "medal" else own
                if not kept.any():  # none of its runs is on a task with a leaderboard
                    continue
                row = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)[places]
                curve = mean_curve(results.best, runs[kept], axis, value, points[axis], row)
                out.append(Line(title, arm.label, axis, value, curve))
    return out


def has_bands(curves: list[Line]) -> bool:
    """Whether the figure of these curves has bands."""
    few = len({line.arm for line in curves}) <= BAND_ARMS
    return few and bool(curves) and curves[0].curve.tasks >= BAND_TASKS


def frame(curves: list[Line]) -> pd.DataFrame:
    """The curves as one long table."""
    if not curves:
        return pd.DataFrame(columns=["models", "strategy"])
    points = [line.curve.x.size for line in curves]

    def each(values: Iterable[object]) -> list[object]:
        return [value for value, n in zip(values, points, strict=True) for _ in range(n)]

    return pd.DataFrame(
        {
            "models": each(line.models for line in curves),
            "strategy": each(line.arm for line in curves),
            "axis": each(line.axis for line in curves),
            "value": each(line.value for line in curves),
            "x": np.concatenate([line.curve.x for line in curves]),
            "mean": np.concatenate([line.curve.mean for line in curves]),
            "sem_tasks": np.concatenate([line.curve.sem for line in curves]),
            "tasks": each(line.curve.tasks for line in curves),
            "runs": each(line.curve.runs for line in curves),
        }
    )


def draw(results: Results, curves: list[Line], width: float = svg.WIDTH) -> Drawn:
    """Small multiples: one column a model or tier, one row a pair of axis and value."""
    if not curves:
        return Drawn("dynamics")
    columns_of = list(dict.fromkeys(line.models for line in curves))
    titles = short_names(columns_of) if len(results.models.names) <= 3 else tuple(columns_of)
    shown = {(line.axis, line.value) for line in curves}
    rows = [panel for panel in panels(results.best) if panel in shown]
    arms = [arm.label for arm in results.arms]
    with svg.drawing():
        fig = svg.figure(width, 1.95 * len(rows) + 0.5)
        axes = fig.subplots(len(rows), len(titles), sharey="row", sharex="row", squeeze=False)
        first = {line.arm: line for line in reversed(curves)}  # which the legend is made of
        for line in curves:
            r, k = rows.index((line.axis, line.value)), columns_of.index(line.models)
            _trace(axes[r][k], line, arms.index(line.arm), labelled=line is first[line.arm], band=has_bands(curves))
        for r, (axis, value) in enumerate(rows):
            top = max(100 * float(line.curve.mean.max()) for line in curves if (line.axis, line.value) == (axis, value))
            for k, title in enumerate(titles):
                _dress(axes[r][k], axis, min(103.0, max(10.0, top * 1.12)))
                axes[r][k].set_title(title if r == 0 else "")
            axes[r][0].set_ylabel(Y_LABEL[value])
        fig.legend(loc="outside upper left", ncols=legend_columns(arms, width, 6), handlelength=2.4, columnspacing=1.6)
        ends = [
            f"{line.models} {line.arm} {100 * float(line.curve.mean[-1]):.0f}"
            for line in curves
            if (line.axis, line.value) == rows[0]
        ]
        what = "any-medal rate" if rows[0][1] == "medal" else "standing"
        alt = f"Curves of the best program so far over steps and charged time; final {what} in percent: "
        said = f"{alt}{', '.join(ends)}."
        return svg.drawn(fig, "dynamics", said, simulated=results.tables.simulated)


X_LABEL = {"step": "steps", "t_charged_s": "charged time, s"}
Y_LABEL = {"medal": "any medal, % of runs", "standing": "standing in this study, %"}


def _trace(ax: Axes, line: Line, place: int, labelled: bool, band: bool) -> None:
    """One curve, with its band where the figure has bands."""
    curve, ink = line.curve, colour(place)
    label = legend_label(line.arm) if labelled else None
    x = np.append(curve.x, 1.05 * curve.x[-1])  # so that what the last step brought is seen
    ax.step(
        x,
        100 * np.append(curve.mean, curve.mean[-1]),
        where="post",
        color=ink,
        ls=dash(place),
        lw=1.7,
        label=label,
    )
    if band:
        low, high = 100 * (curve.mean - curve.sem), 100 * (curve.mean + curve.sem)
        ax.fill_between(curve.x, low.clip(0), high.clip(max=100), step="post", color=ink, alpha=0.1, lw=0)


def _dress(ax: Axes, axis: Axis, top: float) -> None:
    ax.grid(axis="y")
    ax.set_ylim(0, top)
    ax.set_xlim(left=0)
    ax.set_xlabel(X_LABEL[axis])
    ax.spines["left"].set_visible(False)
