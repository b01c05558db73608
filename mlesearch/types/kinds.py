"""The kinds of things that are told apart by name: operators, directions, statuses, guidance, verdicts."""

from __future__ import annotations

import enum


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
