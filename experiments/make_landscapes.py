"""Executes every pipeline of the simulated engineer's spaces, and the reference teams of the leaderboards.

    python experiments/make_landscapes.py [--tasks FOLDER] [--tables FOLDER] [--scratch FOLDER] [--jobs N] [task ...]

For each task it writes mlesearch/models/simulated/tables/<task>.csv (validation score, test score and seconds of
every pipeline, below a header of settings) and, beside the task's data, leaderboard.csv with the `leaderboard:` entry
in task.yaml. Finished executions are kept in the scratch folder by the digest of program, data and versions, so that a
stopped script goes on where it was. Some minutes a task on one core.

The leaderboard: each team searches the space at random, as many pipelines as it has tries (drawn from `TRIES`),
keeps the one that is best on the validation rows, gives the numbers in it a personal touch (every hyper-parameter
that `VARIED` finds is multiplied by 2^u, u uniform in [-0.5, 0.5], but what is at most 1 stays so, and random_state is
drawn), executes that program and submits. Its test score stands on the board. So a medal means to beat that share of
such teams.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import random
import re
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn
import yaml
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from mlesearch.experiments import landscape_figures
from mlesearch.models.simulated.spaces import TASKS, Pipeline, Space, render, space
from mlesearch.tasks import folder as folders
from mlesearch.tasks import grading, submission
from mlesearch.tasks.answers import answers
from mlesearch.tasks.protocol import Task

PACKAGE = Path(__file__).resolve().parents[1] / "mlesearch"
TABLES = PACKAGE / "models" / "simulated" / "tables"
TASKS_FOLDER = PACKAGE / "tasks" / "data" / "mini"

TEAMS = 120
BOARD_SEED = 7
TRIES = (8, 16, 32, 64)
DECIMALS = grading.SCORE_DECIMALS

VARIED = re.compile(
    r"(?P<name>(?:n_estimators|max_iter|learning_rate|max_leaf_nodes|min_samples_leaf|l2_regularization|alpha|smooth"
    r"|n_neighbors|n_components|min_frequency|max_features)=)(?P<one>\d+(?:\.\d+)?)"
    r"|(?P<level>\"\w+\": \()(?P<many>[0-9.,\s]*\d[^)]*)(?=\))"
)
"""Hyper-parameters of a program: keyword arguments of these names, and the numbers of a level's tuple."""

NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Result:
    """One executed program: its scores, and the seconds of one processor that it took, imports not counted."""

    validation: float
    test: float
    seconds: float


HIDDEN_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Kinds of warnings that Python does not print unless it is told to; of deprecations, those that a library causes."""


def _as_python_shows_them() -> None:
    """Filter warnings as `python solution.py` does, but for repeated ones, which it prints once."""
    warnings.resetwarnings()
    warnings.simplefilter("always")
    for hidden in HIDDEN_WARNINGS:
        warnings.simplefilter("ignore", hidden)
    warnings.filterwarnings("always", category=DeprecationWarning, module="__main__")


def run(program: str, public: Path, place: Path, *, shown: list[str] | None = None) -> tuple[str, float]:
    """Run a program in this process, on one thread, in a directory that sees the task's public folder as `input`.

    Args:
        program: its text.
        public: the task's public folder.
        place: the directory to run in.
        shown: takes the warnings that Python would have printed, each as kind and text; None: they are dropped.

    Returns:
        What it printed, and the processor's seconds that it took.
    """
    before, printed = Path.cwd(), io.StringIO()
    (place / "input").symlink_to(public.resolve())
    os.chdir(place)
    try:
        with (
            threadpool_limits(1),
            contextlib.redirect_stdout(printed),
            warnings.catch_warnings(record=shown is not None) as caught,
        ):
            warnings.simplefilter("ignore")
            if shown is not None:
                _as_python_shows_them()
            started = time.process_time()
            exec(compile(program, "solution.py", "exec"), {"__name__": "__main__"})
            seconds = time.process_time() - started
        if shown is not None and caught is not None:
            shown += [f"{warning.category.__name__}: {warning.message}" for warning in caught]
    finally:
        os.chdir(before)
    return printed.getvalue(), seconds


def predict(program: str, task: Task) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Run a program in a temporary directory: its predictions for the validation and the test rows, and its seconds.

    Raises:
        RuntimeError: its submission is invalid.
    """
    with tempfile.TemporaryDirectory() as place:
        _, seconds = run(program, task.public_dir, Path(place))
        read = grading.read_submission(Path(place) / "submission.csv", task)
    if read.frame is None:
        raise RuntimeError(f"{task.id}: {read.problem}\n{program}")
    return *submission.split(read.frame, task), seconds


