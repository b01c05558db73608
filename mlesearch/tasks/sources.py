"""Task sources: what installed packages bring where tasks are found by name, such as the task store of a laboratory.

A task of a source is asked for as `source:name`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from mlesearch.types import ConfigError, MlesearchError, Registry, did_you_mean

SEPARATOR = ":"


class TaskSource(Protocol):
    """Finds tasks by name. Its class, or a function that makes one, is the entry point; it is called with nothing."""

    def names(self) -> Sequence[str]:
        """The names of its tasks, at once: nothing is fetched or prepared."""
        ...

    def folder(self, name: str) -> Path:
        """The folder of one of them, in the layout of docs/tasks.md, whole: fetched and prepared where it has to be.

        Several processes may ask for it at once. A ConfigError that it raises is shown as it is.
        """
        ...


_BUILTIN = {
    "mlebench": "mlesearch.tasks.mlebench.source:CompetitionSource",
    "synthetic": "mlesearch.tasks.synthetic.folder:SyntheticSource",
}
TASK_SOURCES = Registry(setting="tasks", noun="task source", group="mlesearch.tasks", builtin=_BUILTIN)
"""The task sources, each a factory `make() -> TaskSource`."""


def of(name: str) -> str:
    """The source in a task's name; empty where it names none."""
    source, separator, task = name.partition(SEPARATOR)
    return source if separator and task and "/" not in source else ""


def folder(name: str) -> Path:
    """The folder of the task `source:name`.

    Raises:
        ConfigError: no such source, no such task in it, or the source failed; in one line.
    """
    source, _, task = name.partition(SEPARATOR)
    made = _made(source)
    known = _names(source, made)
    if task not in known:
        hint = did_you_mean(task, known)
        raise ConfigError(f"tasks: {source} has no task {task!r}{hint}; it has: {', '.join(known) or 'none'}")
    try:
        return Path(made.folder(task))
    except MlesearchError:
        raise
    except Exception as error:
        raise _failed(source, f"has no folder for {task!r}", error) from error


def listed() -> Iterator[tuple[str, str]]:
    """All tasks of all sources, as `source:name`, each with the package that brings it."""
    for source, package in sorted(TASK_SOURCES.plugins().items()):
        for task in _names(source, _made(source)):
            yield f"{source}{SEPARATOR}{task}", package


def _made(source: str) -> TaskSource:
    factory = TASK_SOURCES.load(source)
    try:
        made: TaskSource = factory()
    except MlesearchError:
        raise
    except Exception as error:
        raise _failed(source, "can't be made", error) from error
    return made


def _names(source: str, made: TaskSource) -> list[str]:
    try:
        return list(made.names())
    except MlesearchError:
        raise
    except Exception as error:
        raise _failed(source, "can't say which tasks it has", error) from error


def _failed(source: str, what: str, error: Exception) -> ConfigError:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return ConfigError(f"tasks: the task source {source!r} of {TASK_SOURCES.package(source)} {what}: {said}")
