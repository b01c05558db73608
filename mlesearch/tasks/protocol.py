"""What a task is to the rest of the package: a folder in the layout of a prepared MLE-bench competition, loaded."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from pathlib import Path

from mlesearch.types import Direction


class Validation(enum.StrEnum):
    """Where the validation score comes from."""

    HARNESS = "harness"  # the task keeps the labels of a validation split; the harness scores the predictions
    REPORTED = "reported"  # the program reports its own


class MetricRules(enum.StrEnum):
    """By whose rules a named metric scores, and which predictions it refuses."""

    PLAIN = "plain"  # mlesearch's first ones: any ranking for AUC, rows of probabilities rescaled
    MLEBENCH = "mlebench"  # those of MLE-bench's graders, see `mlesearch.tasks.strict_metrics`


Bounds = tuple[float, float]
"""Lowest and highest prediction, both allowed; infinite where there is none."""

MAX_SUBMISSION_BYTES = 64 * 2**20
"""Of a submission, where nothing says how large one is."""

ANY_NUMBER: Bounds = (-math.inf, math.inf)


class Modality(enum.StrEnum):
    """What the data are; it decides which advice on deep learning the prompts hold."""

    TABULAR = "tabular"  # none
    IMAGE = "image"
    TEXT = "text"
    AUDIO = "audio"


class Validity(enum.StrEnum):
    """By what a submission to a task without test answers is found valid."""

    SAMPLE = "sample"  # the columns and ids of the sample submission
    SERVER = "server"  # a grading server, which says whether a submission is valid, and no score


class Medal(enum.StrEnum):
    """The medal a score would have won."""

    GOLD = "gold"
    SILVER = "silver"
    BRONZE = "bronze"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The four scores of a leaderboard that decide medals.

    Attributes:
        teams: number of teams on the board.
    """

    gold: float
    silver: float
    bronze: float
    median: float
    teams: int


@dataclass(frozen=True, slots=True)
class OfficialGrading:
    """How MLE-bench's own package grades a task; all of it changes what a run comes to.

    Attributes:
        commit: of MLE-bench.
        versions: of pandas, numpy and scikit-learn in its interpreter, by name.
        feedback: what a search learns of an invalid submission: message or valid.
        unpack: whether archives of the public data are unpacked: auto or off.
        board: where the thresholds come from: package, or table where the package has a pointer only.
    """

    commit: str
    versions: tuple[tuple[str, str], ...]
    feedback: str
    unpack: str
    board: str


@dataclass(frozen=True, slots=True)
class FullData:
    """All of a task's data, where searches see a part that was split from the training data once more.

    Attributes:
        public_dir: mounted read-only as `input/` where the chosen program runs again; its labelled rows are those of
            the search, the validation rows among them, so no program of the search may read it.
        private_dir: answers that the test grade comes from.
    """

    public_dir: Path
    private_dir: Path


@dataclass(frozen=True, slots=True)
class Task:
    """A loaded task.

    Attributes:
        id: name by which it is asked for.
        title: for people.
        version: changes whenever anything that changes a result does (data, split, metric, board).
        metric: name of the metric, e.g. "rmsle".
        direction: of the metric, declared.
        validation: harness or reported.
        description: what the agent reads (markdown).
        public_dir: mounted read-only as `input/`.
        private_dir: answers; never mounted, its path never in a prompt.
        id_column: key column of a submission.
        target_columns: columns that a submission predicts.
        thresholds: of the leaderboard.
        program_time_s: default wall-clock limit of one program.
        suite: "mini", "mlebench", or "own".
        category: what kind of task it is, for the analysis; empty where none is declared.
        tags: free words.
        known_issues: what a reader of a result should know.
        board: file that the thresholds came from; None where the board was left out on purpose.
        grader: the folder's own `grade.py`; None where `metric` is one of the named metrics.
        max_submission_bytes: a larger submission is refused unread.
        modality: of the data, declared.
        reported_split: how a program that reports its own score has to validate; empty: five seeded folds.
        eda: findings about the public data, from the folder's `eda.md`; empty where there is none.
        group_column: rows of the training data with one value here belong together; None where none is declared.
        time_column: in whose order the rows of training and validation stand; None where none is declared.
        metric_rules: by whose rules a named metric scores.
        prediction_range: of predictions, as declared; None: that of the metric's rules.
        positional: whether the official grader compares rows by position, so that a submission in another order than
            the sample's is refused.
        contract: what a program must read, write and print; empty: as the prompt file of its validation says.
        preview: of the public data; empty: made from them when it is needed.
        official: how MLE-bench's own package grades it; None: it is graded here.
        sample: the sample submission, below the public folder; empty where there is none, as a server may judge.
        ungraded: by what submissions are found valid where there are no test answers; None: there are, and they grade.
        full: what the chosen program runs on again after the search, for its test grade; None: each program of the
            search predicts the test rows too.
    """

    id: str
    title: str
    version: str
    metric: str
    direction: Direction
    validation: Validation
    description: str
    public_dir: Path
    private_dir: Path
    id_column: str
    target_columns: tuple[str, ...]
    thresholds: Thresholds
    program_time_s: float
    suite: str = "own"
    category: str = ""
    tags: tuple[str, ...] = ()
    known_issues: tuple[str, ...] = ()
    board: Path | None = None
    grader: Path | None = None
    max_submission_bytes: int = MAX_SUBMISSION_BYTES
    modality: Modality = Modality.TABULAR
    reported_split: str = ""
    eda: str = ""
    group_column: str | None = None
    metric_rules: MetricRules = MetricRules.PLAIN
    prediction_range: Bounds | None = None
    positional: bool = False
    contract: str = ""
    preview: str = ""
    official: OfficialGrading | None = None
    sample: str = "sample_submission.csv"
    ungraded: Validity | None = None
    time_column: str | None = None
    full: FullData | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A scored submission: a finite score, or the problem that a user or a model can act on.

    Attributes:
        score: in the metric's units; None when the submission is invalid.
        problem: what was wrong and what was expected; empty when there is a score.
        unreported: the submission is fine, but the program did not report the validation score it had to.
    """

    score: float | None
    problem: str = ""
    unreported: bool = False


@dataclass(frozen=True, slots=True)
class Grade:
    """The test grade of one submission, with what mle-bench reports about it."""

    score: float | None
    medal: Medal
    above_median: bool
    valid: bool
    problem: str = ""
    percentile: float | None = None  # share of the board's teams that the score beats or equals, 0 to 1
    submission: str = ""  # sha256 of what was graded, where MLE-bench's report of it is kept by that
