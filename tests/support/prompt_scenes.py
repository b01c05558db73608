"""The scenes whose rendered prompts are stored in tests/data/golden_prompts.

After a wanted change of a prompt, write them anew and read the difference:

    python tests/support/prompt_scenes.py write

`digest` prints one sha256 over all of them; the tests compare it between processes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlesearch.models import markup
from mlesearch.models.protocol import Message
from mlesearch.operators import Resources, Scene, brief, make
from mlesearch.tasks.protocol import Modality, Task, Thresholds, Validation
from mlesearch.types import (
    Component,
    Direction,
    Guidance,
    GuidanceKind,
    HypothesisScores,
    Node,
    Op,
    ProblemKind,
    Proposal,
    Status,
    VerdictKind,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden_prompts"

TASK = Task(
    id="crystals",
    title="Crystals",
    version="1",
    metric="rmse",
    direction=Direction.MINIMIZE,
    validation=Validation.HARNESS,
    description="Predict the density of a crystal.\n\nScored by RMSE.",
    public_dir=Path("/secret/public"),
    private_dir=Path("/secret/private"),
    id_column="id",
    target_columns=("density",),
    thresholds=Thresholds(0.1, 0.2, 0.3, 0.4, 10),
    program_time_s=60.0,
)
PREVIEW = "train.csv: 300 rows, 4 columns\n  width: 0.1 to 9.7, 3 missing"
BRIEF = brief(TASK, PREVIEW)
RESOURCES = Resources(60.0, 4 * 2**30, 2, "", {"scikit-learn": "1.5.2", "numpy": "1.26.4", "pandas": "2.2.3"})
GPU = Resources(3600.0, 32 * 2**30, 8, "NVIDIA A100, 80 GiB", {"torch": "2.6.0"}, "resnet50.pt (98 MiB)")
EDA = "Sizes of the pictures: 480 x 640 in 3 of 4, the rest smaller.\nTarget density: 2.1 to 7.9, median 3.3."
CODE = "import pandas as pd\n\ntrain = pd.read_csv('input/train.csv')\nTREES = {trees}\nprint(train.shape)\n"


def found(messages: tuple[Message, ...]) -> list[markup.Block]:
    """The blocks of a prompt."""
    assert [m.role for m in messages] == ["system", "user"]
    return markup.blocks(messages[1].content)


def node(id: int, op: Op = Op.IMPROVE, base: int | None = None, **changes: Any) -> Node:
    """A finished program; a score makes it valid."""
    plain = Node(
        id=id,
        op=op,
        base=base,
        parents=() if base is None else (base,),
        trace=0,
        plan=f"Plan of program {id}.",
        code=CODE.format(trees=100 + id),
        status=Status.OK,
        score=None,
        lesson="",
        output="(300, 4)\ncv 0.31",
        run_time_s=12.3 + 10 * id,
        time_limit_s=60.0,
    )
    return replace(plain, **changes)


NODES = {
    n.id: n
    for n in (
        node(0, Op.DRAFT, score=0.31, lesson="A forest with 100 trees reaches 0.31."),
        node(
            1,
            Op.DRAFT,
            status=Status.ERROR,
            output="Traceback (most recent call last):\nKeyError: 'widht'",
            run_time_s=1.4,
        ),
        node(2, Op.IMPROVE, 0, score=0.2912345678, lesson="More trees help.", hypothesis="More trees lower the error."),
        node(3, Op.IMPROVE, 0, status=Status.TIMEOUT, plan="", lesson="Too many trees.", run_time_s=60.0),
    )
}
GUIDANCE = (
    Guidance(GuidanceKind.HYPOTHESIS, "Use the ratio of width to length.", component=Component.FEATURES),
    Guidance(
        GuidanceKind.MEMORY,
        "More trees lower the error.",
        node=2,
        score=0.2912345678,
        gain=0.0187654322,
        finding="0.291 against 0.31 for the base, in every fold. Most of the gain comes with the first 100 trees.",
    ),
    Guidance(
        GuidanceKind.HISTORY,
        "Deeper trees.",
        node=3,
        verdict=VerdictKind.REJECTED,
        problem="The forest underfits: 0.30 on its own training rows.",
        finding="not valid after 0 debugs. Too many trees.",
    ),
)
CANDIDATES = (
    Guidance(
        GuidanceKind.CANDIDATE,
        "Blend the forest with a linear model, at a weight found out of fold.",
        component=Component.ENSEMBLE,
        problem="A forest can't follow the linear part of the density.",
        problem_kind=ProblemKind.SCENARIO,
        ratings=HypothesisScores(8, 7, 6, 9, 5.5),
    ),
    Guidance(
        GuidanceKind.CANDIDATE,
        "Use the ratio of width to length.",
        component=Component.FEATURES,
        problem="Width enters alone, although the errors grow with length.",
        problem_kind=ProblemKind.FEEDBACK,
        ratings=HypothesisScores(9, 5, 8, 10, 7),
    ),
)
PROPOSALS = {
    "draft": Proposal(4, Op.DRAFT),
    "improve": Proposal(4, Op.IMPROVE, 0, parents=(0,), guidance=GUIDANCE),
    "debug": Proposal(4, Op.DEBUG, 1, parents=(1,)),
    "debug_timeout": Proposal(4, Op.DEBUG, 3, parents=(3,)),
    "merge": Proposal(4, Op.MERGE, 2, parents=(0, 2), context=(0,)),
    "diagnose": Proposal(4, Op.DIAGNOSE, 0, subject=2),
    "diagnose_first": Proposal(4, Op.DIAGNOSE, subject=0),
    "hypothesize": Proposal(4, Op.HYPOTHESIZE, 2, context=(0, 3), guidance=GUIDANCE[1:]),
    "select": Proposal(4, Op.SELECT, 2, context=(), guidance=(*CANDIDATES, *GUIDANCE[1:])),
}


def as_text(messages: tuple[Message, ...]) -> str:
    """A conversation as the files hold it."""
    return "".join(f"=== {m.role}\n{m.content}\n" for m in messages)


def rendered() -> Iterator[tuple[str, str]]:
    """Name and text of every stored prompt."""
    operators, scope = make(direction=TASK.direction, operator_set="aira")
    for n in NODES.values():
        scope.add(n)
    for name, p in PROPOSALS.items():
        scene = Scene(BRIEF, RESOURCES, p, NODES, scope.context(p, NODES), scope.cue(p), 7)
        yield name, as_text(operators.render(scene))
    scene = Scene(BRIEF, RESOURCES, Proposal(2, Op.IMPROVE, 0), NODES)
    review = operators.render_review(scene, NODES[2])
    yield "review", as_text(review)
    yield "repair", as_text(operators.repair(review, "It is fine.", "it holds no JSON object.")[-2:])
    reported = brief(replace(TASK, validation=Validation.REPORTED), PREVIEW)
    yield "contract_reported", reported.contract + "\n"
    split = "`GroupKFold` with 5 folds over `mine`; the mean of the fold scores counts."
    own = brief(replace(TASK, validation=Validation.REPORTED, reported_split=split), PREVIEW)
    yield "contract_reported_split", own.contract + "\n"
    late = Scene(BRIEF, RESOURCES, PROPOSALS["improve"], NODES, (0,), "", 0, limit_s=35.0, time_left_s=35.7)
    yield "improve_late", as_text(operators.render(late))
    image = brief(replace(TASK, modality=Modality.IMAGE, eda=EDA), PREVIEW)
    yield "draft_image", as_text(operators.render(Scene(image, GPU, Proposal(4, Op.DRAFT), {}, time_left_s=40_000.0)))


def main(what: str) -> None:
    """See the module's text."""
    if what == "write":
        for name, text in rendered():
            (GOLDEN / f"{name}.txt").write_text(text, encoding="utf-8")
    else:
        print(hashlib.sha256("".join(text for _, text in rendered()).encode()).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1])
