"""Programs are judged by the interpreter that runs them; a replay takes what it said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.operators import make
from mlesearch.operators.syntax import JudgesSyntax, fault_here
from mlesearch.sandbox.inside import compiler as inside
from mlesearch.sandbox.recorded import RecordSandbox, ReplaySandbox
from mlesearch.sandbox.rungs.compiler import Compiler
from mlesearch.sandbox.syntax import SyntaxCheck, python_here, python_version, syntax_check
from mlesearch.storage.entry import Entry
from mlesearch.storage.store import Store
from mlesearch.testing.scripted_sandbox import ScriptedSandbox
from mlesearch.types import Direction, Op, ReplyUnusable

ASKED = {"kind": "scripted", "params": {}, "gpu": None}
NEW = "x = {'k': 1}\ntype Name = str\n"
PROGRAMS = [
    "print(1)\n",
    "x = (\n",
    "return 1\n",
    "x = '\0'\n",
    "def f():\n\tx = 1\n        y = 2\n",
    "x = 1\n    y = 2\n",
    "x = “a”\n",
    "x = '\ud800'\n",
    "(" * 500 + ")" * 500,
    "# only a comment\n",
    "",
]


class OtherPython(ScriptedSandbox):
    """A rung with an interpreter that takes `type Name = str` and refuses what says `old`."""

    python_version = "3.99"

    def syntax_check(self, here: SyntaxCheck) -> SyntaxCheck:
        def check(program: str) -> str:
            self.asked.append(program)
            return "line 1: too old: `old`" if "old" in program else ""

        self.asked: list[str] = []
        return check


class Process:
    """The helper as a process of this interpreter."""

    def __init__(self, folder: Path) -> None:
        path = str(folder / "s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            source = Path(inside.__file__).read_text()
            self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", source, path])
            self.conn = listener.accept()[0]
        os.unlink(path)

    def end(self) -> None:
        self.conn.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def started() -> list[Process]:
    return []


@pytest.fixture
def compiler(tmp_path: Path, started: list[Process]) -> Iterator[Compiler]:
    def start() -> Process:
        started.append(Process(tmp_path))
        return started[-1]

    with closing(Compiler(start)) as made:
        yield made


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_helper_says_what_this_python_says(compiler, program):
    assert compiler.fault(program) == fault_here(program) == inside.fault(program)


def test_the_helper_is_started_once_and_asked_once_a_program(compiler, started):
    assert not started, "nothing is started before it is needed"
    assert [compiler.fault("x = (\n") for _ in range(3)] == [fault_here("x = (\n")] * 3
    assert compiler.fault("x = 1\n") == ""
    assert len(started) == 1
    compiler.close()
    assert started[0].process.returncode is not None
    assert compiler.fault("x = (\n"), "what it said is kept"
    assert len(started) == 1


def test_a_helper_that_died_is_started_anew(compiler, started):
    compiler.fault("x = 1\n")
    started[0].process.kill()
    started[0].process.wait()
    assert compiler.fault("x = 2\n") == ""
    assert len(started) == 2


def test_a_program_that_kills_the_helper_is_no_program(started):
    class Dying:
        def __init__(self) -> None:
            self.conn, other = socket.socketpair()
            other.close()

        def end(self) -> None:
            self.conn.close()

    assert "fails to compile" in Compiler(Dying).fault("x = 1\n")


def test_the_rung_that_has_an_interpreter_of_its_own_judges():
    rung = OtherPython(lambda job: {})
    check = syntax_check(rung, fault_here)
    assert (check(NEW), python_version(rung)) == ("", "3.99")
    plain = ScriptedSandbox(lambda job: {})
    assert syntax_check(plain, fault_here) is fault_here
    assert python_version(plain) == python_here()


def test_a_replay_takes_the_recorded_judgement(store: Store):
    record = RecordSandbox(OtherPython(lambda job: {}), store, ASKED)
    store.put(record._description, "sandbox")
    check = syntax_check(record, fault_here)
    said = {program: check(program) for program in (NEW, "old = 1\n")}
    assert said == {NEW: "", "old = 1\n": "line 1: too old: `old`"}

    def here(program: str) -> str:
        return "line 1: this machine's Python refuses all"

    replay = syntax_check(ReplaySandbox(store, ASKED), here)
    assert {program: replay(program) for program in said} == said


def test_a_replay_with_the_same_python_still_refuses_what_was_never_judged(store: Store):
    record = RecordSandbox(ScriptedSandbox(lambda job: {}), store, ASKED)
    store.put(record._description, "sandbox")
    replay = syntax_check(ReplaySandbox(store, ASKED), fault_here)
    assert replay("x = (\n") == fault_here("x = (\n")


def test_a_store_of_an_older_version_goes_on_as_it_was(store: Store):
    made = RecordSandbox(ScriptedSandbox(lambda job: {}), store, ASKED)._description
    old = Entry(made.fields, {k: v for k, v in made.value.items() if k != "python"})
    store.put(old, "sandbox")
    record = RecordSandbox(ScriptedSandbox(lambda job: {}), store, ASKED)
    assert syntax_check(record, fault_here)("x = (\n")
    assert store.keys() == [old.key], "no judgement is kept beside ones that were not"
    assert syntax_check(ReplaySandbox(store, ASKED), fault_here) is fault_here


@pytest.mark.parametrize("name", ["aide", "aira"])
def test_operators_ask_the_judge_that_they_are_given(name):
    operators = make(direction=Direction.MAXIMIZE, operator_set=name)[0]
    assert isinstance(operators, JudgesSyntax)
    text = f"A plan.\n\n```python\n{NEW}```\n"
    operators.judge_with(lambda program: "")
    assert operators.parse(Op.DRAFT, text).code == NEW
    operators.judge_with(lambda program: "line 2: too new: `type`")
    with pytest.raises(ReplyUnusable, match="line 2: too new"):
        operators.parse(Op.DRAFT, text)
