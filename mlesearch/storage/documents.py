"""The JSON files of a study beside its journals: what stands in each, how it is read, and how it is written.

study.json       what is studied: written once, before the first run
launches.jsonl   which runs a launch asked for: one line a launch
run.json         a run's identity, labels and settings: written once
task.json        a competition of MLE-bench as it was: written once; of other tasks there is none
grades.jsonl     test scores of its valid nodes: one line each
official.jsonl   reports of MLE-bench's own grader: one line a submission
best/node.json   its best node so far
result.json      its row of the table of runs, or why it failed: written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, cast

from mlesearch.storage.cell_store import exists
from mlesearch.storage.claim import ClaimJson
from mlesearch.storage.codec import Json
from mlesearch.storage.columns import RunRow
from mlesearch.storage.files import make_folder, read_json, read_lines, write_atomically
from mlesearch.types import ConfigError

STUDY, LAUNCHES, RUN, GRADES, RESULT = "study.json", "launches.jsonl", "run.json", "grades.jsonl", "result.json"
OFFICIAL, OFFICIAL_VALIDATION = "official.jsonl", "official_validation.jsonl"
TASK, VALIDATED = "task.json", "validated.jsonl"
BEST = "best/node.json"


class StudyFile(TypedDict):
    """study.json.

    simulated: true where simulated engineers answer in place of language models; else absent, as in an earlier version.
    """

    format: int
    name: str
    mlesearch_version: str
    claim: ClaimJson | None
    simulated: NotRequired[bool]


class LaunchLine(TypedDict):
    """A line of launches.jsonl; each run by model, strategy, variant, task and seed.

    not_planned: runs that the design leaves out, or takes out of the grid again, and why; absent where there are none.
    Of several lines about one run the last one holds.
    """

    mlesearch: str
    runs: list[tuple[str, str, str, str, int]]
    not_planned: NotRequired[list[tuple[str, str, str, str, int]]]
    why: NotRequired[str]


class KeyJson(TypedDict):
    """A run's place in the grid of its study."""

    model: str
    strategy: str
    variant: str
    task: str
    seed: int


class TaskIdentity(TypedDict):
    """Which task, in which version, and how programs are validated: by the harness, or by their own word.

    metric_package: of a plug-in's metric, its package and version.
    """

    id: str
    version: str
    validation: str
    metric_package: NotRequired[str]


class StrategyIdentity(TypedDict):
    """A strategy's kind and parameters; of a plug-in, its package and version too."""

    kind: str
    params: dict[str, Any]
    package: NotRequired[str]


class OperatorsIdentity(TypedDict):
    """A set of operators, and the digests of its prompt files; of a plug-in, its package and version too."""

    set: str
    prompts: dict[str, str]
    package: NotRequired[str]


class ContextIdentity(TypedDict):
    """Whose rule fills the context of prompts, and how many tokens it may take."""

    rule: str
    tokens: int


class SelectionIdentity(TypedDict):
    """A rule of selection that has settings; by: what fresh splits follow, group or time, absent where it is chance."""

    rule: str
    k: int
    splits: int
    by: NotRequired[str]


class TrialRunIdentity(TypedDict):
    """What programs run on before they run in full: `mlesearch.tasks.row_sample.SampleRule`, its version, the limit."""

    share: float
    rows: int
    time_s: float
    version: int


class BudgetIdentity(TypedDict):
    """What a run may spend; null: not limited. Fields of `mlesearch.budgets.meter.Budget`."""

    steps: int | None
    time_s: float | None
    cost_usd: float | None
    tokens: int | None
    real_time_s: float | None
    reserve_s: float
    gpu_s: NotRequired[float]


class LimitsIdentity(TypedDict):
    """What one program may use. Fields of `mlesearch.sandbox.protocol.Limits`."""

    time_s: float
    memory_bytes: int
    cpu_count: int
    disk_bytes: int
    file_bytes: int
    output_bytes: int
    processes: int
    entries: int


