"""The mistakes that the simulated engineer makes: each a real change of the code.

Every program of a space has the same few lines (the anchors below); a bug replaces one of them. Bugs are found
again by the line that they leave. Several may sit in one program as long as they have different anchors.
"""

from __future__ import annotations

from dataclasses import dataclass

FIT = "model.fit(X_train, y_train)\n"
ROWS = "(X_rows)\n"
INDEX = 'index=rows["id"]'
BLANK = 'submission = sample[["id"]].copy()\n'
SAVE = 'submission.to_csv("submission.csv", index=False)\n'
LABELS = 'train["{target}"]'

ANCHORS = (LABELS, FIT, ROWS, BLANK, INDEX, SAVE)
"""Texts that every program holds exactly once (`{target}` is the task's own)."""


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake.

    Attributes:
        name: of the mistake.
        before: the anchor that it replaces.
        after: what stands there instead.
        weight: how often it is made, relative to the others.
        silent: the program runs and scores all the same.
        symptom: what someone who understands it would say, one sentence.
    """

    name: str
    before: str
    after: str
    weight: float
    silent: bool
    symptom: str


BUGS: dict[str, Bug] = {
    bug.name: bug
    for bug in (
        Bug(
            "column",
            LABELS,
            'train["{target}_value"]',
            3.0,
            False,
            "The program reads a column that the training file does not have.",
        ),
        Bug(
            "name",
            FIT,
            "model.fit(x_train, y_train)\n",
            2.0,
            False,
            "The training matrix is misspelt, so the name is not defined when the model is fitted.",
        ),
        Bug(
            "timeout",
            FIT,
            "change = 1.0\n"
            "while change > 0.0:  # refine until nothing changes any more\n"
            "    change = max(0.5 * change, 1e-12)\n" + FIT,
            0.2,
            False,
            "The refinement loop never ends, because the change is kept above zero.",
        ),
        Bug(
            "shape",
            ROWS,
            "(X_rows[:, :-1])\n",
            3.0,
            False,
            "The rows to predict have one feature less than the training matrix.",
        ),
        Bug(
            "leak",
            ROWS,
            ROWS + 'print("validation score:", model.score(X_train, y_train))\n',
            1.5,
            True,
            "The printed validation score is computed on the training rows, so it leaks their labels and says nothing.",
        ),
        Bug(
            "rows",
            BLANK,
            'submission = test[["id"]].copy()\n',
            3.0,
            False,
            "The submission holds the test rows only; the validation rows are missing.",
        ),
        Bug(
            "nan",
            INDEX,
            "index=rows.index",
            2.0,
            False,
            "Predictions are looked up by position instead of by id, so that NaN is written for most ids.",
        ),
        Bug(
            "format",
            SAVE,
            'submission.to_csv("submission.csv", index=False, header=False)\n',
            2.0,
            False,
            "The submission has no header, so its columns are not those of the sample submission.",
        ),
        Bug(
            "path",
            SAVE,
            'submission.to_csv("working/submission.csv", index=False)\n',
            1.0,
            False,
            "The submission is written to a folder that does not exist.",
        ),
    )
}
"""Every known bug, in the order in which several are written into one program."""


def inject(name: str, code: str, target: str) -> str:
    """The program with one bug more.

    Raises:
        ValueError: the anchor is gone, since another bug sits there or this is no program of a space.
    """
    bug = BUGS[name]
    before = bug.before.format(target=target)
    if code.count(before) != 1:
        raise ValueError(f"bug {name!r} finds its place {code.count(before)} times, expected once")
    return code.replace(before, bug.after.format(target=target))


def present(code: str, target: str) -> tuple[str, ...]:
    """Names of the bugs whose lines a program holds, in the order of `BUGS`."""
    return tuple(name for name, bug in BUGS.items() if bug.after.format(target=target) in code)


def compatible(bugs: tuple[str, ...]) -> list[str]:
    """Bugs that could be added to those that a program has: no two at one anchor."""
    taken = {BUGS[name].before for name in bugs}
    return [name for name, bug in BUGS.items() if bug.before not in taken]


def ordered(names: tuple[str, ...]) -> tuple[str, ...]:
    """Bugs in the order in which they are written into a program."""
    return tuple(name for name in BUGS if name in names)
