"""Executes every pipeline of the simulated engineer's spaces, and the reference teams of the leaderboards.

    python experiments/make_landscapes.py [--tasks FOLDER] [--scratch FOLDER] [--jobs N] [task ...]

For each task it writes mlesearch/models/simulated/tables/<task>.csv (validation score, test score and seconds of
every pipeline) and, beside the task's data, leaderboard.csv with the `leaderboard:` entry in task.yaml. Finished
executions are kept in the scratch folder by the digest of program and data, so that a stopped script goes on where
it was. Takes some minutes on two cores.

The leaderboard: each team searches the space at random, as many pipelines as it has tries (drawn from `TRIES`),
keeps the one that is best on the validation rows, gives the numbers in it a personal touch (every hyper-parameter
that `VARIED` finds is multiplied by 2^u, u uniform in [-0.5, 0.5], and random_state is drawn), executes that program
and submits. Its test score stands on the board. So a medal means to beat that share of such teams.
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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import yaml
from sklearn.metrics import accuracy_score, f1_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from mlesearch.models.simulated.spaces import TASKS, Pipeline, Space, render, space

PACKAGE = Path(__file__).resolve().parents[1] / "mlesearch"
TABLES = PACKAGE / "models" / "simulated" / "tables"
TASKS_FOLDER = PACKAGE / "tasks" / "data" / "mini"

TEAMS = 120
BOARD_SEED = 7
TRIES = (4, 8, 16, 32)
DECIMALS = 5

VARIED = re.compile(
    r"(?P<name>(?:n_estimators|max_iter|learning_rate|max_leaf_nodes|min_samples_leaf|l2_regularization|alpha|smooth"
    r"|n_neighbors|n_components|min_frequency|max_features)=)(?P<one>\d+(?:\.\d+)?)"
    r'|(?P<level>"(?:plain|tuned)": \()(?P<pair>[^)]*)(?=\))'
)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _accuracy(truth: pd.Series, said: pd.Series) -> float:
    return float(accuracy_score(truth, said))


def _macro_f1(truth: pd.Series, said: pd.Series) -> float:
    return float(f1_score(truth, said, average="macro"))


def _rmsle(truth: pd.Series, said: pd.Series) -> float:
    return float(np.sqrt(np.mean((np.log1p(said.to_numpy()) - np.log1p(truth.to_numpy())) ** 2)))


METRICS: dict[str, Callable[[pd.Series, pd.Series], float]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "rmsle": _rmsle,
}


@dataclass(frozen=True)
class Result:
    """One executed program: its scores, and the seconds of one processor that it took, imports not counted."""

    validation: float
    test: float
    seconds: float


def run(program: str, public: Path, place: Path) -> tuple[str, float]:
    """Run a program in this process, on one thread, in a directory that sees the task's public folder as `input`.

    Returns:
        What it printed, and the processor's seconds that it took.
    """
    before, printed = Path.cwd(), io.StringIO()
    (place / "input").symlink_to(public.resolve())
    os.chdir(place)
    try:
        with threadpool_limits(1), contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            started = time.process_time()
            exec(compile(program, "solution.py", "exec"), {"__name__": "__main__"})
            seconds = time.process_time() - started
    finally:
        os.chdir(before)
    return printed.getvalue(), seconds


def execute(program: str, folder: Path) -> Result:
    """Run a program in a temporary directory, and score what it wrote."""
    declared = yaml.safe_load((folder / "task.yaml").read_text(encoding="utf-8"))
    metric, target = METRICS[declared["metric"]], declared["target_columns"][0]
    with tempfile.TemporaryDirectory() as place:
        _, seconds = run(program, folder / "public", Path(place))
        said = pd.read_csv(Path(place) / "submission.csv").set_index("id")[target]
    scores = []
    for split in ("validation", "test"):
        answers = pd.read_csv(folder / "private" / f"{split}.csv").set_index("id")[target]
        scores.append(metric(answers, said.loc[answers.index]))
    return Result(round(scores[0], 9), round(scores[1], 9), round(seconds, 3))


def _work(job: tuple[str, str, Path]) -> tuple[str, Result]:
    key, program, folder = job
    return key, execute(program, folder)


def _nice() -> None:
    os.nice(10)


def _data_digest(folder: Path) -> str:
    digest = hashlib.sha256(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}".encode())
    for path in sorted([*folder.glob("public/*.csv"), *folder.glob("private/*.csv")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Executor:
    """Executes programs of one task, remembering what was executed before."""

    def __init__(self, folder: Path, scratch: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs
        self.data = _data_digest(folder)
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
        return hashlib.sha256(f"{self.data}\n{program}".encode()).hexdigest()

    def run(self, programs: Sequence[str]) -> list[Result]:
        """Results of programs, in their order; those executed before are looked up."""
        wanted = {self.key(p): p for p in programs}
        jobs = [(key, p, self.folder) for key, p in wanted.items() if key not in self.done]
        with get_context("spawn").Pool(self.jobs, _nice) as pool, self.file.open("a", encoding="utf-8") as out:
            for n, (key, result) in enumerate(pool.imap_unordered(_work, jobs), 1):
                self.done[key] = result
                out.write("\n" + json.dumps([key, asdict(result)]))
                out.flush()
                if n % 20 == 0 or n == len(jobs):
                    print(f"  {self.folder.name}: {n} of {len(jobs)} executed", flush=True)
        return [self.done[self.key(p)] for p in programs]


def personal(program: str, rng: random.Random) -> str:
    """The program with its numbers varied, as another team would have chosen them."""

    def vary(number: re.Match[str]) -> str:
        factor = 2.0 ** rng.uniform(-0.5, 0.5)
        value = float(number[0]) * factor
        return f"{value:.4g}" if "." in number[0] else str(max(2, round(value)))

    def replace(match: re.Match[str]) -> str:
        before, numbers = (match["name"], match["one"]) if match["name"] else (match["level"], match["pair"])
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


def write_table(where: Space, table: dict[Pipeline, Result]) -> None:
    TABLES.mkdir(exist_ok=True)
    with (TABLES / f"{where.task}.csv").open("w", encoding="utf-8", newline="") as file:
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


def positions(n: int) -> dict[str, int]:
    """1-based medal positions on a board of 100 to 249 teams."""
    return {"gold": 10, "silver": n // 5, "bronze": n * 2 // 5}


def medal_rate(where: Space, table: dict[Pipeline, Result], bar: float, steps: int = 12, runs: int = 20000) -> float:
    """Share of random searches whose best of `steps` uniform pipelines on validation reaches `bar` on test."""
    rng = random.Random(0)
    sign, won = where.direction.sign, 0
    for _ in range(runs):
        tried = [rng.choice(where.pipelines) for _ in range(steps)]
        best = max(tried, key=lambda p: sign * table[p].validation)
        won += sign * round(table[best].test, DECIMALS) >= sign * bar
    return won / runs


def report(where: Space, table: dict[Pipeline, Result], scores: Sequence[float]) -> None:
    sign = where.direction.sign
    tests = sorted((r.test for r in table.values()), key=lambda s: sign * s)
    seconds = [r.seconds for r in table.values()]
    board = sorted((round(s, DECIMALS) for s in scores), reverse=sign > 0)
    bars = {name: board[at - 1] for name, at in positions(len(board)).items()}
    bars["median"] = float(np.median(board))
    print(f"{where.task}: {len(table)} pipelines, {len(board)} teams")
    print(f"  test score: worst {tests[0]:.4f}, median {tests[len(tests) // 2]:.4f}, best {tests[-1]:.4f}")
    print(f"  seconds: mean {np.mean(seconds):.2f}, largest {max(seconds):.2f}")
    print("  " + ", ".join(f"{name} {bar:.5f}" for name, bar in bars.items()))
    for name in ("bronze", "silver", "gold"):
        print(f"  {name} or better by random search of 12 steps: {medal_rate(where, table, bars[name]):.3f}")


def make(tasks: Iterable[str], folder: Path, scratch: Path, jobs: int) -> None:
    for task in tasks:
        where = space(task)
        executor = Executor(folder / task, scratch, jobs)
        results = executor.run([render(task, p) for p in where.pipelines])
        table = dict(zip(where.pipelines, results, strict=True))
        scores = [r.test for r in executor.run(team_programs(where, table))]
        write_table(where, table)
        write_board(where, folder / task, scores)
        report(where, table, scores)


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute every pipeline; write tables of truth and leaderboards.")
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"any of {', '.join(TASKS)}; none: all")
    parser.add_argument("--tasks", dest="folder", type=Path, default=TASKS_FOLDER, help="folder that holds the tasks")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "mlesearch-landscapes")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.tasks if name not in TASKS]
    if unknown:
        parser.error(f"unknown task {unknown[0]!r}; choose from {', '.join(TASKS)}")
    make(arguments.tasks or TASKS, arguments.folder, arguments.scratch, arguments.jobs)


if __name__ == "__main__":
    main()
