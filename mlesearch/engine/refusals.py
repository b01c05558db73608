"""A run whose every reply so far is one and the same refusal: it stops early, before it spends its steps on nothing."""

from __future__ import annotations

from mlesearch.engine.trial import UNANSWERED
from mlesearch.models.protocol import BadRequest, ContentFilter, ContextOverflow, Reply
from mlesearch.types import ModelUnavailable

FIRST = 6
"""So many first replies of one kind, three proposals, are no chance."""

_ADVICE = {
    ContextOverflow.finish: "choose a model with a larger context, or lower run.context_tokens",
    ContentFilter.finish: "choose another model or provider, or another task",
    BadRequest.finish: "see the words of the provider, and correct the model's params",
}
_DEFAULT_ADVICE = "see whether the model answers at all with `mlesearch models check`"


class OnlyRefusals(ModelUnavailable):
    """The model has answered nothing so far but one and the same refusal."""


class FirstReplies:
    """What a run's first replies were, until one of them is an answer or another kind of refusal.

    A run that is launched again goes on with the next proposal, and stops again after it if that is refused likewise.
    """

    def __init__(self) -> None:
        """Nothing was answered yet."""
        self._finish: str | None = None
        self._count = 0
        self._new = 0  # of this process
        self._over = False
        self._last = ""

    def add(self, finish: str, text: str = "", *, new: bool = True) -> None:
        """One more reply; `new` where it came to this process."""
        if self._over:
            return
        if finish not in UNANSWERED or self._finish not in (None, finish):
            self._over = True
            return
        self._finish, self._last = finish, text or self._last
        self._count += 1
        self._new += new

    def reply(self, reply: Reply) -> None:
        """One more reply that came to this process."""
        self.add(reply.finish, reply.text)

    @property
    def stop(self) -> OnlyRefusals | None:
        """Why no further proposal begins; None where one may."""
        if self._over or self._finish is None or self._count < FIRST or not self._new:
            return None
        advice = _ADVICE.get(self._finish, _DEFAULT_ADVICE)
        return OnlyRefusals(
            f"the first {self._count} replies are all the same refusal ({self._finish}), so the run was stopped: "
            f"{self._last}; {advice}, then run again to go on"
        )
