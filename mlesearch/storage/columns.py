"""The columns of a study's three tables, each declared once: name, type, meaning, unit.

A row is a `TypedDict` whose annotations are the columns. From them follow what `mlesearch collect` writes (names, order
and types), what the analysis accepts and how it reads it, and the reference in docs/columns.md, which
`python -m mlesearch.storage.column_reference` prints. To add a column: declare it here, and fill it in
`mlesearch.study.runs.summary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import NoneType
from typing import Annotated, Literal, TypedDict, get_args, get_origin, get_type_hints

from mlesearch.types import ConfigError

Kind = Literal["text", "int", "float", "flag"]
"""What a column holds: text, whole numbers, floats, or true and false."""

RowStatus = Literal["ok", "failed", "timeout", "missing", "not_planned"]
"""What became of a run: `timeout` where the cluster's limit ended it, `missing` where it has no result yet.

`not_planned` is the row of a run that the design leaves out (more seeds for one model, a group that a rule declared
beforehand stopped): it fills a hole of the grid, and is no run that is missing. Its `reason` says why.
"""

ResultStatus = Literal["ok", "failed", "timeout"]
"""Of a run that has its result, or failed."""

RESULT_STATUSES: frozenset[ResultStatus] = frozenset(get_args(ResultStatus))
RUN_STATUSES: tuple[RowStatus, ...] = get_args(RowStatus)
MedalName = Literal["gold", "silver", "bronze"]
MEDALS: tuple[MedalName, ...] = get_args(MedalName)


def result_status(status: RowStatus) -> ResultStatus:
    """The status that a result.json says.

    Raises:
        ConfigError: it says what only a table of runs may say.
    """
    if status in RESULT_STATUSES:
        return status
    known = ", ".join(sorted(RESULT_STATUSES))
    raise ConfigError(f"result.json: the status {status!r} is none of {known}; remove the file and launch again")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        meaning: in words.
        unit: of its numbers, in words; empty for text, flags and counts.
        note: what else is to be known, e.g. when it is empty.
        nullable: whether it may be empty where it does not apply, or where a run has no result. A column whose type
            allows None is nullable without being declared so.
        optional: whether a table may lack it, because an earlier version wrote it.
        measured: whether it is a measured duration: those are all that may differ between two equal studies.
        kind: what it holds; follows from the type.
    """

    meaning: str
    unit: str = ""
    note: str = ""
    nullable: bool = False
    optional: bool = False
    measured: bool = False
    kind: Kind = "text"

    @property
    def words(self) -> str:
        """Meaning, unit and note in one line."""
        unit, note = (f", {self.unit}" if self.unit else ""), (f"; {self.note}" if self.note else "")
        return f"{self.meaning}{unit}{note}"


SCORE = "in the metric's units"
SHARE = "0 to 1"
DISTANCE = "1 - cosine of the vectors of hashed-ngrams-256-v1"
NO_PRICE = "empty without a known price"
NO_LIMIT = "empty where none is"
SIMULATED = "whether a simulated engineer answered in place of a language model"


