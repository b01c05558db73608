"""What of MLE-bench can be asked for by name: `mlebench:<competition>`, suites, and files of ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mlesearch.tasks.mlebench.facts import Facts, facts, table
from mlesearch.types import ConfigError, did_you_mean

SOURCE = "mlebench"
PREFIX = f"{SOURCE}:"
SMALL_GB = 1.0
"""Downloads up to this size are in `lite-small`, 10^9 bytes."""

_IN_SUITE: Mapping[str, Callable[[Facts], bool]] = {
    "lite": lambda f: f.split == "low",
    "medium": lambda f: f.split == "medium",
    "high": lambda f: f.split == "high",
    "all": lambda f: f.split != "dev",
    "dev": lambda f: f.split == "dev",
    "lite-small": lambda f: f.split == "low" and f.raw_gb is not None and f.raw_gb <= SMALL_GB,
    "lite-clean": lambda f: f.split == "low" and f.clean is True,
    "lite-open": lambda f: f.split == "low" and f.rules_open is True,
}
SUITES = tuple(_IN_SUITE)


def suite(name: str) -> list[str]:
    """The competitions of a suite in the order of the split's file; those of `all` by their names."""
    found = [f.id for f in table().values() if _IN_SUITE[name](f)]
    return sorted(found) if name == "all" else found


def competition_of(task: str) -> str:
    """The competition that a task's name asks for; empty where it is no name of one competition of MLE-bench."""
    return task.removeprefix(PREFIX) if task.startswith(PREFIX) else ""


def expanded(tasks: Iterable[str]) -> list[str]:
    """Names of tasks, with suites and files of ids replaced by the competitions they stand for, each once.

    Args:
        tasks: as a user names them; those of other sources are left as they are.

    Raises:
        ConfigError: unknown competition or suite, or a file that is not there or has an unknown id in it.
    """
    found: list[str] = []
    for name in tasks:
        whole = [f"{PREFIX}{id}" for id in asked(name)] if name.startswith(PREFIX) else [name]
        several = len(whole) > 1
        found += [one for one in whole if not (several and one in found)]
    return found


def asked(name: str) -> Sequence[str]:
    """The ids that `mlebench:<id>`, `mlebench:<suite>` or `mlebench:<file.txt>` asks for, with or without the prefix.

    Raises:
        ConfigError: as `expanded`.
    """
    word = name.removeprefix(PREFIX)
    if word in SUITES:
        return suite(word)
    if word.endswith(".txt"):
        return _of_file(Path(word).expanduser())
    if word in table():
        return [word]
    hint = did_you_mean(word, [*SUITES, *table()])
    raise ConfigError(
        f"tasks: MLE-bench has no competition or suite {word!r}{hint}; suites: {', '.join(SUITES)}; a file of ids ends "
        f"in .txt; `mlesearch mlebench status all` lists the competitions"
    )


def _of_file(path: Path) -> list[str]:
    """One id a line; empty lines and what follows a # are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no UTF-8 text"
        raise ConfigError(
            f"tasks: {PREFIX}{path}: {why}; a text file with one competition id a line is expected"
        ) from None
    found = []
    for number, line in enumerate(lines, 1):
        word = line.partition("#")[0].strip()
        if word:
            try:
                found.append(facts(word.removeprefix(PREFIX)).id)
            except ConfigError as error:
                raise ConfigError(f"{path}, line {number}: {error}") from None
    if not found:
        raise ConfigError(f"tasks: {PREFIX}{path}: no competition id in it; one a line is expected")
    return list(dict.fromkeys(found))
