"""What is raised: errors a user can act on, and what could not be had."""

from __future__ import annotations

from mlesearch.types.usage import Usage

_NONE = Usage()


class MlesearchError(Exception):
    """An error a user can act on: its text says what, where, what was allowed and what to do next."""


class SandboxUnavailable(MlesearchError):
    """The sandbox itself failed; the program is not to blame and is not charged."""


class GraderUnavailable(MlesearchError):
    """The official grader of a competition could not be run; the submission is not to blame and nothing is charged."""


class ModelUnavailable(MlesearchError):
    """The model could not be reached or refused; never shown to the model, never scored.

    Args:
        text: what happened, one line.
        usage: what the call cost all the same.
    """

    def __init__(self, text: str = "", usage: Usage = _NONE) -> None:
        super().__init__(text)
        self.usage = usage


class ReplyUnusable(MlesearchError):
    """A reply that could not be parsed; the text says what was missing, for the repair turn."""


class ConfigError(MlesearchError):
    """Wrong input by the user: one clear line, exit code 2, nothing run and nothing written."""
