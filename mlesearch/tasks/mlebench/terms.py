"""On which terms competitions are used: where they lie, who grades them, what a search learns of a grade."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mlesearch.types import ConfigError, did_you_mean

WORDS: Mapping[str, tuple[str, ...]] = {
    "missing": ("refuse", "skip"),
    "verify": ("checksums", "off"),
    "unpack": ("auto", "off"),
    "feedback": ("message", "valid"),
    "validation": ("reported", "twice"),
    "fallback": ("reported", "refuse"),
}
"""What the settings of this name may be."""


@dataclass(frozen=True, slots=True)
class MlebenchTerms:
    """The settings `mlebench.*` of a cell.

    Attributes:
        data_dir: folder of prepared competitions, as it was given; None: by environment, else MLE-bench's default.
        python: interpreter that has MLE-bench, as it was given; None: by environment, else the one that was installed.
        missing: competitions of a suite that are not prepared: refuse or skip.
        verify: checksums or off.
        unpack: archives of the public data: auto or off.
        feedback: what a search learns of an invalid submission: message or valid.
        validation: reported: programs report their own score; twice: a set that is held out scores them.
        fallback: where `twice` is impossible: reported or refuse.
        grade_timeout_s: seconds for one grade.
        grade_memory_gib: of a grader, GiB.
    """

    data_dir: str | None = None
    python: str | None = None
    missing: str = "refuse"
    verify: str = "checksums"
    unpack: str = "auto"
    feedback: str = "message"
    validation: str = "reported"
    fallback: str = "reported"
    grade_timeout_s: float = 900.0
    grade_memory_gib: float = 8.0

    def check(self) -> None:
        """Refuse what can't be.

        Raises:
            ConfigError: an unknown word, or a number out of range.
        """
        for key, allowed in WORDS.items():
            word = getattr(self, key)
            if word not in allowed:
                hint = did_you_mean(word, allowed)
                raise ConfigError(f"mlebench.{key}: {word!r} is none of {', '.join(allowed)}{hint}")
        for key in ("grade_timeout_s", "grade_memory_gib"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"mlebench.{key}: {value}; a number above 0 is needed")
