"""A task's own grader: the function `grade` of its grade.py, loaded beside its helper modules, and called safely.

A grader is the user's own code and runs in this process. It must not take the process along: whatever it raises,
`sys.exit` and `os._exit` included, is a `GraderFailed` with one line. What it prints goes to stderr, what it changes of
the process (working folder, modules, interpreter settings that are named here) is put back.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import inspect
import math
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mlesearch.types import ConfigError, printable

if TYPE_CHECKING:
    import pandas as pd

GRADER = "grade.py"
SAID_CHARS = 300
_GRADING = threading.RLock()
"""One grader at a time: while one runs, modules, stdout and `os._exit` are its own."""


class GraderFailed(Exception):
    """A grader gave no score; the text says what it did instead."""


def said(error: BaseException) -> str:
    """An exception in one line of bounded length, whatever its own words are."""
    try:
        words = " ".join(str(error).split())
    except Exception:
        words = "(its words can't be read)"
    text = printable(f"{type(error).__name__}: {words}" if words else type(error).__name__)
    return text if len(text) <= SAID_CHARS else text[: SAID_CHARS - 3] + "..."


# helper modules


def helpers(grader: Path) -> dict[str, Path]:
    """The modules and packages in a grader's folder that it imports by name, itself or through one another.

    They are found in the program text, so an import by a computed name is not among them.
    """
    folder, found = grader.parent, dict[str, Path]()
    left = [grader]
    while left:
        for name in sorted(_imported(left.pop())):
            place = folder / name / "__init__.py"
            place = place if place.is_file() else folder / f"{name}.py"
            if name not in found and place.is_file() and place != grader and name not in sys.stdlib_module_names:
                found[name] = place
                left += sorted(place.parent.rglob("*.py")) if place.name == "__init__.py" else [place]
    return found


def sources(grader: Path) -> list[Path]:
    """All files that a grader is made of beside grade.py itself, sorted: they belong to the task's version."""
    files = set[Path]()
    for place in helpers(grader).values():
        files |= set(place.parent.rglob("*.py")) if place.name == "__init__.py" else {place}
    return sorted(files)


def imported(grader: Path) -> set[str]:
    """The first names of all that a grader and its helper modules import."""
    return set[str]().union(*(_imported(path) for path in [grader, *sources(grader)]))


