"""Texts about one node, bounded: the block of an earlier attempt, a program, an output, a difference."""

from __future__ import annotations

import difflib

from mlesearch.models import markup
from mlesearch.operators.durations import run_time
from mlesearch.types import Node

PLAN_CHARS = 1200
"""How much of a plan an attempt shows."""

LESSON_CHARS = 800
"""How much of a lesson an attempt shows."""

OUTPUT_CHARS = 4000
"""How much of an output is shown where it is what the job is about (debug, diagnose, review)."""

OUTPUT_CHARS_SHORT = 1500
"""How much of an output is shown elsewhere."""

DIFF_CHARS = 8000
"""How much of a difference between two programs is shown."""

_CACHE_ENTRIES = 65_536
_PROGRAMS = 256
_CONTEXT_LINES = 3


def tokens(text: str) -> int:
    """A repeatable estimate of a text's length in tokens: a quarter of its bytes, rounded up."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return (size + 3) // 4


def score_text(score: float | None) -> str | None:
    """A score as prompts print it."""
    return None if score is None else f"{score:.6g}"


def clip(text: str, limit: int) -> str:
    """At most `limit` characters of a text: its head (a third) and its tail, with a mark where the middle was cut."""
    text = text.strip()
    if len(text) <= limit:
        return text
    head = limit // 3
    tail = limit - head
    return f"{text[:head].rstrip()}\n[... {len(text) - limit} characters left out ...]\n{text[-tail:].lstrip()}"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters of a text's beginning, cut between words, with a mark where it was cut."""
    text = text.strip()
    if len(text) <= limit:
        return text
    cut = text[:limit]
    space = max(cut.rfind(" "), cut.rfind("\n"))
    return f"{cut[: space if space > limit // 2 else limit].rstrip()} [...]"


def attempt_block(node: Node) -> str:
    """An earlier attempt: how it ended and how long it took, its plan, and its lesson if there is any."""
    plan = shorten(node.plan, PLAN_CHARS) or "(no plan was stated)"
    lesson = shorten(node.lesson, LESSON_CHARS)
    body = f"{plan}\nLesson: {lesson}" if lesson else plan
    return markup.block(
        "attempt",
        body,
        node=node.id,
        op=node.op.value,
        status=node.status.value,
        score=score_text(node.score),
        run_time=run_time(node),
    )


def program_block(node: Node, role: str) -> str:
    """A node's whole program."""
    body = markup.python_fence(node.code) if node.code.strip() else "(there is no program)"
    return markup.block(
        "program",
        body,
        role=role,
        node=node.id,
        status=node.status.value,
        score=score_text(node.score),
        run_time=run_time(node),
    )


def output_block(node: Node, role: str, limit: int) -> str:
    """What a node's program printed, head and tail."""
    body = clip(markup.without_sequences(node.output), limit) or "(nothing was printed)"
    return markup.block("output", body, role=role, node=node.id, status=node.status.value, run_time=run_time(node))


def diff_block(before: Node, after: Node) -> str:
    """The difference between two programs."""
    return markup.block("output", clip(unified_diff(before.code, after.code), DIFF_CHARS), role="diff")


def unified_diff(before: str, after: str) -> str:
    """A unified difference without file names; equal lines at both ends are skipped first, which makes it quick.

    Returns:
        Hunks with three lines of context, or "(no difference)".
    """
    a, b = before.splitlines(), after.splitlines()
    shortest = min(len(a), len(b))
    head = 0
    while head < shortest and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < shortest - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    start, keep = max(0, head - _CONTEXT_LINES), max(0, tail - _CONTEXT_LINES)
    a, b = a[start : len(a) - keep], b[start : len(b) - keep]
    lines: list[str] = []
    for group in difflib.SequenceMatcher(None, a, b).get_grouped_opcodes(_CONTEXT_LINES):
        if all(tag == "equal" for tag, *_ in group):
            continue
        a0, a1, b0, b1 = group[0][1], group[-1][2], group[0][3], group[-1][4]
        lines.append(f"@@ -{start + a0 + 1},{a1 - a0} +{start + b0 + 1},{b1 - b0} @@")
        for tag, i0, i1, j0, j1 in group:
            if tag == "equal":
                lines.extend(f" {line}" for line in a[i0:i1])
            else:
                lines.extend(f"-{line}" for line in a[i0:i1])
                lines.extend(f"+{line}" for line in b[j0:j1])
    return "\n".join(lines) or "(no difference)"


class Attempts:
    """Blocks about nodes, each rendered once, those of attempts with their length in tokens.

    An entry belongs to the node object that it was made from: another node with the same id is rendered anew.
    """

    def __init__(self) -> None:
        """An empty store."""
        self._entries: dict[int, tuple[Node, str, int]] = {}
        self._programs: dict[tuple[int, str], tuple[Node, str]] = {}
        self._outputs: dict[tuple[int, str, int], tuple[Node, str]] = {}

    def text(self, node: Node) -> str:
        """The node's attempt block."""
        entry = self._entries.get(node.id)
        return entry[1] if entry is not None and entry[0] is node else self._render(node)[1]

    def tokens(self, node: Node) -> int:
        """The length of the node's attempt block, in tokens."""
        entry = self._entries.get(node.id)
        return entry[2] if entry is not None and entry[0] is node else self._render(node)[2]

    def program(self, node: Node, role: str) -> str:
        """The block of the node's whole program."""
        entry = self._programs.get((node.id, role))
        if entry is None or entry[0] is not node:
            if len(self._programs) >= _PROGRAMS:
                self._programs.clear()
            entry = self._programs[node.id, role] = (node, program_block(node, role))
        return entry[1]

    def output(self, node: Node, role: str, limit: int) -> str:
        """The block of what the node's program printed."""
        entry = self._outputs.get((node.id, role, limit))
        if entry is None or entry[0] is not node:
            if len(self._outputs) >= _PROGRAMS:
                self._outputs.clear()
            entry = self._outputs[node.id, role, limit] = (node, output_block(node, role, limit))
        return entry[1]

    def _render(self, node: Node) -> tuple[Node, str, int]:
        if len(self._entries) >= _CACHE_ENTRIES:
            self._entries.clear()
        text = attempt_block(node)
        entry = self._entries[node.id] = (node, text, tokens(text))
        return entry
