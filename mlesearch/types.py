"""The nouns that every package shares: operators, proposals, outcomes, results, findings, errors, money and time.

Nothing here computes more than a property or a text, but for `Registry`, by which a thing is found by its name, and
nothing here imports another package. Money is in integer
nano-dollars and time in integer microseconds wherever a sum decides something, because a float sum depends on
the order of its terms and hence on scheduling.
"""

from __future__ import annotations

import enum
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import numpy as np

Embedding = tuple[float, ...]
"""A unit vector of floats; its length is the embedder's dimension."""

Rng: TypeAlias = "Callable[[int], np.random.Generator]"
"""A strategy's only randomness: the generator of one proposal id, the same at every call with that id."""

MICROSECONDS = 1_000_000
NANODOLLARS = 1_000_000_000


class Op(enum.StrEnum):
    """What is asked of the model."""

    DRAFT = "draft"
    DEBUG = "debug"
    IMPROVE = "improve"
    MERGE = "merge"
    DIAGNOSE = "diagnose"
    HYPOTHESIZE = "hypothesize"
    SELECT = "select"
    REVIEW = "review"  # asked by the engine after an execution, never proposed by a strategy

    @property
    def makes_program(self) -> bool:
        """Whether its reply holds a program that is executed (and so costs a step)."""
        return self in PROGRAM_OPS


PROGRAM_OPS = frozenset({Op.DRAFT, Op.DEBUG, Op.IMPROVE, Op.MERGE})
JUDGEMENT_OPS = frozenset({Op.DIAGNOSE, Op.HYPOTHESIZE, Op.SELECT})


class Direction(enum.StrEnum):
    """Which way a metric is better. Always declared by the task, never guessed."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    @property
    def sign(self) -> int:
        """+1 where higher is better, -1 where lower is better."""
        return 1 if self is Direction.MAXIMIZE else -1

    def better(self, a: float, b: float) -> bool:
        """Whether score `a` is strictly better than score `b`."""
        return a > b if self is Direction.MAXIMIZE else a < b


class Status(enum.StrEnum):
    """How a told proposal ended. Everything but OK is a failure that the strategy may learn from."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OOM = "oom"
    PIDS = "pids"
    DISK_LIMIT = "disk_limit"
    KILLED = "killed"
    INVALID_SUBMISSION = "invalid_submission"
    NO_SCORE = "no_score"
    REPLY_UNUSABLE = "reply_unusable"
    JUDGED_BUG = "judged_bug"  # it ran and has a score, which the review found not to count (`run.audit`)


class ExecStatus(enum.StrEnum):
    """The supervisor's verdict on one execution."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OOM = "oom"
    PIDS = "pids"
    DISK_LIMIT = "disk_limit"
    KILLED = "killed"


class GuidanceKind(enum.StrEnum):
    """What a piece of guidance is, so that one template serves all strategies."""

    HYPOTHESIS = "hypothesis"  # implement this
    CANDIDATE = "candidate"  # SELECT chooses among these
    MEMORY = "memory"  # an experiment that was accepted, with its score
    AVOID = "avoid"  # an approach another trace follows: take a different one
    DIAGNOSIS = "diagnosis"  # what the last diagnosis of this trace found
    HISTORY = "history"  # an earlier experiment of this trace and its verdict
    PROBLEM_MIX = "problem_mix"  # how many problems to take from scenario and from feedback
    STAGE = "stage"  # where in the budget the search stands: draft, improve, ensemble


class Component(enum.StrEnum):
    """The part of a solution that a hypothesis changes."""

    DATA = "data"
    FEATURES = "features"
    MODEL = "model"
    ENSEMBLE = "ensemble"
    WORKFLOW = "workflow"


class Context(enum.StrEnum):
    """Whose rule fills the context of a prompt."""

    SHARED = "shared"  # one rule for all strategies
    NATIVE = "native"  # that of the strategy's published system


class ProblemKind(enum.StrEnum):
    """Where the problem behind a hypothesis was seen."""

    SCENARIO = "scenario"  # task and data against the accepted solution
    FEEDBACK = "feedback"  # the diagnosis and the history of the trace


class VerdictKind(enum.StrEnum):
    """What a strategy decided about a node."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    VOID = "void"  # its score does not count; never submitted


