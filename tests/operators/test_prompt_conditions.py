"""What in a prompt depends on the task: its modality, data, way of validating, GPU and weights."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mlesearch.operators import Scene, brief, make
from mlesearch.tasks.protocol import Modality, Validation
from mlesearch.types import Direction, Op, Proposal
from tests.support import prompt_scenes as scenes
from tests.support.prompt_scenes import NODES, RESOURCES, found


def conditions(task, op=Op.DRAFT, resources=RESOURCES) -> dict[str, str]:
    operators, _ = make(direction=Direction.MINIMIZE)
    p = Proposal(4, op, None if op is Op.DRAFT else 0)
    messages = operators.render(Scene(brief(task, scenes.PREVIEW), resources, p, NODES))
    return {b.tag: b.body for b in found(messages)}


@pytest.mark.parametrize("op", [Op.DRAFT, Op.DEBUG, Op.IMPROVE, Op.MERGE])
@pytest.mark.parametrize("modality", Modality)
def test_advice_on_deep_learning_is_for_the_task_s_modality(modality, op):
    job = conditions(replace(scenes.TASK, modality=modality), op, scenes.GPU)["job"]
    own = {"image": "Decode and resize", "text": "the longest sequence", "audio": "log-mel spectrogram"}
    assert {m for m, words in own.items() if words in job} == {modality.value} - {"tabular"}
    for words in ("mixed precision", "largest batch", "early stopping", "best epoch", "`weights/`", "torch.load"):
        assert (words in job.split("no dummy predictions")[1]) == (modality is not Modality.TABULAR)


def test_advice_follows_the_declared_gpu_and_weights():
    task = replace(scenes.TASK, modality=Modality.TEXT)
    job = conditions(task)["job"]
    assert "There is no GPU" in job
    assert "No pretrained weights are declared" in job
    assert "autocast" not in job
    job = conditions(task, resources=scenes.GPU)["job"]
    assert "There is no GPU" not in job
    assert "No pretrained weights are declared" not in job
    assert "autocast" in job


def test_findings_stand_in_the_data_block_of_every_operator():
    task = replace(scenes.TASK, eda="Density is skewed.")
    for op in set(Op) - {Op.REVIEW, Op.DIAGNOSE}:
        assert conditions(task, op)["data"].endswith("3 missing\n\nFindings about the data:\nDensity is skewed.")
    operators, _ = make(direction=Direction.MINIMIZE)
    for p in (Proposal(4, Op.DIAGNOSE, 0, subject=2),):
        assert "Density is skewed." in operators.render(Scene(brief(task, ""), RESOURCES, p, NODES))[1].content
    assert (
        "Density is skewed."
        in operators.render_review(Scene(brief(task, ""), RESOURCES, Proposal(2, Op.IMPROVE, 0), NODES), NODES[2])[
            1
        ].content
    )


def test_programs_that_report_their_score_are_given_one_split():
    reported = replace(scenes.TASK, validation=Validation.REPORTED)
    text = conditions(reported)["contract"]
    for words in ("same five folds", "StratifiedKFold(n_splits=5, shuffle=True, random_state=0)", "never others"):
        assert words in text
    own = conditions(replace(reported, reported_split="Group by mine."))["contract"]
    assert "Group by mine." in own
    assert "KFold" not in own
    grouped = conditions(replace(reported, group_column="mine"))["contract"]
    assert "`GroupKFold(n_splits=5)` by the column `mine`" in grouped
    assert "StratifiedKFold" not in grouped
    assert "KFold" not in conditions(scenes.TASK)["contract"]


def test_a_repeated_idea_is_said_to_have_the_least_novelty():
    assert re.search(r"novelty: .*tried here before.* has novelty 1\.", conditions(scenes.TASK, Op.HYPOTHESIZE)["job"])
