"""The shape of a request that a model takes: what is left out, how long an answer may be, where the system text stands.

A model's client learns it from refusals, once for all later calls of its process. Nothing learned changes what is asked
for in the prompt's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlesearch.models.attempt import Change, LeaveOut, LowerLimit, MoveSystem

_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a model's requests.

    Attributes:
        refused: parameters that are left out.
        ceiling: the most that its answers may be asked to have, tokens; None: not known.
        moves_system: whether the system text goes to the head of the first user message.
    """

    refused: frozenset[str] = frozenset()
    ceiling: int | None = None
    moves_system: bool = False

    def changed(self, change: Change | None, asked: int | None) -> Shape | None:
        """The shape after a change; None where it changes nothing, so that sending again is no use.

        Args:
            change: what a refusal asks for.
            asked: the limit on the answer that was refused.
        """
        match change:
            case LeaveOut(parameter) if parameter not in self.refused:
                return replace(self, refused=self.refused | {parameter})
            case MoveSystem() if not self.moves_system:
                return replace(self, moves_system=True)
            case LowerLimit(tokens) if asked is not None:
                lower = asked // 2 if tokens is None else min(tokens, asked - 1)
                return replace(self, ceiling=lower) if lower >= 1 else None
        return None

    def parameters(self, optional: Mapping[str, object], takes: frozenset[str]) -> dict[str, object]:
        """What is sent of the parameters; the limit on the answer under its newer name where the old one is refused.

        Args:
            optional: what is asked for.
            takes: what litellm knows the model to take; empty where it doesn't know the provider.
        """

        def taken(name: str) -> bool:
            return (not takes or name in takes) and name not in self.refused

        left = {name: value for name, value in optional.items() if taken(name)}
        if "max_tokens" in optional and "max_tokens" not in left and taken("max_completion_tokens"):
            left["max_completion_tokens"] = optional["max_tokens"]
        for name in _LIMITS:
            asked = left.get(name)
            if isinstance(asked, int) and self.ceiling is not None:
                left[name] = min(asked, self.ceiling)
        return left

    def arguments(self, fixed: Mapping[str, object]) -> dict[str, object]:
        """What must be sent, with the system text where it belongs."""
        messages = fixed.get("messages")
        if not self.moves_system or not isinstance(messages, Sequence):
            return dict(fixed)
        return {**fixed, "messages": without_system(messages)}


def limit_sent(parameters: Mapping[str, object]) -> int | None:
    """The limit on the answer among parameters."""
    return next((value for name in _LIMITS if isinstance(value := parameters.get(name), int)), None)


def has_system(fixed: Mapping[str, object]) -> bool:
    """Whether there is a system message to move."""
    messages = fixed.get("messages")
    return isinstance(messages, Sequence) and any(m["role"] == "system" for m in messages)


def without_system(messages: Sequence[Any]) -> list[dict[str, object]]:
    """The messages with every system text at the head of the first user message."""
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    others = [dict(m) for m in messages if m["role"] != "system"]
    first = next((m for m in others if m["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *others]
    first["content"] = f"{system}\n\n{first['content']}"
    return others
