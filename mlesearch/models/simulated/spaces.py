"""What the simulated engineer can build: per task a small space of pipelines, each a real program.

A pipeline is a tuple of option names, one per choice of its space, in the order of the choices. `render` writes
the program of a pipeline, `recognise` reads a program back: it takes the literal `PIPELINE` at the head of the
program at its word only if rendering that pipeline gives this very text, known bugs included.

The programs of a synthetic task name it, since all these tasks ask the same questions, and the random state that they
run with, since their scores depend on it (synthetic.py).
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import import_module
from operator import getitem
from typing import NamedTuple

from mlesearch.models.simulated import bugs as bugs_
from mlesearch.tasks.synthetic.names import ID_PREFIX
from mlesearch.types import Component, Direction

Pipeline = tuple[str, ...]

TASKS = ("canvas", "demand", "digits", "friedman", "rentals", "reviews", "strides", "tickets", "transfers", "wear")
"""Tasks of the suite `mini`, in alphabetical order: each has a space and a table of what its pipelines score."""

TEXTS = 512
"""Texts that are kept, with what was found in them: a prompt repeats most of those of the one before."""

PROGRAMS = 4096
"""Programs that are kept, with what they are."""


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


class Edit(NamedTuple):
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
    def _others(self) -> tuple[dict[str, tuple[Edit, ...]], ...]:
        """Of each choice, by the option that it has, the steps that change it."""
        return tuple(
            {here.name: tuple(Edit(i, o.name) for o in c.options if o is not here) for here in c.options}
            for i, c in enumerate(self.choices)
        )

    def edits(self, pipeline: Pipeline) -> tuple[Edit, ...]:
        """All steps that are possible from a pipeline, by choice and then by option."""
        return tuple(itertools.chain.from_iterable(map(getitem, self._others, pipeline)))

    def edits_of(self, choices: Iterable[int]) -> set[Edit]:
        """All steps that settle one of some choices."""
        return {edit for edit in self._named.values() if edit.choice in choices}

    def settings(self, pipeline: Pipeline) -> dict[str, str]:
        """A pipeline as {choice: option}."""
        return dict(zip(self._names, pipeline, strict=True))

    def from_settings(self, settings: object) -> Pipeline | None:
        """The pipeline of {choice: option}, or None where this is no pipeline of the space."""
        if not isinstance(settings, dict) or tuple(settings) != self._names:
            return None
        known = all(isinstance(option, str) and (name, option) in self._named for name, option in settings.items())
        return tuple(settings.values()) if known else None

    def described(self, words: str) -> Pipeline | None:
        """The pipeline that words like "model=forest, scaling=none" name, or None where they name none of the space."""
        told = self._told.get(words)
        if told is None:
            pairs = (pair.partition("=") for pair in words.split(", "))
            told = self.from_settings({name: option for name, _, option in pairs})
        return told

    @cached_property
    def _told(self) -> dict[str, Pipeline]:
        """Pipelines by the words in which they were described lately; what is not here is read."""
        return {}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.choices)

    def describe(self, pipeline: Pipeline) -> str:
        """A pipeline in one line that `mentioned` reads back."""
        told = ", ".join([f"{name}={o}" for name, o in zip(self._names, pipeline, strict=True)])
        if len(self._told) >= TEXTS:
            self._told.clear()
        self._told[told] = pipeline
        return f"Pipeline: {told}."

    def instruct(self, edit: Edit) -> str:
        """An edit in words that `instructions` reads back."""
        choice = self.choices[edit.choice]
        return f"Set {choice.name} to {edit.option}: {choice.options[choice.index(edit.option)].why}."

    def mentioned(self, text: str) -> list[Pipeline]:
        """All pipelines that a text describes."""
        return list(self._pipelines_in(text))

    def instructions(self, text: str) -> list[Edit]:
        """All edits that a text instructs, in order; words that name no known choice or option are passed over."""
        return list(self._edits_in(text))

    @cached_property
    def _pipelines_in(self) -> Callable[[str], tuple[Pipeline, ...]]:
        return lru_cache(maxsize=TEXTS)(self._find_pipelines)

    @cached_property
    def _edits_in(self) -> Callable[[str], tuple[Edit, ...]]:
        return lru_cache(maxsize=TEXTS)(self._find_edits)

    def _find_pipelines(self, text: str) -> tuple[Pipeline, ...]:
        found = []
        for match in _DESCRIBED.finditer(text):
            pipeline = self.described(match[1])
            if pipeline is not None:
                found.append(pipeline)
        return tuple(found)

    def _find_edits(self, text: str) -> tuple[Edit, ...]:
        found = (self.edit(*m.groups()) for m in _INSTRUCTED.finditer(text))
        return tuple(edit for edit in found if edit is not None)

    def edit(self, choice: str, option: str) -> Edit | None:
        """The edit that sets a choice to an option, by their names; None where there is no such choice or option."""
        return self._named.get((choice, option))

    @cached_property
    def _named(self) -> dict[tuple[str, str], Edit]:
        return {(c.name, o.name): Edit(i, o.name) for i, c in enumerate(self.choices) for o in c.options}


_DESCRIBED = re.compile(r"Pipeline: ((?:\w+=\w+, )*\w+=\w+)")
_INSTRUCTED = re.compile(r"\bSet (\w+) to (\w+)")
_STATE = "\nRANDOM_STATE = {}\n"
_STATED = re.compile(r"^RANDOM_STATE = (\d{1,3})$", re.MULTILINE)
_TASK = re.compile(r'^TASK = "([\w-]+)"$', re.MULTILINE)
_LITERAL = re.compile(r"^PIPELINE = (\{.*?^\})", re.MULTILINE | re.DOTALL)


def apply(pipeline: Pipeline, edit: Edit) -> Pipeline:
    """The pipeline after an edit."""
    return (*pipeline[: edit.choice], edit.option, *pipeline[edit.choice + 1 :])


def steps_to(at: Pipeline, others: Iterable[Pipeline]) -> set[Edit]:
    """The steps that lead from a pipeline to one of some others."""
    found = set()
    for other in others:
        steps = [i for i, option in enumerate(other) if option != at[i]]
        if len(steps) == 1:
            found.add(Edit(steps[0], other[steps[0]]))
    return found


def apply_all(pipeline: Pipeline, edits: Iterable[Edit]) -> Pipeline:
    """The pipeline after several edits, in order."""
    for edit in edits:
        pipeline = apply(pipeline, edit)
    return pipeline


@cache
def space(task: str) -> Space:
    """The space of a task: one of `TASKS`, or a synthetic one.

    Raises:
        KeyError: the task has none.
    """
    if task.startswith(ID_PREFIX):
        made: Space = import_module("mlesearch.models.simulated.synthetic").space(task)
        return made
    if task not in TASKS:
        raise KeyError(task)
    found: Space = import_module(f"mlesearch.models.simulated.mini.{task}").SPACE
    return found


def has_space(task: str) -> bool:
    """Whether a task has a space, by its id."""
    try:
        space(task)
    except KeyError:
        return False
    return True


def render(task: str, pipeline: Pipeline, bugs: tuple[str, ...] = (), random_state: int = 0) -> str:
    """The program of a pipeline, with these bugs written into it.

    Args:
        task: id of the task.
        pipeline: options in the order of the choices.
        bugs: names from `bugs.BUGS`, in that order.
        random_state: of a synthetic task's program; the programs of others name none.
    """
    code = _render(task, pipeline, bugs, random_state)
    _keep(code.strip(), Recognised(task, pipeline, bugs, random_state))
    return code


@lru_cache(maxsize=PROGRAMS)
def _render(task: str, pipeline: Pipeline, bugs: tuple[str, ...], random_state: int) -> str:
    where = space(task)
    code = where.program(where.settings(pipeline)).replace(_STATE.format(0), _STATE.format(random_state))
    for name in bugs:
        code = bugs_.inject(name, code, where.target)
    return code


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a program is: a pipeline of a task, with the known bugs in it; and its random state, where it names one."""

    task: str
    pipeline: Pipeline
    bugs: tuple[str, ...]
    random_state: int = 0