class RunRow(TypedDict):
    """One row a run that any launch asked for."""

    run_id: Annotated[str, Column("unique name of the run")]
    model: Annotated[str, Column("model id as configured")]
    tier: Annotated[str | None, Column("declared tier of the model")]
    capability: Annotated[float | None, Column("declared capability of the model, measured outside this study")]
    capability_source: Annotated[str | None, Column("where the capability figure comes from")]
    strategy: Annotated[str, Column("search strategy")]
    variant: Annotated[str, Column("variant of the strategy (ablation, setting)")]
    family: Annotated[
        str | None,
        Column("kind of search that the strategy declares itself to be", note="empty where none", optional=True),
    ]
    engineer: Annotated[
        str | None,
        Column(
            "parameters of the simulated engineer, its capability aside: a JSON object",
            note="empty where another model answered",
            optional=True,
        ),
    ]
    task: Annotated[str, Column("task id")]
    suite: Annotated[str, Column("suite of the task", nullable=True)]
    category: Annotated[
        str | None, Column("category of the task, as it declares it; tasks of one category are alike", optional=True)
    ]
    seed: Annotated[int, Column("seed of the run")]
    launch: Annotated[
        int | None,
        Column("which of the study's launches asked for it first, from 1", note="empty where none did", optional=True),
    ]
    status: Annotated[RowStatus, Column(f"{', '.join(RUN_STATUSES[:-1])} or {RUN_STATUSES[-1]}")]
    ended: Annotated[
        str | None,
        Column("what ended the run: completed (steps), budget, finished (by the strategy) or real_time", optional=True),
    ]
    reason: Annotated[str, Column("why the run failed, or is not planned, in words; else empty", optional=True)]
    simulated: Annotated[bool, Column(SIMULATED)]
    valid: Annotated[bool, Column("whether a valid submission was made")]
    score: Annotated[float | None, Column("test score of the submission", SCORE)]
    lower_is_better: Annotated[bool, Column("direction of the metric")]
    gold: Annotated[bool, Column("gold medal")]
    silver: Annotated[bool, Column("silver medal")]
    bronze: Annotated[bool, Column("bronze medal")]
    above_median: Annotated[bool, Column("better than the median of the leaderboard")]
    no_board: Annotated[
        bool, Column("whether its task has no leaderboard, and so no medals", nullable=True, optional=True)
    ]
    ungraded: Annotated[
        bool, Column("whether its task has no test answers, and so no test score", nullable=True, optional=True)
    ]
    percentile: Annotated[float | None, Column("share of the leaderboard that the score reaches", SHARE)]
    official_board: Annotated[
        str | None,
        Column(
            "whose board medals are by: real (MLE-bench's own), or table (ours, where that one is a pointer)",
            note="empty where MLE-bench did not grade",
            optional=True,
        ),
    ]
    odd_score: Annotated[
        str | None, Column("nan, inf or -inf, where that is the score and MLE-bench counts it as valid", optional=True)
    ]
    aligned_score: Annotated[
        float | None,
        Column(
            "score with rows and columns in the sample's order",
            SCORE,
            "empty where that is the score",
            optional=True,
        ),
    ]
    aligned_medal: Annotated[
        str | None,
        Column("medal that this score would win: gold, silver, bronze or none", note="empty likewise", optional=True),
    ]
    selected: Annotated[int | None, Column("proposal id of the submitted node", optional=True)]
    val_selected: Annotated[float | None, Column("validation score of the submitted node", SCORE)]
    test_selected: Annotated[float | None, Column("test score of the submitted node", SCORE)]
    test_oracle: Annotated[float | None, Column("best test score of any node of the run that has one", SCORE)]
    medal_oracle: Annotated[bool, Column("whether that node has a medal")]
    improvement_rate: Annotated[float | None, Column("share of improvement steps that beat their base by validation")]
    direction_accuracy: Annotated[float | None, Column("share of hypotheses whose predicted sign came true", SHARE)]
    program_spread: Annotated[
        float | None,
        Column(
            "mean distance of all pairs of its programs, at most 8 of them, evenly spaced",
            DISTANCE,
            "empty with fewer than two",
            optional=True,
        ),
    ]
    program_reach: Annotated[
        float | None,
        Column("largest distance of these from the first", DISTANCE, "empty likewise", optional=True),
    ]
    fresh_splits: Annotated[
        int | None,
        Column("fresh splits on which all candidates were run again", note="empty where none were", optional=True),
    ]
    val_first: Annotated[
        float | None,
        Column("validation score of the candidate that validation puts first", SCORE, "empty likewise", optional=True),
    ]
    fresh_first: Annotated[
        float | None,
        Column("its mean score over the fresh splits", SCORE, "empty likewise", optional=True),
    ]
    test_first: Annotated[
        float | None,
        Column("its test score", SCORE, "empty likewise", optional=True),
    ]
    choice_noise: Annotated[
        float | None,
        Column(
            "by how much one fresh split flatters the candidate that it puts first, against the others, mean over "
            "splits; more is more flattering",
            SCORE,
            "empty with one split or one candidate",
            optional=True,
        ),
    ]
    charged_s: Annotated[float, Column("charged time", "seconds", nullable=True, measured=True)]
    wait_s: Annotated[float, Column("queueing and backoff, never charged", "seconds", nullable=True, measured=True)]
    real_s: Annotated[float, Column("wall-clock time", "seconds", nullable=True, measured=True)]
    program_s: Annotated[
        float, Column("run time of all programs", "seconds", nullable=True, optional=True, measured=True)
    ]
    program_cpu_s: Annotated[
        float, Column("processor time of all programs", "seconds", nullable=True, optional=True, measured=True)
    ]
    gpu_h: Annotated[float, Column("GPU time of all programs", "hours", nullable=True, measured=True)]
    gpu_wait_s: Annotated[
        float, Column("waiting for a free GPU", "seconds", nullable=True, optional=True, measured=True)
    ]
    cost_usd: Annotated[float | None, Column("cost of all model calls", "US dollars", NO_PRICE)]
    tokens_in: Annotated[int, Column("input tokens", nullable=True)]
    tokens_out: Annotated[int, Column("output tokens", nullable=True)]
    n_calls: Annotated[int, Column("model calls", nullable=True)]
    n_executions: Annotated[int, Column("executions, trial runs and reruns included", nullable=True)]
    n_sample_runs: Annotated[int, Column("trial runs on a sample of the data", nullable=True, optional=True)]
    n_sample_failures: Annotated[
        int, Column("trial runs that were not passed, so that there was no full run", nullable=True, optional=True)
    ]
    sample_run_s: Annotated[
        float,
        Column("run time of all trial runs, part of program_s", "seconds", nullable=True, optional=True, measured=True),
    ]
    steps: Annotated[int, Column("program proposals, executed or not", nullable=True)]
    budget_steps: Annotated[int | None, Column("declared budget of program proposals", note=NO_LIMIT, optional=True)]
    budget_time_s: Annotated[
        float | None, Column("declared budget of charged time", "seconds", NO_LIMIT, optional=True)
    ]
    budget_usd: Annotated[float | None, Column("declared budget of model calls", "US dollars", NO_LIMIT, optional=True)]
    budget_tokens: Annotated[
        int | None, Column("declared budget of input and output tokens", note=NO_LIMIT, optional=True)
    ]
    validation: Annotated[str, Column("harness or reported", nullable=True)]
    promises: Annotated[str, Column("promises of the sandbox that were in force", nullable=True)]
    rung: Annotated[str | None, Column("rung of the sandbox", optional=True)]
    environment: Annotated[str | None, Column("digest of the programs' interpreter and packages", optional=True)]
    model_answered: Annotated[str, Column("model id that the provider answered with", nullable=True)]
    hardware: Annotated[str, Column("declared hardware", nullable=True)]


