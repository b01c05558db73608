"""The nouns that every package shares: operators, proposals, outcomes, results, findings, errors, money and time.

Nothing here computes more than a property or a text, but for `Registry`, by which a thing is found by its name. Begin
with `kinds` and `proposals` (what is asked), then `outcomes` (what becomes of it); `usage` and `executions` are what
that took, `errors` and `findings` what is said of faults. All names are handed out here. May import no other package.
"""

from mlesearch.types.errors import (
    ConfigError,
    GraderUnavailable,
    MlesearchError,
    ModelUnavailable,
    ReplyUnusable,
    SandboxUnavailable,
)
from mlesearch.types.executions import Artefact, Captured, ExecResult
from mlesearch.types.findings import Finding, Level
from mlesearch.types.kinds import (
    JUDGEMENT_OPS,
    PROGRAM_OPS,
    Component,
    Context,
    Direction,
    ExecStatus,
    GuidanceKind,
    Op,
    ProblemKind,
    Status,
    VerdictKind,
)
from mlesearch.types.outcomes import Node, Outcome, Problem, Rng, Verdict
from mlesearch.types.proposals import Diagnosis, Embedding, Guidance, Hypothesis, HypothesisScores, Proposal
from mlesearch.types.registry import Registry
from mlesearch.types.text import did_you_mean, printable
from mlesearch.types.usage import MICROSECONDS, MOST_USD, NANODOLLARS, Usage

__all__ = [
    "JUDGEMENT_OPS",
    "MICROSECONDS",
    "MOST_USD",
    "NANODOLLARS",
    "PROGRAM_OPS",
    "Artefact",
    "Captured",
    "Component",
    "ConfigError",
    "Context",
    "Diagnosis",
    "Direction",
    "Embedding",
    "ExecResult",
    "ExecStatus",
    "Finding",
    "GraderUnavailable",
    "Guidance",
    "GuidanceKind",
    "Hypothesis",
    "HypothesisScores",
    "Level",
    "MlesearchError",
    "ModelUnavailable",
    "Node",
    "Op",
    "Outcome",
    "Problem",
    "ProblemKind",
    "Proposal",
    "Registry",
    "ReplyUnusable",
    "Rng",
    "SandboxUnavailable",
    "Status",
    "Usage",
    "Verdict",
    "VerdictKind",
    "did_you_mean",
    "printable",
]
