"""What SELECT reads of its candidates, its memory and its history: every field that the strategy names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlesearch.operators import Scene, make
from mlesearch.types import (
    Component,
    Direction,
    Guidance,
    GuidanceKind,
    HypothesisScores,
    Op,
    ProblemKind,
    Proposal,
    VerdictKind,
)
from tests.support.prompt_scenes import BRIEF, NODES, RESOURCES

CANDIDATE = Guidance(
    GuidanceKind.CANDIDATE,
    "One-hot encode the lattice.",
    component=Component.FEATURES,
    problem="The lattice enters as a number.",
    problem_kind=ProblemKind.FEEDBACK,
    ratings=HypothesisScores(9, 7.5, 4, 10, 2),
)
MEMORY = Guidance(
    GuidanceKind.MEMORY,
    "Add the ratio of width to length.",
    2,
    0.2912345678,
    Component.DATA,
    VerdictKind.ACCEPTED,
    gain=0.0187654321,
    finding="Most of it comes from the smallest crystals.",
)
HISTORY = Guidance(
    GuidanceKind.HISTORY,
    "Use a neural network.",
    1,
    None,
    Component.MODEL,
    VerdictKind.REJECTED,
    problem="Trees extrapolate badly.",
    gain=-0.5,
    changes="The forest became a network.",
    finding="It diverged.",
)
DIAGNOSIS = Guidance(GuidanceKind.DIAGNOSIS, "The folds differ by 0.02.", 2)
AVOID = Guidance(GuidanceKind.AVOID, "Kernel ridge.")
STAGE = Guidance(GuidanceKind.STAGE, "improve: one strong change.")
ALL = (CANDIDATE, MEMORY, HISTORY, DIAGNOSIS, AVOID, STAGE)


def prompt(guidance: tuple[Guidance, ...] = ALL, base: int | None = 2) -> str:
    operators, _ = make(direction=Direction.MINIMIZE)
    scene = Scene(BRIEF, RESOURCES, Proposal(7, Op.SELECT, base, guidance=guidance), NODES)
    return operators.render(scene)[1].content


def block(kind: str, text: str) -> str:
    """The opening tag and the body of the block of one kind of guidance."""
    start = text.index(f'<guidance kind="{kind}"')
    return text[start : text.index("</guidance>", start)]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("candidate", "\nProblem: The lattice enters as a number.\n"),
        ("candidate", "\nHypothesis: One-hot encode the lattice."),
        ("candidate", ' problem_kind="feedback"'),
        ("candidate", ' component="features"'),
        ("candidate", ' alignment="9"'),
        ("candidate", ' impact="7.5"'),
        ("candidate", ' novelty="4"'),
        ("candidate", ' feasibility="10"'),
        ("candidate", ' risk="2"'),
        ("memory", "\nHypothesis: Add the ratio of width to length.\n"),
        ("memory", "\nFinding: Most of it comes from the smallest crystals."),
        ("memory", ' score="0.291235"'),
        ("memory", ' gain="+0.0187654"'),
        ("memory", ' component="data"'),
        ("memory", ' run_time="under 45 s of 60 s"'),
        ("history", "\nProblem: Trees extrapolate badly.\n"),
        ("history", "\nHypothesis: Use a neural network.\n"),
        ("history", "\nChanges: The forest became a network.\n"),
        ("history", "\nFinding: It diverged."),
        ("history", ' gain="-0.5"'),
        ("history", ' run_time="under 10 s of 60 s"'),
        ("history", ' verdict="rejected"'),
        ("diagnosis", "The folds differ by 0.02."),
        ("avoid", "Kernel ridge."),
        ("stage", "improve: one strong change."),
    ],
)
def test_every_field_is_shown(kind, shown):
    assert shown in block(kind, prompt())


def test_the_limit_in_force_and_the_time_left_are_shown():
    operators, _ = make(direction=Direction.MINIMIZE)
    proposal = Proposal(7, Op.SELECT, 2, guidance=ALL)
    scene = Scene(BRIEF, RESOURCES, proposal, NODES, budget_left=1, limit_s=45.0, time_left_s=130.0)
    text = operators.render(scene)[1].content
    assert "Time limit of one program: 45 s" in text
    assert "Time of the whole search still left: more than 2 min" in text
    assert "still left: more" not in prompt()  # no time budget is declared


def test_the_accepted_program_is_shown_with_its_output():
    text = prompt()
    assert NODES[2].code.strip() in text
    assert '<output role="base"' in text
    assert NODES[2].output in text[text.index('<output role="base"') :]


def test_a_field_that_is_not_known_leaves_no_trace():
    bare = Guidance(GuidanceKind.CANDIDATE, "Scale the inputs.", component=Component.MODEL)
    assert block("candidate", prompt((bare,))) == ('<guidance kind="candidate" component="model">\nScale the inputs.\n')
    assert "Changes:" not in block("candidate", prompt())
    assert "gain=" not in block("memory", prompt((replace(MEMORY, gain=None),)))