class NodeRow(TypedDict):
    """One row a program proposal that its strategy was told of, in the order of telling."""

    run_id: Annotated[str, Column("run that the node belongs to")]
    proposal: Annotated[int, Column("proposal id, dense within the run")]
    step: Annotated[int, Column("number of program proposals up to and with this one", nullable=True)]
    op: Annotated[str, Column("operator")]
    trace: Annotated[int, Column("parallel trace", nullable=True)]
    base: Annotated[int | None, Column("program that was edited")]
    parents: Annotated[str, Column("lineage: proposal ids, separated by commas", nullable=True)]
    status: Annotated[str, Column("ok, or how it failed")]
    failed_on_sample: Annotated[
        bool, Column("whether it failed in its trial run, and was not run in full", nullable=True, optional=True)
    ]
    reason: Annotated[str, Column("why it failed, in words; empty unless it did", nullable=True, optional=True)]
    verdict: Annotated[str, Column("accepted, rejected, void, or empty", nullable=True)]
    t_charged_s: Annotated[float, Column("charged time at which it was finished", "seconds", measured=True)]
    cum_tokens: Annotated[int, Column("tokens spent by the run so far", nullable=True)]
    cum_usd: Annotated[float | None, Column("spent by the run so far", "US dollars", NO_PRICE)]
    val_score: Annotated[float | None, Column("validation score", SCORE)]
    test_score: Annotated[float | None, Column("test score, never seen by the strategy", SCORE)]
    medal: Annotated[
        str | None,
        Column("medal of this node: gold, silver, bronze or none", note="empty without a leaderboard", optional=True),
    ]
    above_median: Annotated[
        bool,
        Column("whether its test score is better than the median of the leaderboard", nullable=True, optional=True),
    ]
    percentile: Annotated[
        float | None, Column("share of the leaderboard that its test score reaches", SHARE, optional=True)
    ]
    valid: Annotated[bool, Column("whether its validation score counts as one")]
    best_so_far: Annotated[float | None, Column("best validation score of the run so far", SCORE)]
    simulated: Annotated[bool, Column(SIMULATED, nullable=True, optional=True)]


class CallRow(TypedDict):
    """One row a call of a model or an embedder, in the order of completion."""

    run_id: Annotated[str, Column("run that the call belongs to")]
    proposal: Annotated[int, Column("proposal that it was made for")]
    op: Annotated[str, Column("operator (a review has its own)")]
    attempt: Annotated[int, Column("attempt: repair turns and retries after truncation count")]
    tokens_in: Annotated[int, Column("input tokens")]
    tokens_out: Annotated[int, Column("output tokens")]
    cost_usd: Annotated[float | None, Column("cost of the call", "US dollars", NO_PRICE)]
    service_s: Annotated[float, Column("service time of the call", "seconds", measured=True)]
    model_answered: Annotated[str | None, Column("model id that the provider answered with", optional=True)]
    simulated: Annotated[bool, Column(SIMULATED, nullable=True, optional=True)]


_KINDS: Mapping[object, Kind] = {str: "text", int: "int", float: "float", bool: "flag"}


def _columns_of(row: type) -> Mapping[str, Column]:
    """The columns that a row declares, by name, in its order."""
    found = {}
    for name, hint in get_type_hints(row, include_extras=True).items():
        declared, (column,) = hint.__origin__, hint.__metadata__
        types = set(get_args(declared)) - {NoneType} or {declared}
        kind: Kind = "text" if get_origin(declared) is Literal else _KINDS[types.pop()]
        found[name] = replace(column, kind=kind, nullable=column.nullable or NoneType in get_args(declared))
    return found


ROWS: Mapping[str, type] = {"runs": RunRow, "nodes": NodeRow, "calls": CallRow}
RUNS, NODES, CALLS = (_columns_of(row) for row in ROWS.values())
TABLES: Mapping[str, Mapping[str, Column]] = {"runs": RUNS, "nodes": NODES, "calls": CALLS}

DURATIONS = frozenset(name for table in TABLES.values() for name, column in table.items() if column.measured)
"""Columns of measured durations: all that may differ between two equal studies."""