def _imported(path: Path) -> set[str]:
    """The first names of what a file imports, also of `from . import name`; nothing of a file that is no program."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module.partition(".")[0]} if node.module else {alias.name for alias in node.names}
    return names


class _HelperFinder:
    """Finds a grader's helper modules by their names, and nothing else."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = places

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As the import system asks."""
        place = self._places.get(name) if path is None else None
        if place is None:
            return None
        inside = [str(place.parent)] if place.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(name, place, submodule_search_locations=inside)


# loading and calling


class Grader:
    """The function `grade` of a grade.py."""

    def __init__(self, path: Path) -> None:
        """Load it; nothing is written into the task's folder.

        Raises:
            ConfigError: it can't be loaded, or holds no such function.
        """
        self._places = helpers(path)
        digest = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()
        package = types.ModuleType(f"_mlesearch_grader_{digest[:16]}")
        package.__path__ = [str(path.parent)]
        module = types.ModuleType(f"{package.__name__}.grade")
        module.__file__, module.__package__ = str(path), package.__name__
        self._package = package.__name__
        self._modules = {package.__name__: package, module.__name__: module}
        try:
            with self._at_work():
                exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), module.__dict__)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be loaded: {said(error)}") from error
        except GraderFailed as error:
            raise ConfigError(f"{path}: cannot be loaded: {error}") from error
        function = getattr(module, "grade", None)
        if not callable(function) or inspect.iscoroutinefunction(function) or not _takes_two(function):
            raise ConfigError(f"{path}: expected a function grade(submission, answers) -> float in it")
        self._function: Callable[[object, object], object] = function

    def __call__(self, submission: pd.DataFrame, answers: pd.DataFrame) -> float:
        """The score of a submission; it may be NaN or infinite.

        Args:
            submission: a frame of the grader's own: it may change it.
            answers: likewise.

        Raises:
            GraderFailed: it raised something, or returned no number.
        """
        with self._at_work():
            returned = self._function(submission, answers)
            return _number(returned)

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        """The process as a grader is to see it, put back afterwards; whatever it raises becomes a `GraderFailed`."""
        with _GRADING, contextlib.ExitStack() as stack:
            stack.enter_context(self._modules_in_place())
            stack.enter_context(_folder_kept())
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            stack.enter_context(_exits_raise())
            pressed = stack.enter_context(_interrupts_noticed())
            try:
                yield
            except GraderFailed:
                raise
            except KeyboardInterrupt as error:
                if pressed():
                    raise
                raise GraderFailed(said(error)) from error
            except BaseException as error:
                raise GraderFailed(said(error)) from error

    @contextlib.contextmanager
    def _modules_in_place(self) -> Iterator[None]:
        """Its helpers importable by their names, and theirs alone: another task's `metrics.py` is another module."""

        def mine(name: str) -> bool:
            first = name.partition(".")[0]
            return first in self._places or first == self._package

        finder, no_bytecode = _HelperFinder(self._places), sys.dont_write_bytecode
        others = {name: module for name, module in sys.modules.items() if mine(name)}
        for name in others:
            del sys.modules[name]
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, finder)
        sys.dont_write_bytecode = True
        try:
            yield
        finally:
            sys.dont_write_bytecode = no_bytecode
            with contextlib.suppress(ValueError):
                sys.meta_path.remove(finder)
            self._modules = {name: module for name, module in sys.modules.items() if mine(name)}
            for name in self._modules:
                del sys.modules[name]
            sys.modules.update(others)


def _takes_two(function: Callable[..., object]) -> bool:
    """Whether a function can be called with a submission and answers, whatever else it may take."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # written in C: it can only be tried
        return True
    return True


def _number(returned: Any) -> float:
    """What a grader returned, as a float.

    Raises:
        GraderFailed: it is no number.
    """
    value = returned
    if not isinstance(value, int | float) and callable(getattr(value, "item", None)) and getattr(value, "size", 1) == 1:
        value = value.item()  # of numpy, pandas and torch
    if isinstance(value, bool | str | bytes | complex) or not hasattr(type(value), "__float__"):
        shown = printable(" ".join(repr(returned)[:80].split()))
        raise GraderFailed(f"grade returned {shown} ({type(returned).__name__}); expected a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


@contextlib.contextmanager
def _folder_kept() -> Iterator[None]:
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@contextlib.contextmanager
def _exits_raise() -> Iterator[None]:
    """`os._exit` and `os.abort` of this thread raise; those of other threads, and of forks, are what they were."""
    thread, process, real = threading.get_ident(), os.getpid(), {name: getattr(os, name) for name in ("_exit", "abort")}

    def replacement(name: str, *words: int) -> NoReturn:
        if threading.get_ident() == thread and os.getpid() == process:
            raise GraderFailed(f"it called os.{name}")
        real[name](*words)
        raise AssertionError("not reached")

    for name in real:
        setattr(os, name, functools.partial(replacement, name))
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)


@contextlib.contextmanager
def _interrupts_noticed() -> Iterator[Callable[[], bool]]:
    """Tells whether a signal came meanwhile: only then is a KeyboardInterrupt the user's."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals reach the main thread alone
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in before.items() if callable(handler)}

    def noticed(number: int, frame: types.FrameType | None) -> None:
        came.append(number)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, noticed)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@functools.lru_cache(maxsize=32)
def load(path: Path, _version: str) -> Grader:
    """The grader of a task, loaded once a process and version of the task.

    Raises:
        ConfigError: it can't be loaded, or holds no function `grade`.
    """
    return Grader(path)
