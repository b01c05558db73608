"""A block of a reply as a program: put right where its format was spoiled, and what can be seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mlesearch.operators.code_facts import CodeFacts, facts, writes, writes_near_its_end
from mlesearch.operators.fences import End, Fence, Language
from mlesearch.operators.mending import before_closing_prose, mended
from mlesearch.operators.syntax import SyntaxJudge

ONE_BLOCK = "give the whole program in one fenced block that opens with ```python"
CUT = "The block is not closed: the reply seems to be cut off."
EMPTY = "the program is empty: the fenced block holds no statement."


def trimmed(code: str) -> str:
    """A program without blank lines around it, as it is run."""
    return code.strip("\n").rstrip() + "\n"


@dataclass(frozen=True)
class Candidate:
    """A block as a program.

    Attributes:
        fence: the block.
        code: its body, put right where that was needed.
        fault: why it does not compile; empty where it does.
        lead: the prose right before it.
    """

    fence: Fence
    code: str
    fault: str
    lead: str = ""

    @cached_property
    def facts(self) -> CodeFacts | None:
        """What can be seen of it."""
        return None if self.fault else facts(trimmed(self.code))

    @property
    def inert(self) -> bool:
        """Whether it only imports, defines and sets constants."""
        return self.facts is not None and self.facts.inert

    @property
    def binds(self) -> frozenset[str]:
        """Names that it binds at its top level."""
        return frozenset() if self.facts is None else self.facts.binds

    @property
    def needs(self) -> frozenset[str]:
        """Names that it uses and does not bind, or not before."""
        return frozenset() if self.facts is None else self.facts.lacks

    @cached_property
    def writes(self) -> bool:
        """Whether it writes a file such as a submission."""
        return writes(self.code)

    @property
    def open(self) -> bool:
        """Whether the text ends before it does."""
        return self.fence.end is End.OPEN


def candidates(text: str, blocks: Sequence[Fence], judge: SyntaxJudge) -> list[Candidate]:
    """The blocks that may be a program, or a part of one: all that are marked as Python, and unmarked ones that are."""
    found: list[Candidate] = []
    lines = text.split("\n")
    at = 0
    for block in blocks:
        lead = [line for line in [*lines[at : block.first], block.before] if line.strip()][-3:]
        at = block.last + 1
        if block.language is Language.OTHER or not block.body.strip():
            continue
        if not has_statement(block.body):
            continue
        code, fault = (block.body, "") if block.compiles and "&" not in block.body else mended(block.body, judge)
        if fault and block.end is End.OPEN:
            cut = before_closing_prose(block.body)
            if cut and not judge(cut) and writes_near_its_end(cut):
                code, fault = cut, ""
        each = Candidate(block, code, fault, "\n".join(lead))
        if block.language is Language.PYTHON or (not fault and looks_like_a_program(each.facts)):
            found.append(each)
    return found


def has_statement(code: str) -> bool:
    """Whether there is more than comments."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in code.split("\n"))


def looks_like_a_program(found: CodeFacts | None) -> bool:
    """Whether code that is not marked as Python is a program: outputs and words of prose compile, too."""
    return found is not None and not found.only_values and bool(found.binds or not found.inert)


def problem(c: Candidate) -> str:
    """What is wrong with a candidate that does not compile, for the repair turn."""
    said = f"the program does not compile: {c.fault}."
    return f"{said} {CUT}" if c.open else said