_RECOGNISED: dict[str, Recognised | None] = {}
"""Programs that were rendered or read, without white space at their ends. What one is depends on its text alone."""


def _keep(program: str, known: Recognised | None) -> None:
    if len(_RECOGNISED) >= PROGRAMS:
        _RECOGNISED.clear()
    _RECOGNISED[program] = known


def recognise(program: str) -> Recognised | None:
    """Read a program back; None where it is not, byte for byte, a program of any space with known bugs.

    White space at both ends does not count.
    """
    text = program.strip()
    try:
        return _RECOGNISED[text]
    except KeyError:
        found = _recognise(text)
        _keep(text, found)
        return found


def _recognise(program: str) -> Recognised | None:
    match = _LITERAL.search(program)
    if match is None:
        return None
    try:
        settings = ast.literal_eval(match[1])
    except (ValueError, SyntaxError):
        return None
    named, stated = _TASK.search(program), _STATED.search(program)
    state = int(stated[1]) if stated else 0
    for task in (named[1],) if named else TASKS:
        try:
            where = space(task)
        except KeyError:
            return None
        pipeline = where.from_settings(settings)
        if pipeline is None:
            continue
        present = bugs_.present(program, where.target)
        if _render(task, pipeline, present, state).strip() == program:
            return Recognised(task, pipeline, present, state)
    return None
