"""What the simulated engineer can build: per task a small space of pipelines, each a real program.

A pipeline is a tuple of option names, one per choice of its space, in the order of the choices. `render` writes
the program of a pipeline, `recognise` reads a program back: it takes the literal `PIPELINE` at the head of the
program at its word only if rendering that pipeline gives this very text, known bugs included.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import import_module

from mlesearch.models.simulated import bugs as bugs_
from mlesearch.types import Component, Direction

Pipeline = tuple[str, ...]

TASKS = ("canvas", "demand", "digits", "friedman", "rentals", "reviews", "strides", "tickets", "transfers", "wear")
"""Tasks with a space, in alphabetical order."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to settle a choice: its name and why one would take it (a clause, no full stop)."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One open question of a task.

    Attributes:
        name: as in `PIPELINE`.
        component: the part of a solution that it belongs to.
        problem: what may be wrong with the present answer, one sentence.
        options: plain ones first.
    """

    name: str
    component: Component
    problem: str
    options: tuple[Option, ...]

    def index(self, option: str) -> int:
        """Position of an option. Raises ValueError when there is none of this name."""
        return [o.name for o in self.options].index(option)


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """A step from one pipeline to a neighbour: set one choice to another option."""

    choice: int
    option: str


@dataclass(frozen=True)
class Space:
    """All pipelines of one task.

    Attributes:
        task: its id.
        direction: of its metric.
        target: the column that is predicted.
        choices: in a fixed order.
        baseline: what one would write without much thought.
        program: writes the program of a pipeline, given as {choice: option}.
    """

    task: str
    direction: Direction
    target: str
    choices: tuple[Choice, ...]
    baseline: Pipeline
    program: Callable[[Mapping[str, str]], str]

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Every pipeline, in lexicographic order of the options' positions."""
        return tuple(itertools.product(*([o.name for o in c.options] for c in self.choices)))

    @cached_property
    def _edits(self) -> dict[Pipeline, tuple[Edit, ...]]:
        return {
            p: tuple(Edit(i, o.name) for i, c in enumerate(self.choices) for o in c.options if o.name != p[i])
            for p in self.pipelines
        }

    def edits(self, pipeline: Pipeline) -> tuple[Edit, ...]:
        """All steps that are possible from a pipeline, in a fixed order."""
        return self._edits[pipeline]

    def settings(self, pipeline: Pipeline) -> dict[str, str]:
        """A pipeline as {choice: option}."""
        return {c.name: o for c, o in zip(self.choices, pipeline, strict=True)}

    def from_settings(self, settings: object) -> Pipeline | None:
        """The pipeline of {choice: option}, or None where this is no pipeline of the space."""
        if not isinstance(settings, dict) or list(settings) != [c.name for c in self.choices]:
            return None
        pipeline = tuple(settings.values())
        return pipeline if pipeline in self._edits else None

    def describe(self, pipeline: Pipeline) -> str:
        """A pipeline in one line that `mentioned` reads back."""
        return "Pipeline: " + ", ".join(f"{c.name}={o}" for c, o in zip(self.choices, pipeline, strict=True)) + "."

    def instruct(self, edit: Edit) -> str:
        """An edit in words that `instructions` reads back."""
        choice = self.choices[edit.choice]
        return f"Set {choice.name} to {edit.option}: {choice.options[choice.index(edit.option)].why}."

    def mentioned(self, text: str) -> list[Pipeline]:
        """All pipelines that a text describes."""
        found = []
        for match in _DESCRIBED.finditer(text):
            settings = dict(pair.split("=", 1) for pair in match[1].split(", "))
            pipeline = self.from_settings(settings)
            if pipeline is not None:
                found.append(pipeline)
        return found

    def instructions(self, text: str) -> list[Edit]:
        """All edits that a text instructs, in order; words that name no known choice or option are passed over."""
        return [self._named[m.groups()] for m in _INSTRUCTED.finditer(text) if m.groups() in self._named]

    @cached_property
    def _named(self) -> dict[tuple[str, ...], Edit]:
        return {(c.name, o.name): Edit(i, o.name) for i, c in enumerate(self.choices) for o in c.options}


_DESCRIBED = re.compile(r"Pipeline: ((?:\w+=\w+, )*\w+=\w+)")
_INSTRUCTED = re.compile(r"\bSet (\w+) to (\w+)")
_LITERAL = re.compile(r"^PIPELINE = (\{.*?^\})", re.MULTILINE | re.DOTALL)


def apply(pipeline: Pipeline, edit: Edit) -> Pipeline:
    """The pipeline after an edit."""
    return (*pipeline[: edit.choice], edit.option, *pipeline[edit.choice + 1 :])


def apply_all(pipeline: Pipeline, edits: Iterable[Edit]) -> Pipeline:
    """The pipeline after several edits, in order."""
    for edit in edits:
        pipeline = apply(pipeline, edit)
    return pipeline


@cache
def space(task: str) -> Space:
    """The space of a task.

    Raises:
        KeyError: the task has none; see `TASKS`.
    """
    if task not in TASKS:
        raise KeyError(task)
    found: Space = import_module(f"mlesearch.models.simulated.mini.{task}").SPACE
    return found


@lru_cache(maxsize=16384)
def render(task: str, pipeline: Pipeline, bugs: tuple[str, ...] = ()) -> str:
    """The program of a pipeline, with these bugs written into it.

    Args:
        task: id of the task.
        pipeline: options in the order of the choices.
        bugs: names from `bugs.BUGS`, in that order.
    """
    where = space(task)
    code = where.program(where.settings(pipeline))
    for name in bugs:
        code = bugs_.inject(name, code, where.target)
    return code


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a program is: a pipeline of a task, with the known bugs in it."""

    task: str
    pipeline: Pipeline
    bugs: tuple[str, ...]


@lru_cache(maxsize=16384)
def recognise(program: str) -> Recognised | None:
    """Read a program back; None where it is not, byte for byte, a program of any space with known bugs.

    White space at both ends does not count.
    """
    match = _LITERAL.search(program)
    if match is None:
        return None
    try:
        settings = ast.literal_eval(match[1])
    except (ValueError, SyntaxError):
        return None
    for task in TASKS:
        pipeline = space(task).from_settings(settings)
        if pipeline is None:
            continue
        present = bugs_.present(program, space(task).target)
        if render(task, pipeline, present).strip() == program.strip():
            return Recognised(task, pipeline, present)
    return None
