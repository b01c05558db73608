"""The interpreter that has MLE-bench's package: where it is, what is in it, and whether it grades rightly."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlesearch.tasks.files import caches
from mlesearch.tasks.mlebench import facts
from mlesearch.types import ConfigError

PYTHON_VARIABLE = "MLESEARCH_MLEBENCH_PYTHON"
INSTALL = "mlesearch mlebench install REPOSITORY (a folder, or a git URL of openai/mle-bench)"
CURRENT = "venv"
"""The link to the environment that is used."""
PINS: Mapping[str, tuple[int, int]] = {"pandas": (3, 0), "numpy": (2, 4), "scikit-learn": (1, 11)}
"""The first release of each library that grades other than the environment of 2024 did: measured on 996 submissions."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker says of the interpreter that it runs in, before it grades anything.

    Attributes:
        commit: of the package's repository; empty where that can't be told.
        digest: sha256 of the package's code and settings of competitions: it changes with whatever grades.
        python: version of the interpreter.
        versions: of pandas, numpy and scikit-learn, by name.
        competitions: ids that the package knows, sorted.
        unmet: the pins that are not met, as `pandas 3.1.0 (needs < 3.0)`.
    """

    commit: str
    digest: str
    python: str
    versions: Mapping[str, str] = field(hash=False)
    competitions: tuple[str, ...]
    unmet: tuple[str, ...]

    @property
    def pins_met(self) -> bool:
        """Whether all libraries are of releases that grade as those of 2024 did."""
        return not self.unmet

    @property
    def graded_wrongly(self) -> tuple[str, ...]:
        """The competitions in which right submissions are invalid with these libraries; empty where pins are met."""
        if self.pins_met:
            return ()
        return tuple(sorted(name for name, known in facts.table().items() if known.broken_by_new_pandas))

    def warnings(self, wanted: tuple[str, ...] = ()) -> list[str]:
        """What to say before anything is run, one line each; nothing where all pins are met.

        Args:
            wanted: competitions that are going to be graded; empty: all.
        """
        if self.pins_met:
            return []
        wrong = [name for name in self.graded_wrongly if not wanted or name in wanted]
        what = f"grades {len(wrong)} competitions wrongly: {', '.join(wrong)}" if wrong else "may grade wrongly"
        return [f"MLE-bench's interpreter has {', '.join(self.unmet)} and {what}; make another with {INSTALL}"]


def unmet_pins(versions: Mapping[str, str]) -> tuple[str, ...]:
    """The pins that installed releases do not meet, in words."""
    return tuple(
        f"{name} {versions[name]} (needs < {limit[0]}.{limit[1]})"
        for name, limit in PINS.items()
        if name in versions and _release(versions[name]) >= limit
    )


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder in which `mlesearch mlebench install` keeps an environment, in the user's folder of caches."""
    return caches(environ) / "mlesearch" / "mlebench"


def installed_python(environ: Mapping[str, str] = os.environ) -> Path:
    """The interpreter that `mlesearch mlebench install` made last; it need not be there.

    The link to the current environment is followed: a run keeps the one that it began with.
    """
    return (home(environ) / CURRENT).resolve() / "bin" / "python"


def find_python(setting: str | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The interpreter that has MLE-bench's package.

    Args:
        setting: `mlebench.python`; else the environment variable MLESEARCH_MLEBENCH_PYTHON, else what
            `mlesearch mlebench install` made.
        environ: of this process.

    Raises:
        ConfigError: there is none, or it is no program; whether the package is in it is told by a worker's hello.
    """
    for named, where in ((setting, "mlebench.python"), (environ.get(PYTHON_VARIABLE), PYTHON_VARIABLE)):
        if named:
            # Not resolved: the link in an environment's folder is what makes it that environment.
            path = Path(named).expanduser().absolute()
            if not path.is_file() or not os.access(path, os.X_OK):
                raise ConfigError(f"{where}: {path} is no program; name a Python interpreter that has MLE-bench")
            return path
    path = installed_python(environ)
    if not path.is_file():
        raise ConfigError(
            f"mlebench.python: no interpreter with MLE-bench is known; make one with {INSTALL}, "
            f"or name one by mlebench.python=PATH or {PYTHON_VARIABLE}"
        )
    return path