def execute(program: str, task: Task) -> Result:
    """Run a program, and score what it wrote as the task's own grader does, unrounded."""
    validation, test, seconds = predict(program, task)
    right = answers(task)
    scores = []
    for said, truth in ((validation, right.validation), (test, right.test)):
        if truth is None:
            raise RuntimeError(f"{task.id} has no validation rows")
        score = grading.score_frame(task, said, truth).score
        if score is None:
            raise RuntimeError(f"{task.id}: a score is missing\n{program}")
        scores.append(round(score, 9))
    return Result(scores[0], scores[1], round(seconds, 3))


def _work(job: tuple[str, str, Path]) -> tuple[str, Result]:
    key, program, folder = job
    return key, execute(program, folders.load(folder, board=False))


def _nice() -> None:
    os.nice(10)


VERSIONS = {
    "scikit-learn": sklearn.__version__,
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "pandas": pd.__version__,
}


def environment() -> dict[str, str]:
    """What scores may depend on beyond program and data: versions, and the kernels of linear algebra in use here."""
    kernels = {info.get("architecture", "") for info in threadpool_info() if info["user_api"] == "blas"}
    return {**VERSIONS, "blas kernels": " ".join(sorted(kernels))}


def data_digest(folder: Path) -> str:
    """sha256 of a task's tables: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("public/*.csv"), *folder.glob("private/*.csv")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Executor:
    """Executes programs of one task, remembering what was executed before."""

    def __init__(self, folder: Path, scratch: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs
        self.setting = json.dumps([data_digest(folder), VERSIONS], sort_keys=True)
        scratch.mkdir(parents=True, exist_ok=True)
        self.file = scratch / f"{folder.name}.jsonl"
        self.done: dict[str, Result] = {}
        self.file.touch()
        for line in self.file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the line that was being written when it was stopped
                key, result = json.loads(line)
                self.done[key] = Result(**result)

    def key(self, program: str) -> str:
        """Digest of a program with the data and the library versions."""
        return hashlib.sha256(f"{self.setting}\n{program}".encode()).hexdigest()

    def _results(self, jobs: Sequence[tuple[str, str, Path]]) -> Iterator[tuple[str, Result]]:
        if self.jobs == 1:
            yield from map(_work, jobs)
            return
        with get_context("spawn").Pool(self.jobs, _nice) as pool:
            yield from pool.imap_unordered(_work, jobs)

    def run(self, programs: Sequence[str]) -> list[Result]:
        """Results of programs, in their order; those executed before are looked up."""
        wanted = {self.key(p): p for p in programs}
        jobs = [(key, p, self.folder) for key, p in wanted.items() if key not in self.done]
        random.Random(0).shuffle(jobs)  # so that what is there after a while is a sample of all
        with self.file.open("a", encoding="utf-8") as out:
            for n, (key, result) in enumerate(self._results(jobs), 1):
                self.done[key] = result
                out.write("\n" + json.dumps([key, asdict(result)]))
                out.flush()
                if n % 50 == 0 or n == len(jobs):
                    print(f"  {self.folder.name}: {n} of {len(jobs)} executed", flush=True)
        return [self.done[self.key(p)] for p in programs]


def personal(program: str, rng: random.Random) -> str:
    """The program with its numbers varied, as another team would have chosen them."""

    def vary(number: re.Match[str]) -> str:
        factor = 2.0 ** rng.uniform(-0.5, 0.5)
        value = float(number[0]) * factor
        if float(number[0]) <= 1:  # a share stays one
            value = min(value, 1.0 if float(number[0]) == 1 else 0.99)
        return f"{value:.4g}" if "." in number[0] else str(max(2, round(value)))

    def replace(match: re.Match[str]) -> str:
        before, numbers = (match["name"], match["one"]) if match["name"] else (match["level"], match["many"])
        return before + NUMBER.sub(vary, numbers)

    return re.sub(r"random_state=\d+", lambda _: f"random_state={rng.randrange(10**6)}", VARIED.sub(replace, program))


def team_programs(where: Space, table: dict[Pipeline, Result]) -> list[str]:
    """The program that each team submits."""
    programs = []
    for team in range(TEAMS):
        rng = random.Random(f"{BOARD_SEED} {where.task} {team}")
        tried = [rng.choice(where.pipelines) for _ in range(rng.choice(TRIES))]
        best = max(tried, key=lambda p: where.direction.sign * table[p].validation)
        programs.append(personal(render(where.task, best), rng))
    return programs


def write_table(where: Space, table: dict[Pipeline, Result], folder: Path, tables: Path) -> None:
    """The table of a task: settings as lines that begin with #, then a row a pipeline."""
    settings = {
        "task": where.task,
        "data": f"sha256 {data_digest(folder)}",
        "script": "experiments/make_landscapes.py",
        **environment(),
        "threads": 1,
        "seconds": "of the processor, for the program alone, imports not counted",
        "scores": "of the task's own grader, 9 decimals",
    }
    tables.mkdir(exist_ok=True)
    with (tables / f"{where.task}.csv").open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {key}: {value}\n" for key, value in settings.items())
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(c.name for c in where.choices), "validation", "test", "seconds"])
        writer.writerows([*p, r.validation, r.test, r.seconds] for p, r in table.items())