@dataclass(frozen=True, slots=True)
class HypothesisScores:
    """The model's five scores of a hypothesis, each from 1 to 10."""

    alignment: float
    impact: float
    novelty: float
    feasibility: float
    risk: float

    @property
    def weighted(self) -> float:
        """Weighted sum: alignment .2, impact .4, novelty .2, feasibility .1, risk against reward .1."""
        return 0.2 * self.alignment + 0.4 * self.impact + 0.2 * self.novelty + 0.1 * self.feasibility + 0.1 * self.risk


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One proposed step: a change that should fix a problem, with the model's prediction of its worth."""

    text: str
    problem: str
    problem_kind: ProblemKind
    component: Component
    scores: HypothesisScores
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The structured reasoning about one executed program (the gradient)."""

    format_valid: bool
    severely_misaligned: bool  # validation leaks or measures something else than the task does
    changes: str
    observations: str
    hypothesis_supported: bool | None
    quality_better: bool
    replace: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Guidance:
    """One typed text that a strategy wants the prompt to show.

    Attributes:
        kind: what it is.
        text: the hypothesis, or whatever else its kind says.
        node: the program that it is about.
        score: validation score of that program.
        component: the part of the solution that the hypothesis changes.
        verdict: what the strategy decided about the node.
        problem: the problem behind the hypothesis.
        problem_kind: where that problem was seen.
        ratings: the model's five scores of the hypothesis.
        gain: the node's score against that of the program it edited, in the task's direction: positive is better.
        changes: what the node's program changed.
        finding: what was learned from it.
    """

    kind: GuidanceKind
    text: str
    node: int | None = None
    score: float | None = None
    component: Component | None = None
    verdict: VerdictKind | None = None
    problem: str = ""
    problem_kind: ProblemKind | None = None
    ratings: HypothesisScores | None = None
    gain: float | None = None
    changes: str = ""
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One decision of a strategy: apply this operator to this program, with this guidance.

    Attributes:
        id: dense: the number of proposals before it.
        op: the operator.
        base: the program that is edited; for a judgement, the one compared against.
        subject: the node that a judgement is about.
        parents: lineage: the drawn tree, the path of a back-up. No prompt shows it, except that of a MERGE without a
            context, which combines the base with those of them that are valid.
        context: nodes whose plan, score and lesson the prompt shows; None: the shared scope rule. For a MERGE, the
            programs that its base is combined with; name them here where they are not the lineage.
        guidance: typed text for the prompt.
        trace: which parallel trace it belongs to.
    """

    id: int
    op: Op
    base: int | None = None
    subject: int | None = None
    parents: tuple[int, ...] = ()
    context: tuple[int, ...] | None = None
    guidance: tuple[Guidance, ...] = ()
    trace: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What model calls cost. Add two with `+`.

    Attributes:
        calls: requests answered.
        input_tokens: all input tokens, cached ones included.
        cached_tokens: input tokens served from a cache.
        output_tokens: all output tokens, reasoning ones included.
        reasoning_tokens: output tokens that were not shown.
        cost_nusd: nano-dollars; None when any part has no known price.
        service_us: time of the successful calls, charged.
        wait_us: queueing, rate limits and backoff: recorded, never charged.
        lost_nusd: the most that attempts which were cut off may have cost beside it; 0 where no price is known.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int | None = 0
    service_us: int = 0
    wait_us: int = 0
    lost_nusd: int = 0

    def __add__(self, other: Usage) -> Usage:
        cost = None if self.cost_nusd is None or other.cost_nusd is None else self.cost_nusd + other.cost_nusd
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            cost,
            self.service_us + other.service_us,
            self.wait_us + other.wait_us,
            self.lost_nusd + other.lost_nusd,
        )

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a proposal: all that a strategy may learn from. A test score is never part of it.

    Attributes:
        id: the proposal's.
        op: the proposal's.
        status: OK, or how it failed.
        score: validation score in the task's own units; a finite float exactly when a program is valid.
        plan: the plan that the reply stated, for a program.
        lesson: what the review (or, without one, the error's last frame) says was learned.
        diagnosis: DIAGNOSE's, when it was usable.
        hypotheses: HYPOTHESIZE's candidates, or the one that SELECT chose, embeddings attached.
        usage: of all its calls.
    """

    id: int
    op: Op
    status: Status
    score: float | None = None
    plan: str = ""
    lesson: str = ""
    diagnosis: Diagnosis | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    usage: Usage = field(default_factory=Usage)

    @property
    def valid(self) -> bool:
        """A program that ran, whose submission passed and whose validation score is finite."""
        return self.status is Status.OK and self.score is not None and math.isfinite(self.score)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A strategy's decision about a node, journaled so that selection can honour it."""

    node: int
    kind: VerdictKind
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a strategy knows of the task.

    Attributes:
        direction: of the validation score.
        steps: the declared step budget; None where none is declared.
        context: SHARED: one rule for all strategies fills the context of their prompts. NATIVE: a strategy names in
            `Proposal.context` what its published system shows; one that has no such rule leaves it at None as ever.
        trial_runs: whether a program runs on a sample first, so that most bugs cost little.
    """

    direction: Direction
    steps: int | None = None
    context: Context = Context.SHARED
    trial_runs: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A finished program proposal, as prompts, scope and selection read it.

    Attributes:
        output: head and tail of what the program printed, bounded, without paths of the host.
        hypothesis: the text of the hypothesis that it implements; empty where none was given.
        run_time_s: wall-clock seconds for which its program ran; None where that is not known.
        time_limit_s: the limit that it ran under, seconds; None where that is not known.
    """

    id: int
    op: Op
    base: int | None
    parents: tuple[int, ...]
    trace: int
    plan: str
    code: str
    status: Status
    score: float | None
    lesson: str
    output: str
    hypothesis: str = ""
    run_time_s: float | None = None
    time_limit_s: float | None = None

    @property
    def valid(self) -> bool:
        """Whether its validation score counts as one."""
        return self.status is Status.OK and self.score is not None and math.isfinite(self.score)


@dataclass(frozen=True, slots=True)
class Captured:
    """One output stream: its head and tail, and how many bytes there were in all.

    Attributes:
        head: the first bytes, decoded; the whole text when nothing was cut.
        tail: the last bytes when something was cut, else empty.
        bytes_seen: length of the whole stream in bytes.
    """

    head: str = ""
    tail: str = ""
    bytes_seen: int = 0

    @property
    def text(self) -> str:
        """Head and tail with a mark where the middle was cut."""
        return f"{self.head}\n[... {self.bytes_seen} bytes in all ...]\n{self.tail}" if self.tail else self.head


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that a program left, read safely.

    Attributes:
        name: its name in the working directory.
        path: the safe copy on the host; None when it was refused or absent.
        size_bytes: of the copy.
        problem: why it was refused, or "absent"; empty when it was copied.
    """

    name: str
    path: Path | None = None
    size_bytes: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What one execution did. A failed program is this value; a failed sandbox is an exception.

    Attributes:
        status: the supervisor's verdict.
        exit_code: of the main process; None when a signal ended it.
        signal: the signal that ended it; None otherwise.
        wall_us: run time, microseconds, charged.
        cpu_us: user and system time of the tree, microseconds.
        peak_memory_bytes: largest memory of the tree that was seen.
        stdout: captured, without paths of the host.
        stderr: captured, without paths of the host.
        reason: one line that says why it failed (exception type and message, limit that was hit); empty when ok.
        artefacts: by name.
        promises: names of the promises in force (net_off, data_read_only, answers_absent, ...).
        gpu_us: time for which it had a GPU, microseconds (with one GPU, its run time).
        gpu_wait_us: how long it waited for that GPU before it ran: recorded beside the run time.
        gpu_wait_charged: whether that waiting counts as charged time.
    """

    status: ExecStatus
    exit_code: int | None = None
    signal: int | None = None
    wall_us: int = 0
    cpu_us: int = 0
    peak_memory_bytes: int = 0
    stdout: Captured = field(default_factory=Captured)
    stderr: Captured = field(default_factory=Captured)
    reason: str = ""
    artefacts: Mapping[str, Artefact] = field(default_factory=dict)
    promises: tuple[str, ...] = ()
    gpu_us: int = 0
    gpu_wait_us: int = 0
    gpu_wait_charged: bool = False

    @property
    def charged_us(self) -> int:
        """What it costs of a time budget, microseconds."""
        return self.wall_us + (self.gpu_wait_us if self.gpu_wait_charged else 0)


class MlesearchError(Exception):
    """An error a user can act on: its text says what, where, what was allowed and what to do next."""


class SandboxUnavailable(MlesearchError):
    """The sandbox itself failed; the program is not to blame and is not charged."""


class GraderUnavailable(MlesearchError):
    """The official grader of a competition could not be run; the submission is not to blame and nothing is charged."""


class ModelUnavailable(MlesearchError):
    """The model could not be reached or refused; never shown to the model, never scored.

    Args:
        text: what happened, one line.
        usage: what the call cost all the same.
    """

    def __init__(self, text: str = "", usage: Usage = Usage()) -> None:
        super().__init__(text)
        self.usage = usage


class ReplyUnusable(MlesearchError):
    """A reply that could not be parsed; the text says what was missing, for the repair turn."""


class ConfigError(MlesearchError):
    """Wrong input by the user: one clear line, exit code 2, nothing run and nothing written."""


def printable(text: str) -> str:
    """A text that can be written: half of a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def did_you_mean(name: str, known: Iterable[str], *, clause: bool = False) -> str:
    """A hint for a name that does not exist.

    Args:
        name: as the user wrote it.
        known: the names that do exist.
        clause: whether it follows a semicolon instead of standing in parentheses.

    Returns:
        ` (did you mean 'x'?)`, or `; did you mean 'x'?`; empty where no known name is close.
    """
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    if not close:
        return ""
    return f"; did you mean {close[0]!r}?" if clause else f" (did you mean {close[0]!r}?)"


class Level(enum.StrEnum):
    """How grave a finding is."""

    OK = "ok"  # a note: worth knowing, and no fault
    WARNING = "warning"  # worth a look; it may be right
    ERROR = "error"  # programs would not run, or results would be wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found about one thing.

    Attributes:
        level: how grave it is.
        subject: what was looked at, in a word or two.
        text: what is there, or what is wrong with it.
        todo: what to do about it; empty where nothing is needed, or where the text says so.
    """

    level: Level
    subject: str
    text: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{'note' if self.level is Level.OK else self.level} ({self.subject}): {self.text}"


@dataclass(frozen=True, slots=True)
class Registry:
    """What can be asked for by name: what is built in, and what installed packages bring by entry points.

    The packages are looked through only where a name is not built in, or all of them are asked for, and what they
    bring is imported only when it is asked for by its name. A built-in name can't be taken by a package.

    Attributes:
        setting: where a user names one; every error begins with it.
        noun: what one is.
        group: of the entry points.
        builtin: by name. A text is the `module:object` to import; anything else is the thing itself.
        fits: whether an object can be one, for what packages bring.
        beside: further names that the setting takes, for the text of an error.
    """

    setting: str
    noun: str
    group: str
    builtin: Mapping[str, object]
    fits: Callable[[object], bool] = callable
    beside: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """All that can be asked for: built-in, then those of installed packages in the order of their names."""
        return [*self.builtin, *sorted(self.plugins())]

    def plugins(self) -> dict[str, str]:
        """What installed packages bring: by name the package and its version (several, where they claim one name)."""
        return {name: _packages(found) for name, found in self._claims().items() if name not in self.builtin}

    def package(self, name: str) -> str | None:
        """The package, with its version, that brings a name; None where it is built in, or nobody brings it."""
        return None if name in self.builtin else self.plugins().get(name)

    def load(self, name: str, at: str = "") -> Any:
        """What a name stands for.

        Args:
            name: built-in, or of an installed package.
            at: begins an error in place of the setting.

        Raises:
            ConfigError: nothing or several things have this name, or it can't be imported; in one line.
        """
        from importlib import import_module

        at = at or self.setting
        if name in self.builtin:
            found = self.builtin[name]
            if not isinstance(found, str):
                return found
            module, _, attribute = found.partition(":")
            return getattr(import_module(module), attribute)
        claims = self._claims()
        if name not in claims:
            known = [*self.beside, *self.names()]
            raise ConfigError(
                f"{at}: no {self.noun} is called {name!r}{did_you_mean(name, known)}; "
                f"there are: {', '.join(known) or 'none'}"
            )
        self._refuse(name, claims[name], at)
        point = claims[name][0]
        whose = f"{at}: the {self.noun} {name!r} of {_packages([point])}"
        try:
            found = point.load()
        except Exception as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"{whose} can't be imported from {point.value} ({why}); install what it needs, or another version of it"
            ) from error
        if not self.fits(found):
            raise ConfigError(
                f"{whose} is none: {point.value} is of the type {type(found).__name__}; see docs/plugins.md"
            )
        return found

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that it is not clear about whose they are; nothing is imported.

        Raises:
            ConfigError: several packages claim one of them, or a package claims one that is built in.
        """
        claims = self._claims()
        for name in sorted(set(names) & set(claims)):
            self._refuse(name, claims[name], self.setting)

    def claimed(self) -> list[str]:
        """Every name that installed packages claim, built-in ones among them."""
        return sorted(self._claims())

    def _refuse(self, name: str, claims: list[EntryPoint], at: str) -> None:
        if name in self.builtin:
            raise ConfigError(
                f"{at}: {_packages(claims)} brings a {self.noun} called {name!r}, which is the name of a built-in one; "
                f"uninstall it, or have its entry point in {self.group} renamed"
            )
        if len(claims) > 1:
            raise ConfigError(
                f"{at}: a {self.noun} called {name!r} is brought by {_packages(claims)}; uninstall all but one"
            )

    def _claims(self) -> Mapping[str, list[EntryPoint]]:
        """The entry points of installed packages, by name; one each unless several packages claim the name."""
        return _claims(self.group, _installed())


def _installed() -> tuple[tuple[str, int], ...]:
    """Where packages are installed, each with the time of its last change: what is the same brings the same."""
    found = []
    for place in sys.path:
        try:
            found.append((place, os.stat(place or ".").st_mtime_ns))
        except OSError:
            found.append((place, 0))
    return tuple(found)


@lru_cache(maxsize=64)
def _claims(group: str, installed: tuple[tuple[str, int], ...]) -> Mapping[str, list[EntryPoint]]:
    """The entry points of a group by name, as long as nothing is installed or removed."""
    from importlib.metadata import entry_points

    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, {}).setdefault(_packages([point]), point)
    return {name: list(by_package.values()) for name, by_package in found.items()}


def _packages(points: Iterable[EntryPoint]) -> str:
    return " and ".join(f"{p.dist.name} {p.dist.version}" if p.dist else "an unknown package" for p in points)
