"""Operators: they turn a scene into messages and a reply into a program or a judgement. No I/O, no clock.

May import the nouns, the text format of prompts (`mlesearch.models.markup`) and what a task says of itself. Begin with
`base`; `prompts` holds the operator sets, `scope` the one rule for what a prompt shows, `library` reads the prompt
files. Replies are read by `parse`: `answer` finds what of one counts, `programs` its program (in `fences`, of which
`choice` takes the right ones, put right by `mending`, refused by `elisions` where code is left out), `loose_json` and
`json_fields` a judgement.
"""

from __future__ import annotations

from collections.abc import Callable

from mlesearch.operators.base import Brief, Operators, Parsed, Resources, Scene, Scope
from mlesearch.operators.library import digests
from mlesearch.operators.scene import brief
from mlesearch.types import ConfigError, Direction, Registry

__all__ = [
    "OPERATOR_SETS",
    "Brief",
    "Operators",
    "Parsed",
    "Resources",
    "Scene",
    "Scope",
    "brief",
    "digests",
    "make",
]

OPERATOR_SETS = Registry(
    setting="run.operators",
    noun="operator set",
    group="mlesearch.operators",
    builtin={"aide": "mlesearch.operators.prompts:aide", "aira": "mlesearch.operators.prompts:aira"},
)
"""The operator sets, each a factory `make(direction, context_tokens) -> (Operators, Scope)`. The built-in ones differ
in their scope rule; their prompt files are the same."""


def make(
    *,
    direction: Direction,
    operator_set: str = "aide",
    context_tokens: int = 4000,
) -> tuple[Operators, Scope]:
    """The operators and the scope rule of one run; make them anew for each run.

    Args:
        direction: of the validation score, as the task declares it.
        operator_set: by its name: which nodes a prompt shows, and whether it carries a complexity cue.
        context_tokens: most tokens that the earlier attempts of one prompt may take; 0 shows none.

    Raises:
        ConfigError: a value that is not offered; the text names the allowed ones.
    """
    factory: Callable[[Direction, int], tuple[Operators, Scope]] = OPERATOR_SETS.load(operator_set)
    if isinstance(context_tokens, bool) or not isinstance(context_tokens, int) or context_tokens < 0:
        raise ConfigError(
            f"run.context_tokens: {context_tokens!r} is not allowed; give a whole number from 0 up, e.g. 4000"
        )
    return factory(direction, context_tokens)