def write_board(where: Space, folder: Path, scores: Sequence[float]) -> None:
    """leaderboard.csv, best first, and its entry in task.yaml."""
    ordered = sorted(scores, reverse=where.direction.sign > 0)
    text = "score\n" + "".join(f"{score:.{DECIMALS}f}\n" for score in ordered)
    (folder / "leaderboard.csv").write_text(text, encoding="utf-8")
    declared = yaml.safe_load((folder / "task.yaml").read_text(encoding="utf-8"))
    declared["leaderboard"] = {
        "teams": len(scores),
        "seed": BOARD_SEED,
        "source": "experiments/make_landscapes.py: test scores of executed reference pipelines; each team is the best "
        f"on validation of {TRIES[0]} to {TRIES[-1]} random ones, its hyper-parameters varied",
    }
    (folder / "task.yaml").write_text(
        yaml.safe_dump(declared, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8"
    )


def landscape(where: Space, table: dict[Pipeline, Result]) -> landscape_figures.Landscape:
    """The table in the form in which its figures are computed."""
    sign = where.direction.sign
    rows = [table[p] for p in where.pipelines]
    return landscape_figures.Landscape(
        where, np.array([sign * r.validation for r in rows]), np.array([sign * round(r.test, DECIMALS) for r in rows])
    )


def report(where: Space, table: dict[Pipeline, Result], scores: Sequence[float]) -> None:
    """Print what a task's landscape is like."""
    seconds = [r.seconds for r in table.values()]
    print(f"  seconds: mean {np.mean(seconds):.2f}, largest {max(seconds):.2f}")
    sign = where.direction.sign
    figures = landscape_figures.figures(landscape(where, table), [sign * round(s, DECIMALS) for s in scores])
    print("\n".join(f"  {line}" for line in landscape_figures.lines(figures, sign)), flush=True)


def make(tasks: Iterable[str], folder: Path, tables: Path, scratch: Path, jobs: int) -> None:
    """Execute, write table and board, and report, a task after the other."""
    for task in tasks:
        where = space(task)
        executor = Executor(folder / task, scratch, jobs)
        print(f"{task}: {len(where.pipelines)} pipelines", flush=True)
        results = executor.run([render(task, p) for p in where.pipelines])
        table = dict(zip(where.pipelines, results, strict=True))
        scores = [r.test for r in executor.run(team_programs(where, table))]
        write_table(where, table, folder / task, tables)
        write_board(where, folder / task, scores)
        report(where, table, scores)


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute every pipeline; write tables of truth and leaderboards.")
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"any of {', '.join(TASKS)}; none: all")
    parser.add_argument("--tasks", dest="folder", type=Path, default=TASKS_FOLDER, help="folder that holds the tasks")
    parser.add_argument("--tables", type=Path, default=TABLES, help="folder that takes the tables")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "mlesearch-landscapes")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.tasks if name not in TASKS]
    if unknown:
        parser.error(f"unknown task {unknown[0]!r}; choose from {', '.join(TASKS)}")
    make(arguments.tasks or TASKS, arguments.folder, arguments.tables, arguments.scratch, arguments.jobs)


if __name__ == "__main__":
    main()
