"""Operators: they turn a scene into messages and a reply into a program or a judgement. No I/O, no clock."""

from __future__ import annotations

from mlesearch.operators.attempts import Attempts
from mlesearch.operators.base import Brief, Operators, Parsed, Resources, Scene, Scope
from mlesearch.operators.library import digests
from mlesearch.operators.prompts import PromptOperators
from mlesearch.operators.scene import brief
from mlesearch.operators.scope import AideScope, AiraScope
from mlesearch.types import ConfigError, Direction

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

OPERATOR_SETS = ("aide", "aira")
"""Scope rules to choose from; the prompt files are the same for both."""


def make(
    *,
    direction: Direction,
    operator_set: str = "aide",
    context_tokens: int = 4000,
) -> tuple[Operators, Scope]:
    """The operators and the scope rule of one run; make them anew for each run.

    Args:
        direction: of the validation score, as the task declares it.
        operator_set: which nodes a prompt shows, and whether it carries a complexity cue: aide or aira.
        context_tokens: most tokens that the earlier attempts of one prompt may take; 0 shows none.

    Raises:
        ConfigError: a value that is not offered; the text names the allowed ones.
    """
    if operator_set not in OPERATOR_SETS:
        raise ConfigError(
            f"run.operators: there is no operator set {operator_set!r}; there are: {', '.join(OPERATOR_SETS)}"
        )
    if isinstance(context_tokens, bool) or not isinstance(context_tokens, int) or context_tokens < 0:
        raise ConfigError(
            f"run.context_tokens: {context_tokens!r} is not allowed; give a whole number from 0 up, e.g. 4000"
        )
    attempts = Attempts()
    scope_class = AideScope if operator_set == "aide" else AiraScope
    scope = scope_class(direction, context_tokens, attempts)
    return PromptOperators(scope, attempts), scope
