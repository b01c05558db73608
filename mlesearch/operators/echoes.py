"""Replies that repeat the example of their prompt instead of answering, as small models do."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

from mlesearch.types import Op, ReplyUnusable


def refuse_echo(op: Op, said: str) -> None:
    """Refuse a text that stands word for word in the example of the operator's prompt.

    Args:
        op: the operator.
        said: the text of the reply that no two judgements share: a lesson, a reason, a hypothesis.

    Raises:
        ReplyUnusable: it is the example's.
    """
    if said and json.dumps(said, ensure_ascii=False) in _template(op.value):
        raise ReplyUnusable("it repeats the example of the reply format; give an answer of its own for what is shown.")


@lru_cache(maxsize=8)
def _template(name: str) -> str:
    return resources.files("mlesearch.operators").joinpath("prompts", f"{name}.jinja").read_text(encoding="utf-8")
