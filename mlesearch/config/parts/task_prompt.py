"""What a model reads of a task: the prompt that asks for a first program, under the default settings."""

from __future__ import annotations

from mlesearch.config.parts.build import make_limits, make_operators
from mlesearch.config.settings import Settings
from mlesearch.models.protocol import Message
from mlesearch.operators.base import Resources, Scene
from mlesearch.operators.scene import brief
from mlesearch.tasks.preview import preview
from mlesearch.tasks.protocol import Task
from mlesearch.types import Op, Proposal


def first_prompt(task: Task) -> tuple[Message, ...]:
    """The messages that ask for a first program.

    Args:
        task: loaded.

    Returns:
        As a run with the default settings sends them, but for the installed packages, which are those of its sandbox,
        and for what a strategy may add.
    """
    settings = Settings()
    limits = make_limits(settings, task)
    resources = Resources(limits.time_s, limits.memory_bytes, limits.cpu_count)
    operators, _ = make_operators(settings, task.direction)
    return operators.render(Scene(brief(task, preview(task.public_dir)), resources, Proposal(0, Op.DRAFT), {}))