class SandboxIdentity(TypedDict, total=False):
    """What tables name of a sandbox, and a plug-in's package and version; a sandbox may say more of itself."""

    rung: str
    promises: list[str]
    environment: str
    package: str


class MlebenchIdentity(TypedDict):
    """Who grades a competition of MLE-bench: its commit, and versions of pandas, numpy and scikit-learn there.

    feedback: what a search learns of an invalid submission. unpack: whether archives of the data are unpacked.
    validation: twice where a held-out set scores programs, and runners_up: how many may take the place of the chosen
    one on the full data; else absent.
    """

    commit: str
    versions: dict[str, str]
    feedback: str
    unpack: str
    validation: NotRequired[str]
    runners_up: NotRequired[int]


class CellIdentity(TypedDict):
    """All that changes a result, the seed excepted; of a model, what it says of itself, and its sampling.

    trial: where there are trial runs. audit: where a valid program that its review calls a bug counts as failed.
    mlebench: of a competition of MLE-bench. clock: where it is a virtual one.
    """

    task: TaskIdentity
    model: dict[str, Any]
    strategy: StrategyIdentity
    review: bool
    operators: OperatorsIdentity
    context: ContextIdentity
    embedder: str
    selection: str | SelectionIdentity
    budget: BudgetIdentity
    workers: int
    limits: LimitsIdentity
    sandbox: SandboxIdentity
    roles: NotRequired[dict[str, dict[str, Any]]]
    trial: NotRequired[TrialRunIdentity]
    audit: NotRequired[bool]
    mlebench: NotRequired[MlebenchIdentity]
    clock: NotRequired[str]


class Identity(CellIdentity):
    """All that changes a run's result: two runs with one identity are one run."""

    seed: int


class Labels(TypedDict):
    """What tables say of a run beside its identity.

    task_package: the package and version of the source that its task is from, where it is from one.
    no_board: true where its task has no leaderboard; else absent. ungraded: true where its task has no test answers
    either, so that a valid submission has no score; else absent. category: of its task, where one is declared. family:
    the kind of search that its strategy declares itself to be; absent where it has none, and in an earlier version.
    """

    tier: str | None
    capability: float | None
    capability_source: str | None
    simulated: bool
    suite: str
    metric: str
    lower_is_better: bool
    validation: str
    sandbox: str
    promises: list[str]
    exec_store: str
    cassette: str
    sandbox_why: str
    task_package: NotRequired[str]
    no_board: NotRequired[bool]
    ungraded: NotRequired[bool]
    category: NotRequired[str]
    family: NotRequired[str]


class RunFile(TypedDict):
    """run.json; the settings are those of the version that wrote it (`mlesearch.config.settings.from_recorded`)."""

    id: str
    key: KeyJson
    digest: str
    identity: Identity
    labels: Labels
    settings: Json
    mlesearch: str


class GradeLine(TypedDict):
    """A line of grades.jsonl: the test grade of a node, which nothing that decides reads.

    submission: where MLE-bench graded it, the sha256 by which official.jsonl has its report.
    """

    id: int
    score: float | None
    medal: str
    above_median: bool
    valid: bool
    problem: str
    percentile: float | None
    submission: NotRequired[str]


class OfficialLine(TypedDict):
    """A line of official.jsonl: what MLE-bench's own grader made of one submission, which nothing that decides reads.

    Likewise of official_validation.jsonl, by the answers of a set that was held out of the training data: its scores
    are what the search goes by. split: the seed of a fresh such set; absent for that of the search.

    submission: sha256 of the file. report: field for field as MLE-bench writes it; scores that are not finite are words
    (nan, inf, -inf), and the path is that in the run's folder. reason: why it is invalid, in the grader's words.
    board: real, or table where MLE-bench's own board is a pointer. aligned_score: of the same submission with rows and
    columns in the order of the sample, where the grader scores that one otherwise. aligned_medal: what that score would
    win. ends_batch: the exception by which MLE-bench's own command would have ended.
    """

    submission: str
    report: dict[str, Any]
    reason: str
    board: str
    aligned_score: NotRequired[float | str]
    aligned_medal: NotRequired[str]
    ends_batch: NotRequired[str]
    split: NotRequired[int]


