"""The figures of mechanism, cost and failures, each from results to a drawing with its alternative text."""

from __future__ import annotations

import math
from textwrap import wrap

import numpy as np
import pandas as pd

from mlesearch.analysis.figures import svg
from mlesearch.analysis.figures.names import short_names
from mlesearch.analysis.figures.series import PART_HATCHES, colour, legend, legend_label, marker
from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.measures.accounts import OPS
from mlesearch.analysis.results import Results

TITLE = 11
"""Characters of a panel's title in an inch."""


def mechanism(results: Results, width: float = svg.WIDTH) -> Drawn:
    """Improvement rate and direction accuracy by model and strategy."""
    frame, models, arms = results.mechanism, results.models.names, results.arms
    panels = [
        (name, label)
        for name, label in (
            ("improvement_rate", "improvement rate: steps that beat their base"),
            ("direction_accuracy", "direction accuracy: hypotheses whose sign came true"),
        )
        if bool(frame[name].notna().any())
    ]
    if not panels:
        return Drawn("mechanism")
    with svg.drawing():
        fig = svg.figure(width, 1.15 + max(0.42, 0.07 * len(arms)) * max(2, len(models)))
        axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        step = 0.62 / max(1, len(arms))
        for ax, (name, label) in zip(axes, panels, strict=True):
            for a, arm in enumerate(arms):
                part = frame[frame["strategy"] == arm.label].set_index("model").loc[list(models)]
                y = np.arange(len(models)) + (a - (len(arms) - 1) / 2) * step
                value = 100 * part[name].to_numpy(dtype=np.float64)
                sem = 100 * part[f"{name}_sem_tasks"].to_numpy(dtype=np.float64)
                some = ~np.isnan(value)
                spread = some & ~np.isnan(sem)
                low, high = np.maximum(value - sem, 0), np.minimum(value + sem, 100)
                ax.hlines(y[spread], low[spread], high[spread], color=colour(a), lw=1.2)
                ax.plot(
                    value[some],
                    y[some],
                    marker(a),
                    color=colour(a),
                    ms=5.5,
                    ls="none",
                    label=legend_label(arm.label) if ax is axes[0] else None,
                )
            ax.set_xlim(-2, 102)
            ax.set_ylim(len(models) - 0.5, -0.5)
            ax.set_yticks(np.arange(len(models)), short_names(models))
            ax.grid(axis="x")
            ax.spines["left"].set_visible(False)
            ax.set_title("\n".join(wrap(label, int(TITLE * width / len(panels)))), fontsize=8.5)
            ax.set_xlabel("%")
        legend(fig, [arm.label for arm in arms])
        shown = {"improvement_rate": "Improvement rate", "direction_accuracy": "Direction accuracy"}
        alt = "Dots by model and strategy. " + " ".join(
            f"{shown[name]}, mean over models: "
            + ", ".join(_mean_text(frame[frame["strategy"] == arm.label][name].mean(), arm.label) for arm in arms)
            + "."
            for name, _ in panels
        )
        return svg.drawn(fig, "mechanism", alt, simulated=results.tables.simulated)


def _mean_text(value: float, label: str) -> str:
    return f"{label} none" if math.isnan(value) else f"{label} {100 * value:.0f} %"


def spending(results: Results, width: float = svg.WIDTH) -> Drawn:
    """Stacked bars: what each strategy spent on each operator, per run."""
    frame = results.cost_by_operator
    if frame.empty:
        return Drawn("cost")
    usd = bool(frame["usd"].notna().all()) and float(frame["usd"].sum()) > 0
    runs = results.cost.set_index("strategy")["runs"].clip(lower=1)
    amounts = frame.assign(
        tokens=(frame["tokens_in"] + frame["tokens_out"]) / frame["strategy"].map(runs) / 1000,
        usd=frame["usd"] / frame["strategy"].map(runs),
    )
    panels = [("tokens", "thousand tokens per run")] + ([("usd", "US dollars per run")] if usd else [])
    return _stacked(
        results,
        "cost",
        amounts.rename(columns={"operator": "part"}),
        panels,
        "What each strategy spent per run, by operator",
        width,
    )


def failures(results: Results, width: float = svg.WIDTH) -> Drawn:
    """Stacked bars: share of programs by how they failed."""
    frame = results.failures
    frame = frame[(frame["status"] != "ok") & (frame["programs"] > 0)] if not frame.empty else frame
    if frame.empty:
        return Drawn("failures")
    shares = frame.assign(percent=100 * frame["share"]).rename(columns={"status": "part"})
    return _stacked(
        results, "failures", shares, [("percent", "% of all programs")], "Programs that failed, by kind", width
    )


def _stacked(
    results: Results, name: str, frame: pd.DataFrame, panels: list[tuple[str, str]], what: str, width: float
) -> Drawn:
    """Horizontal stacked bars of `frame` (strategy, part, value columns)."""
    labels = [arm.label for arm in results.arms]
    frame = frame[frame[[value for value, _ in panels]].gt(0).any(axis=1)]
    if frame.empty:
        return Drawn(name)
    parts = [op for op in OPS if op in set(frame["part"])]
    parts += [part for part in dict.fromkeys(frame["part"]) if part not in parts]
    with svg.drawing():
        fig = svg.figure(width, 1.0 + 0.34 * len(labels))
        axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        said = []
        for ax, (value, unit) in zip(axes, panels, strict=True):
            table = frame.pivot(index="strategy", columns="part", values=value).reindex(labels)[parts].fillna(0.0)
            left = np.zeros(len(labels))
            for i, part in enumerate(parts):
                amount = table[part].to_numpy(dtype=np.float64)
                ax.barh(
                    np.arange(len(labels)),
                    amount,
                    0.62,
                    left=left,
                    color=svg.PARTS[i % 8],
                    edgecolor=svg.PAPER,
                    hatch=PART_HATCHES[i % len(PART_HATCHES)],
                    linewidth=0.8,
                    label=part.replace("_", " ") if ax is axes[0] else None,
                )
                left += amount
            ax.set_ylim(len(labels) - 0.5, -0.5)
            ax.set_yticks(np.arange(len(labels)), labels)
            ax.set_xlabel(unit)
            ax.grid(axis="x")
            ax.spines["left"].set_visible(False)
            said.append(f"{unit}: " + ", ".join(f"{s} {v:.3g}" for s, v in zip(labels, left, strict=True)))
        legend(fig, parts)
        alt = f"{what}. Totals in {'; '.join(said)}."
        return svg.drawn(fig, name, alt, simulated=results.tables.simulated)
