"""The folders of synthetic tasks, in the layout of every task; written when they are first asked for."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from mlesearch.tasks import files
from mlesearch.tasks.synthetic.board import TEAMS, TRIALS, board
from mlesearch.tasks.synthetic.names import ID_PREFIX, SOURCE, tasks
from mlesearch.tasks.synthetic.outline import VERSION, outline
from mlesearch.tasks.synthetic.scoring import ids
from mlesearch.tasks.synthetic.world import SyntheticWorld, world
from mlesearch.types import ConfigError

TARGET = "level"

_GRADE = '''"""Scores the levels of a submission in the world {name}, version {version}."""

from mlesearch.tasks.synthetic.scoring import score


def grade(submission, answers):
    """The score of the pipeline that a submission describes."""
    return score("{name}", zip(submission["id"], submission["level"]))
'''

_DESCRIPTION = """# A synthetic pipeline

This task is a function of its name, made to study search strategies with simulated engineers. Nothing in it was
measured, and the words for choices and options mean nothing: a language model knows no more about it than a coin does.

A solution makes {count} choices. `train.csv` lists the options of each with their levels. For every choice, and for
the random state of the program (a whole number from 0 to 999), `validation.csv` and `test.csv` have a row. A submission
gives the level of each row. {direction}

The same levels have to be given for both files: what the validation rows say is scored with an error that belongs to
the pipeline, and one that belongs to the random state.

| choice | options, by level |
|---|---|
{table}
"""


class SyntheticSource:
    """A `TaskSource` of all synthetic tasks."""

    def names(self) -> Sequence[str]:
        """Every task, as `easy-01`."""
        return tasks()

    def folder(self, name: str) -> Path:
        """Its folder among the user's caches.

        Raises:
            ConfigError: it can't be written.
        """
        place = files.caches() / "mlesearch" / SOURCE / str(VERSION) / name
        if not place.is_dir():
            try:
                _write(place, name)
            except OSError as error:
                raise ConfigError(f"tasks: {place}: the task's folder can't be written: {error.strerror}") from error
        return place


def _write(place: Path, name: str) -> None:
    """Make the folder beside its place, then rename it: whoever is second finds it there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{name}-"))
    try:
        for path, text in contents(name).items():
            (made / path).parent.mkdir(exist_ok=True)
            (made / path).write_text(text, encoding="utf-8", newline="\n")
        made.chmod(0o755)
        os.rename(made, place)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not place.is_dir():
            raise


def contents(name: str) -> dict[str, str]:
    """The files of a task's folder, by their paths in it."""
    of = world(name)
    best, plain = of.best(), of.baseline
    answers = {split: _rows(of, split, best) for split in ("validation", "test")}
    sample = [row for split in answers for row in _rows(of, split, plain)]
    asked = {split: [(id, id.partition("-")[2]) for id in ids(of, split)] for split in answers}
    known = [
        (f"train-{q.name}-{level}", q.name, option, level)
        for q in of.questions
        for level, (option, _) in enumerate(q.options)
    ]
    return {
        "task.yaml": _declared(of),
        "description.md": _described(of),
        "grade.py": _GRADE.format(name=name, version=VERSION),
        "leaderboard.csv": _csv(("score",), [(f"{score:.5f}",) for score in board(of)]),
        "public/train.csv": _csv(("id", "choice", "option", TARGET), known),
        "public/validation.csv": _csv(("id", "asked"), asked["validation"]),
        "public/test.csv": _csv(("id", "asked"), asked["test"]),
        "public/sample_submission.csv": _csv(("id", TARGET), sample),
        "private/validation.csv": _csv(("id", TARGET), answers["validation"]),
        "private/test.csv": _csv(("id", TARGET), answers["test"]),
    }


def _rows(of: SyntheticWorld, split: str, levels: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(ids(of, split), (*levels, 0), strict=True))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _described(of: SyntheticWorld) -> str:
    lines = [f"| {q.name} | {', '.join(option for option, _ in q.options)} |" for q in of.questions]
    direction = "A higher score is better." if of.direction.sign > 0 else "A lower score is better."
    return _DESCRIPTION.format(count=len(of.questions), table="\n".join(lines), direction=direction)


def _declared(of: SyntheticWorld) -> str:
    difficulty = outline(of.name).difficulty
    content = {
        "id": f"{ID_PREFIX}{of.name}",
        "title": f"Synthetic pipeline {of.name}",
        "version": str(VERSION),
        "suite": SOURCE,
        "metric": "score" if of.direction.sign > 0 else "error",
        "direction": of.direction.value,
        "validation": "harness",
        "id_column": "id",
        "target_columns": [TARGET],
        "program_time_s": 60,
        "tags": [SOURCE, of.name.partition("-")[0]],
        "known_issues": [
            "its scores are made up by a function; they say nothing about language models or machine learning"
        ],
        "licence": "CC0 (generated)",
        "made_by": {
            "world": VERSION,
            "choices": difficulty.questions,
            "epistasis": difficulty.epistasis,
            "bias_sd": difficulty.bias_sd,
            "noise_sd": difficulty.noise_sd,
        },
        "leaderboard": {
            "teams": TEAMS,
            "source": f"random starts climbed by trial on validation; {', '.join(map(str, TRIALS))} programs a team",
        },
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