class ValidityLine(TypedDict):
    """A line of validated.jsonl: what a grading server said of one submission to an ungraded task.

    submission: sha256 of the file. valid: whether it is. message: the server's own words.
    """

    submission: str
    valid: bool
    message: str


class BestFile(TypedDict):
    """best/node.json."""

    id: int
    validation_score: float | None


class RunFailure(TypedDict):
    """result.json of a run that failed and goes on when it is launched again."""

    status: Literal["failed"]
    reason: str
    real_s: float


_NEEDED: Mapping[str, type] = {"id": str, "key": dict, "digest": str, "identity": dict, "labels": dict}


def read_study(study: Path) -> StudyFile:
    """A study's header.

    Raises:
        ConfigError: it can't be read, or lacks something.
    """
    return cast("StudyFile", _checked(study / STUDY, {"format": int, "name": str}))


def read_run(run: Path) -> RunFile:
    """What a run's folder says that it is.

    Raises:
        ConfigError: it can't be read, or lacks something.
    """
    return cast("RunFile", _checked(run / RUN, _NEEDED))


def write_run(run: Path, content: RunFile, durable: bool = True) -> None:
    """Make a run's folder and say in it what it is."""
    make_folder(run)
    _write(run / RUN, content, durable)


def read_result(run: Path) -> RunRow | RunFailure | None:
    """What became of a run; None while it is not known.

    Raises:
        ConfigError: it can't be read, or lacks something.
    """
    path = run / RESULT
    return cast("RunRow | RunFailure", _checked(path, {"status": str})) if exists(path) else None


def finished_row(run: Path) -> RunRow | None:
    """The row of a run that came to its end; None for one that failed, or has no result yet."""
    result = read_result(run)
    return None if result is None or result["status"] == "failed" else result


def write_result(run: Path, content: RunRow | RunFailure, durable: bool = True) -> None:
    """Say what became of a run."""
    _write(run / RESULT, content, durable)


def read_grades(run: Path) -> dict[int, GradeLine]:
    """Test grades by node; none where nothing was graded yet."""
    return {line["id"]: cast("GradeLine", line) for line in read_lines(run / GRADES)}


def read_official(run: Path) -> dict[str, OfficialLine]:
    """Reports of MLE-bench's own grader by the sha256 of the submission; none where it graded nothing."""
    return {line["submission"]: cast("OfficialLine", line) for line in read_lines(run / OFFICIAL)}


def read_validated(run: Path) -> dict[str, ValidityLine]:
    """What a grading server said by the sha256 of the submission; none where it was not asked."""
    return {line["submission"]: cast("ValidityLine", line) for line in read_lines(run / VALIDATED)}


def read_official_validation(run: Path, split: int) -> dict[str, OfficialLine]:
    """Its reports by the answers of a held-out set: 0 that of the search, else the seed of a fresh one."""
    lines = (cast("OfficialLine", line) for line in read_lines(run / OFFICIAL_VALIDATION))
    return {line["submission"]: line for line in lines if line.get("split", 0) == split}


def best_so_far(run: Path) -> int | None:
    """The best node of a run that has not ended, by validation; None where none counts."""
    path = run / BEST
    return cast("BestFile", _checked(path, {"id": int}))["id"] if exists(path) else None


def _checked(path: Path, needed: Mapping[str, type]) -> Json:
    """A JSON object that has what is needed of it."""
    content = read_json(path)
    for key, kind in needed.items():
        if not isinstance(content.get(key), kind):
            raise ConfigError(f"{path}: its {key} is absent or damaged; restore it or remove the folder that holds it")
    return content


def _write(path: Path, content: Mapping[str, object], durable: bool) -> None:
    write_atomically(path, json.dumps(content, indent=1) + "\n", durable)
