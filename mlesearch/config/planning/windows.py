"""A task whose shortest prompt is longer than a model's context window is refused before anything runs."""

from __future__ import annotations

from mlesearch.config.parts.build import CellParts, make_operators, shown_resources
from mlesearch.models.token_count import prompt_bytes, typical_count
from mlesearch.operators.base import Scene
from mlesearch.operators.scene import brief
from mlesearch.sandbox.protocol import Limits
from mlesearch.tasks.preview import task_preview
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Op, Proposal

SMALL_WINDOW = 65_536
"""Tokens; into a larger one every shortest prompt fits, since all its parts are bounded."""


def small_windows(cell: CellParts) -> dict[str, int]:
    """The models of a cell that declare a small context window, and its tokens."""
    windows = {m.name: w for m in cell.models if isinstance(w := m.identity().get("context_window"), int)}
    return {name: w for name, w in windows.items() if w <= SMALL_WINDOW}


def check_window(cell: CellParts, task: Task, limits: Limits) -> None:
    """See that the prompt of a first draft can fit, where a model declares a small context window.

    Args:
        cell: whose models are asked; nothing is checked before its sandbox is open, whose packages a prompt names.
        task: whose description and preview the prompt holds.
        limits: that it names.

    Raises:
        ConfigError: it can't, by our own count of tokens; says what to change.
    """
    small = small_windows(cell)
    if not small or cell.sandbox is None:
        return
    resources = shown_resources(limits, cell.sandbox)
    scene = Scene(brief(task, task_preview(task)), resources, Proposal(0, Op.DRAFT), {})
    operators, _ = make_operators(cell.settings, task.direction)
    tokens = typical_count(prompt_bytes(operators.render(scene)))
    for name, window in small.items():
        if tokens > window:
            raise ConfigError(
                f"model.params.context_window: {window} tokens (model {name!r}), and the shortest prompt for the task "
                f"{task.id!r} has about {tokens}, so no call can fit; start its server with a larger context and "
                "declare that, choose another model, or shorten the task's description"
            )
