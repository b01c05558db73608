"""What checks find: how grave, about what, and what to do."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How grave a finding is."""

    OK = "ok"  # a note: worth knowing, and no fault
    WARNING = "warning"  # worth a look; it may be right
    ERROR = "error"  # programs would not run, or results would be wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found about one thing.

    Attributes:
        level: how grave it is.
        subject: what was looked at, in a word or two.
        text: what is there, or what is wrong with it.
        todo: what to do about it; empty where nothing is needed, or where the text says so.
    """

    level: Level
    subject: str
    text: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{'note' if self.level is Level.OK else self.level} ({self.subject}): {self.text}"
