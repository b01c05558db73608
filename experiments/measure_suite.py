"""What the tasks of the suite `mini` are like: prints the tables of docs/tasks.md.

    python experiments/measure_suite.py figures [task ...]
    python experiments/measure_suite.py ladder [--draws N] [task ...]

`figures` reads the shipped tables and boards: see `landscape_figures` for what each figure is.

`ladder` executes programs, some minutes in all. Rungs are chosen by validation scores alone: the default forest (the
baseline of the space), the pipeline that is best on the validation rows, `BETWEEN` pipelines whose validation scores
are spread evenly between the two, and `BELOW` below the forest. Each is executed with three values of random_state. Two
rungs separate where the better one is better in 97.5 % of the draws of a paired bootstrap, each of which draws the test
rows with replacement, and one of the three runs for either side. Levels are counted upwards, from the worst rung to the
forest and from the forest on: the next level is the next rung that separates from the last level.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mlesearch.experiments import landscape_figures, make_landscapes
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.spaces import TASKS, Pipeline, render, space
from mlesearch.tasks import folder, grading
from mlesearch.tasks.answers import answers
from mlesearch.tasks.leaderboard import scores as board_scores
from mlesearch.tasks.protocol import Task

BETWEEN, BELOW = 10, 3
RANDOM_STATES = (0, 1, 2)
SURE = 0.975


@cache
def figures(name: str) -> landscape_figures.Figures:
    """The figures of a shipped landscape and its board, signed so that larger is better."""
    task, where = folder.load(name), space(name)
    if task.board is None:
        raise ValueError(f"{name} has no board")
    rows = {p: make_landscapes.Result(r.validation, r.test, r.seconds) for p, r in truth.load(name).rows.items()}
    board = [where.direction.sign * score for score in board_scores(task.board)]
    return landscape_figures.figures(make_landscapes.landscape(where, rows), board)


def figures_table(names: Sequence[str]) -> list[str]:
    """The markdown table of all figures."""
    lines = [
        "| task | choices, pipelines | seconds: mean, largest | test score: worst, median, best "
        "| gold, silver, bronze, median | gold pipelines | local optima | ascent ends below gold: all, middle | steps "
        "| medals, golds of random search | rank correlation |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        where, f = space(name), figures(name)
        seconds = [row.seconds for row in truth.load(name).rows.values()]
        sign = where.direction.sign
        scores = ", ".join(f"{sign * s:.3f}" for s in (f.worst, f.middle, f.best))
        bars = ", ".join(f"{sign * s:.4f}" for s in (f.gold, f.silver, f.bronze, f.median))
        cells = [
            f"`{name}`",
            f"{len(where.choices)}, {len(where.pipelines)}",
            f"{np.mean(seconds):.2f}, {max(seconds):.2f}",
            scores,
            bars,
            f"{f.golden:.1%}",
            f"{f.optima}",
            f"{f.stuck:.0%}, {f.stuck_in_the_middle:.0%}",
            f"{f.steps:g}",
            f"{f.random_medals:.0%}, {f.random_golds:.1%}",
            f"{f.rank_correlation:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


@dataclass(frozen=True)
class Rung:
    """A pipeline that was executed: its scores by draw of the test rows (or all of them), one row a random state."""

    pipeline: Pipeline
    score: float
    drawn: npt.NDArray[np.float64]


def chosen(name: str) -> list[Pipeline]:
    """The rungs of a task, by validation score, the worst first."""
    where, table = space(name), truth.load(name)
    sign = where.direction.sign
    value = {p: sign * row.validation for p, row in table.rows.items()}
    forest, best = value[where.baseline], max(value.values())
    low = float(np.quantile(list(value.values()), 0.05))
    marks = [*np.linspace(min(low, forest), forest, BELOW + 1)[:-1], *np.linspace(forest, best, BETWEEN + 2)[1:]]
    near = [min(value, key=lambda p: abs(value[p] - mark)) for mark in marks]
    return sorted({*near, where.baseline}, key=lambda p: value[p])


def _test_score(task: Task, predicted: object, truth_: object, rows: npt.NDArray[np.int64]) -> float:
    said, right = (frame.iloc[rows].reset_index(drop=True) for frame in (predicted, truth_))  # type: ignore[attr-defined]
    score = grading.score_frame(task, said, right).score
    if score is None:
        raise RuntimeError(f"{task.id}: a draw of the test rows could not be scored")
    return score


def _run(name: str, draws: int) -> list[Rung]:
    """The rungs of a task, executed, the worst on the test rows first."""
    task, sign = folder.load(name), space(name).direction.sign
    right = answers(task).test
    rng = np.random.default_rng(0)
    every = np.arange(len(right))
    samples = [rng.integers(len(right), size=len(right)) for _ in range(draws)]
    rungs = []
    for pipeline in chosen(name):
        scores, first = [], 0.0
        for state in RANDOM_STATES:
            program = re.sub(r"random_state=\d+", f"random_state={state}", render(name, pipeline))
            _, said, _ = make_landscapes.predict(program, task)
            first = sign * _test_score(task, said, right, every) if state == 0 else first
            scores.append([sign * _test_score(task, said, right, rows) for rows in samples])
        rungs.append(Rung(pipeline, first, np.array(scores)))
    return sorted(rungs, key=lambda rung: rung.score)


def levels(rungs: Sequence[Rung]) -> list[Rung]:
    """The first rung, and each further one that separates from the last of these."""
    draws = rungs[0].drawn.shape[1]
    runs = np.random.default_rng(1).integers(len(RANDOM_STATES), size=(2, draws))
    found, at = [rungs[0]], np.arange(draws)
    for rung in rungs[1:]:
        ahead = rung.drawn[runs[0], at] - found[-1].drawn[runs[1], at]
        if np.mean(ahead > 0) >= SURE:
            found.append(rung)
    return found


def ladder_row(name: str, draws: int) -> str:
    """The markdown row of a task's ladder."""
    where = space(name)
    sign, rungs = where.direction.sign, _run(name, draws)
    at = next(i for i, rung in enumerate(rungs) if rung.pipeline == where.baseline)
    above = levels(rungs[at:])[1:]
    shown = ", ".join(f"{sign * rung.score:.3f}" for rung in above)
    below = len(levels(rungs[: at + 1])) - 1
    return f"| `{name}` | {sign * rungs[at].score:.3f} | {len(rungs)} | {below} | {len(above)} | {shown} |"


def main() -> None:
    """Command line: which table, for which tasks."""
    parser = argparse.ArgumentParser(description="Print the tables of docs/tasks.md on the suite mini.")
    parser.add_argument("table", choices=("figures", "ladder"))
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"any of {', '.join(TASKS)}; none: all")
    parser.add_argument("--draws", type=int, default=1000, help="draws of the paired bootstrap (default 1000)")
    arguments = parser.parse_args()
    names = arguments.tasks or list(TASKS)
    if arguments.table == "figures":
        print("\n".join(figures_table(names)))
        return
    print("| task | default forest | rungs | levels below it | levels above it | their test scores |")
    print("|---|---|---|---|---|---|")
    for name in names:
        print(ladder_row(name, arguments.draws), flush=True)


if __name__ == "__main__":
    main()
