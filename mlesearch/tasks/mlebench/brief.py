"""What a search is told of a competition: its description behind a word of our own, and what a program must write.

All of it enters the task's version.
"""

from __future__ import annotations

from collections.abc import Sequence

_HEAD = """\
A competition of Kaggle as MLE-bench prepares it. Where its text below says otherwise, this holds:
- The test rows were taken from the competition's training data, so numbers of rows and files can differ from the text.
- What counts is one CSV file, `submission.csv`. Nothing is uploaded, and no notebook or code is submitted.
- Rules on notebooks, run times, teams, dates and numbers of submissions do not apply; the limits named elsewhere do.
- Labels of the test rows from anywhere outside the given data must not be used.
"""
_UNPACKED = "- Archives that the text names are unpacked already.\n"

_READ_AND_WRITE = """\
The program is one Python script, started in a working directory of its own.
Read: the folder `input/` (read-only) holds the files listed under data.
Write: `submission.csv` in the working directory, a CSV file in UTF-8 in the format of `input/{sample}`: the columns \
{columns}, in this order and no other (no index), and exactly the rows of that file, in its order. Values stay within \
the range of the metric; probabilities of classes that exclude each other sum to 1 in every row.
"""
_REPORTED = """\
Validation: every program of this search validates on the same five folds of the labelled rows, so that their scores \
can be compared. The rows keep the order of their file; the folds are those of scikit-learn's \
`StratifiedKFold(n_splits=5, shuffle=True, random_state=0)` on the target where it is a class label, else of \
`KFold(n_splits=5, shuffle=True, random_state=0)`, unless the description calls for another split (by group, by time), \
which is then cut into five folds likewise. A program that cannot train on all five within the time limit takes the \
first of these folds, never others, and prints how many. The score is the mean over the folds taken.
Score: the metric {metric} of the description on the held-out rows of this split, on which nothing was fitted, \
reported as the very last line of output, in the form `validation_score: 0.1234`. Writing `metrics.json` with the \
content `{{"validation_score": 0.1234}}` does as well.
"""
_HELD_OUT = """\
Score: the rows to predict are labelled rows that were held out, and the official grader scores the submission on them \
by the metric {metric} of the description. The program need not validate for that, and no score that it prints counts.
Later: the program that is chosen in the end runs once more, unchanged, on all the labelled rows, with other rows to \
predict. Files, columns and formats are the same there; ids, rows and their numbers are not, and there are somewhat \
more labelled rows. So it takes ids and numbers of rows from its files, relies on none that it was told, and leaves \
some of its time unused.
"""
_TIME = "Time: it must end by itself within the time limit."


def description(text: str, *, unpacked: bool) -> str:
    """A competition's own description behind what holds in place of parts of it.

    Args:
        text: of the competition.
        unpacked: whether archives of it are unpacked.
    """
    return f"{_HEAD}{_UNPACKED if unpacked else ''}\n{text.strip()}\n"


def contract(sample: str, columns: Sequence[str], metric: str) -> str:
    """What a program must read, write and print.

    Args:
        sample: name of the sample submission in the public folder.
        columns: of it, in order.
        metric: title of the metric.
    """
    return _filled(_REPORTED, sample, columns, metric)


def contract_held_out(sample: str, columns: Sequence[str], metric: str) -> str:
    """What a program must read and write, where a held-out set scores it.

    Args:
        sample: as `contract`.
        columns: likewise.
        metric: likewise.
    """
    return _filled(_HELD_OUT, sample, columns, metric)


def _filled(score: str, sample: str, columns: Sequence[str], metric: str) -> str:
    text = f"{_READ_AND_WRITE}{score}{_TIME}"
    return text.format(sample=sample, columns=", ".join(f"`{c}`" for c in columns), metric=metric)
