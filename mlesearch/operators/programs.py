"""The plan and the program of a reply: from fenced blocks, from what stands in place of fences, or from bare code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlesearch.operators import loose_json
from mlesearch.operators.candidate import (
    EMPTY,
    ONE_BLOCK,
    Candidate,
    candidates,
    has_statement,
    looks_like_a_program,
    problem,
    trimmed,
)
from mlesearch.operators.choice import Chosen, choose
from mlesearch.operators.code_facts import facts, surely_whole, writes_near_its_end
from mlesearch.operators.doubts import doubt
from mlesearch.operators.elisions import elision
from mlesearch.operators.fences import Fence, Language, scan
from mlesearch.operators.mending import before_closing_prose, mended
from mlesearch.operators.syntax import SyntaxJudge
from mlesearch.operators.written import written
from mlesearch.types import ReplyUnusable

_BLANKS = re.compile(r"\n{3,}")
_CODE_START = re.compile(r"^(?:import|from)[ \t]+[A-Za-z_]", re.MULTILINE)
_CODE_TAG = (
    r"(?:code|python|py|pre|program|script|file|tool_code|execute|execute_python|execute_ipython|code_block|"
    r"parameter|source|content|arg_value|file_text|artifact|antartifact|boltaction)"
)
_TAGGED = re.compile(
    rf"(?P<open><(?P<tag>{_CODE_TAG})\b[^<>\n]*>(?:[ \t\n]*<(?:code|pre)\b[^<>\n]*>)?|\[PYTHON\]|"
    rf"\[code(?:=\w+)?\]|<\|python_tag\|>|"
    r"<\|python_start\|>|\\begin\{(?:code|lstlisting|verbatim|minted)\}(?:\[[^\]\n]*\])?(?:\{\w+\})?|"
    r"^(?:'''|\"\"\")(?:python|py)[ \t]*$)(?P<body>.*?)"
    r"(?P<close></(?:code|python|py|pre|program|script|file|tool_code|execute|execute_python|execute_ipython|"
    r"code_block|parameter|source|content|arg_value|file_text|artifact|antartifact|boltaction)>|\[/(?:PYTHON|"
    r"code)\]|<\|python_end\|>|\\end\{(?:code|lstlisting|verbatim|minted)\}|"
    r"^(?:'''|\"\"\")[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_CODE_KEYS = (
    "code",
    "program",
    "script",
    "python",
    "python_code",
    "solution",
    "source",
    "content",
    "final_code",
    "input",
)
_CODE_KEY = re.compile(rf"""["'](?:{"|".join(_CODE_KEYS)}|cells)\\*["']""", re.IGNORECASE)
_PLAN_KEYS = ("plan", "explanation", "description", "rationale", "thought", "summary", "approach")
_PATCH = re.compile(
    r"^(?:<{5,} ?(?:SEARCH|ORIGINAL|HEAD)|@@ -\d|--- a/|\*\*\* (?:Begin Patch|Update File))", re.MULTILINE
)
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Program:
    """What a reply to a program operator holds.

    Attributes:
        plan: the prose outside of all blocks; may be empty.
        code: the program: it compiles and is not empty.
        unclosed: whether the text ends before the program's block is closed, so that it may be cut off.
    """

    plan: str
    code: str
    unclosed: bool = False


def program(text: str, judge: SyntaxJudge) -> Program:
    """The plan and the program of a reply.

    Args:
        text: what of the reply answers (`answer.answer`).
        judge: whether a program compiles.

    Raises:
        ReplyUnusable: there is none, it is empty or not whole, does not compile, or it is not clear which one is meant.
    """
    blocks = scan(text, judge)
    found = candidates(text, blocks, judge)
    if found:
        chosen = choose(found, text, judge)
        plan = prose(text, blocks)
    else:
        plan, chosen = _unmarked(text, blocks, judge)
    code = trimmed(chosen.code)
    if not has_statement(code):
        patched = _PATCH.search(text) is not None
        raise ReplyUnusable(f"it holds a patch; {ONE_BLOCK}, every line." if patched else EMPTY)
    left_out = elision(code) or doubt(text, blocks, found, code)
    if left_out:
        raise ReplyUnusable(left_out)
    return Program(plan, code, chosen.unclosed)


def prose(text: str, blocks: Sequence[Fence]) -> str:
    """What stands outside of all blocks."""
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    for b in blocks:
        kept += [*lines[at : b.first], b.before, b.after, ""]
        at = b.last + 1
    return _BLANKS.sub("\n\n", "\n".join([*kept, *lines[at:]])).strip() if blocks else text.strip()


def _unmarked(text: str, blocks: Sequence[Fence], judge: SyntaxJudge) -> tuple[str, Chosen]:
    """A program that no block marks as one: between tags, in a field of JSON, or bare.

    Raises:
        ReplyUnusable: there is none.
    """
    if any(b.language is Language.PYTHON for b in blocks):
        raise ReplyUnusable(EMPTY)
    files = written(text)
    if len(files) > 1:
        raise ReplyUnusable(f"it writes {len(files)} files, but one program is run; {ONE_BLOCK}.")
    if files and not judge(files[0]):
        return prose(text, blocks) if blocks else "", Chosen(files[0], False)
    for plan, code in (*_in_json(text), *_tagged(text)):
        inner = scan(code, judge)
        if inner and (found := candidates(code, inner, judge)):
            return plan, choose(found, text, judge)
        right, fault = mended(code, judge)
        if not fault and looks_like_a_program(facts(right)):
            return plan, Chosen(right, False)
        if fault and _CODE_START.search(code):
            raise ReplyUnusable(f"the program does not compile: {fault}.")
    for b in blocks:
        if b.info in ("text", "txt", "plaintext", "plain", "output"):
            right, fault = mended(b.body, judge)
            if not fault and _CODE_START.search(right) and writes_near_its_end(right):
                return prose(text, blocks), Chosen(right, False)
    if _PATCH.search(text) or any(b.info in ("diff", "patch") for b in blocks):
        raise ReplyUnusable(f"it holds a patch; {ONE_BLOCK}, every line, unchanged ones included.")
    if not blocks:
        return _bare(text, judge)
    unsaid = list(_failing(text, blocks, judge))
    if unsaid:
        raise ReplyUnusable(unsaid[-1])
    raise ReplyUnusable(f"it holds no fenced block marked as Python; {ONE_BLOCK}.")


def _failing(text: str, blocks: Sequence[Fence], judge: SyntaxJudge) -> Iterator[str]:
    """What is wrong with unmarked blocks that are meant to be a program."""
    for b in blocks:
        if b.language is Language.UNSAID and _CODE_START.search(b.body):
            fault = judge(b.body)
            if fault:
                yield problem(Candidate(b, b.body, fault))


def _bare(text: str, judge: SyntaxJudge) -> tuple[str, Chosen]:
    """A reply without any fence: only code, or prose and then code from the first import on.

    Raises:
        ReplyUnusable: it is none, or may be cut off.
    """
    starts = [0, *(m.start() for m in [_CODE_START.search(text)] if m is not None)]
    for start in dict.fromkeys(starts):
        rest = text[start:]
        right, fault = mended(rest, judge)
        found = None if fault else facts(right)
        if not fault and (found is None or looks_like_a_program(found)):
            if not surely_whole(right):
                raise ReplyUnusable(
                    f"its program may be cut off: it stands in no block, and does not end by writing a submission; "
                    f"{ONE_BLOCK}."
                )
            return text[:start].strip(), Chosen(right, True)
        if fault and start == starts[-1]:
            cut = before_closing_prose(rest)
            if cut and not judge(cut) and writes_near_its_end(cut):
                plan = f"{text[:start].strip()}\n\n{rest[len(cut) :].strip()}".strip()
                return plan, Chosen(cut, False)
            if start or _CODE_START.match(rest):
                raise ReplyUnusable(f"its program does not compile: {fault}; {ONE_BLOCK}.")
    raise ReplyUnusable(f"it holds no program; {ONE_BLOCK}.")


def _tagged(text: str) -> Iterator[tuple[str, str]]:
    """Code between tags that mark code, the last one first; and the prose outside of it."""
    for m in reversed(list(_TAGGED.finditer(text))):
        if not m["close"] and m["tag"]:
            continue
        body = m["body"]
        if body.strip():
            plan = f"{text[: m.start()].strip()}\n\n{text[m.end() :].strip()}".strip()
            yield re.sub(r"</?(?:pre|code|tool_call|function|invoke)\b[^<>\n]*>", "", plan).strip(), body.strip("\n")


def _in_json(text: str) -> Iterator[tuple[str, str]]:
    """Code in a field of a JSON object, as calls of tools and answers in JSON have it."""
    if "{" not in text or not _CODE_KEY.search(text):
        return
    for value in reversed(loose_json.values(text)):
        for item in loose_json.objects(value, _DEPTH):
            code = "" if "cell_type" in item else _code_of(item)  # a cell of a notebook that was cut off
            if code:
                plans = [v for key in _PLAN_KEYS if isinstance(v := item.get(key), str)]
                yield "\n".join(plans), code


def _code_of(item: loose_json.Object) -> str:
    cells = item.get("cells")
    if isinstance(cells, list):
        sources = [c.get("source", "") for c in cells if isinstance(c, dict) and c.get("cell_type") == "code"]
        return "\n\n".join(s if isinstance(s, str) else "".join(map(str, s)) for s in sources)
    for key in _CODE_KEYS:
        value = item.get(key)
        if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
            value = "\n".join(str(line).rstrip("\n") for line in value)
        if isinstance(value, str) and ("\n" in value.strip() or _CODE_START.match(value)):
            return value
    return ""
