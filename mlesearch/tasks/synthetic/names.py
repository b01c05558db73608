"""Which synthetic tasks there are, and how they are asked for: `synthetic:easy-01`, `synthetic:easy`, `synthetic:all`.

The id of a task is `synthetic-easy-01`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlesearch.types import ConfigError, did_you_mean

SOURCE = "synthetic"
PREFIX = f"{SOURCE}:"
ID_PREFIX = f"{SOURCE}-"
STATES = 1000
"""Random states that a program may name: from 0 to one less than this."""
EACH = 25
"""Tasks of each difficulty."""
ALL = "all"


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard worlds of a kind are.

    Attributes:
        questions: how many choices a pipeline makes.
        epistasis: share of the variance of pipelines' quality that pairs of options explain beyond single ones.
        bias_sd: standard deviation of a pipeline's frozen validation bias, in those of quality.
        noise_sd: likewise of what the random state of a run adds to its validation score.
    """

    questions: int
    epistasis: float
    bias_sd: float
    noise_sd: float


DIFFICULTIES = {
    "easy": Difficulty(18, 0.1, 0.1, 0.05),
    "medium": Difficulty(21, 0.3, 0.2, 0.1),
    "hard": Difficulty(24, 0.5, 0.3, 0.15),
}


def tasks(suite: str = ALL) -> list[str]:
    """The names of the tasks of a suite, as `easy-01`."""
    wanted = list(DIFFICULTIES) if suite == ALL else [suite]
    return [f"{difficulty}-{i:02d}" for difficulty in wanted for i in range(1, EACH + 1)]


def expanded(asked: Iterable[str]) -> list[str]:
    """Names of tasks, with suites replaced by the tasks they stand for, each once.

    Args:
        asked: as a user names them; those of other sources are left as they are.

    Raises:
        ConfigError: no such task or suite.
    """
    asked = list(asked)
    if not any(name.startswith(PREFIX) for name in asked):
        return asked
    found: dict[str, None] = {}
    suites = (ALL, *DIFFICULTIES)
    for name in asked:
        word = name.removeprefix(PREFIX)
        if word == name:
            found[name] = None
        elif word in suites:
            found.update(dict.fromkeys(f"{PREFIX}{task}" for task in tasks(word)))
        elif word in tasks():
            found[name] = None
        else:
            hint = did_you_mean(word, [*suites, *tasks()])
            raise ConfigError(
                f"tasks: there is no synthetic task or suite {word!r}{hint}; suites: {', '.join(suites)}; tasks: "
                f"easy-01 to hard-{EACH}"
            )
    return list(found)
