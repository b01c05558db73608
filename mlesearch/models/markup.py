"""The text format of prompts: blocks between tags, as in `<program role="base" node="3"> ... </program>`.

Operators write prompts in it, and readers of prompts (the simulated engineer, tests) find the blocks again. A tag
stands alone on its line; attribute values are short and quoted; a block's body is kept verbatim, except that a
line of the body that would read as one of our own tags is indented by one space, so that no text can forge one, and
control characters stand as escapes, so that every provider takes the prompt.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

TAGS = (
    "task",
    "data",
    "resources",
    "contract",
    "program",
    "output",
    "attempt",
    "guidance",
    "cue",
    "job",
    "reply_format",
)
"""Every tag in use. `job` carries `op`; `program`, `output` and `attempt` carry `role` or `node`, `status`,
`score`, `run_time`; `guidance` carries `kind`, and where known `node`, `score`, `gain`, `component`, `problem_kind`,
the five scores of a hypothesis by their names, `verdict`, `run_time`."""

_NAMES = "|".join(TAGS)
_FORGED = re.compile(rf"\n(?=</?(?:{_NAMES})\b)")
_OPENING = re.compile(rf'<(?P<tag>{_NAMES})(?P<attrs>(?: [a-z_]+="[^"\n]*")*)>')
_CLOSING = re.compile(rf"</(?P<tag>{_NAMES})>")
_ATTR = re.compile(r'([a-z_]+)="([^"\n]*)"')
_FENCE = re.compile(r"(?P<marks>`{3,})(?:python|py)?[ \t]*")
_FENCE_END = re.compile(r"(?P<marks>`{3,})[ \t]*")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_OPEN, _SHUT = "```python\n", "\n```"
_BACKTICKS = re.compile(r"^`{3,}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One tagged block of a prompt."""

    tag: str
    body: str
    attrs: Mapping[str, str] = field(default_factory=dict)


def plain(text: str) -> str:
    """A text that any provider takes: valid UTF-8, and control characters but tab and line ends as escapes.

    What stood in a program's literal means the same as an escape; half of a surrogate pair becomes one, too.
    """
    if text.isprintable() or text.replace("\n", "").isprintable() or _UNPRINTABLE.search(text) is None:
        return text  # to ask first is much cheaper than the expression
    return _UNPRINTABLE.sub(_escape, text)


def _escape(m: re.Match[str]) -> str:
    code = ord(m[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def without_sequences(text: str) -> str:
    """What a program printed, without the sequences by which terminals colour text and move the cursor."""
    return _SEQUENCE.sub("", text) if "\x1b" in text else text


def block(tag: str, body: str, **attrs: object) -> str:
    """The text of one block; attributes whose value is None or empty are left out.

    Raises:
        ValueError: the tag is not one of `TAGS`.
    """
    if tag not in TAGS:
        raise ValueError(f"unknown prompt tag {tag!r}; known: {', '.join(TAGS)}")
    pairs = ""
    for key, value in attrs.items():
        text = "" if value is None else plain(str(value))
        if '"' in text or "\n" in text:
            text = text.replace('"', "'").replace("\n", " ")
        if text:
            pairs += f' {key}="{text}"'
    body = plain(body)
    # Few bodies hold a line that begins with "<": looking for one first is much cheaper than the expression.
    if body.startswith("<") or "\n<" in body:
        body = _FORGED.sub("\n ", "\n" + body)[1:]
    return f"<{tag}{pairs}>\n{body.rstrip()}\n</{tag}>"


def blocks(text: str) -> list[Block]:
    """All blocks of a prompt, in order. Blocks do not nest: one ends at the first line that closes its tag."""
    single = _single(text)
    if single is not None:
        return [single]
    lines = text.split("\n")
    closings: dict[str, list[int]] = {}
    for i, line in enumerate(lines):
        if line.startswith("</") and (m := _CLOSING.fullmatch(line)) is not None:
            closings.setdefault(m["tag"], []).append(i)
    found: list[Block] = []
    i = 0
    while i < len(lines):
        m = _OPENING.fullmatch(lines[i]) if lines[i].startswith("<") else None
        ends = closings.get(m["tag"], []) if m is not None else []
        at = bisect_right(ends, i)
        if m is not None and at < len(ends):
            found.append(Block(m["tag"], "\n".join(lines[i + 1 : ends[at]]), dict(_ATTR.findall(m["attrs"]))))
            i = ends[at]
        i += 1
    return found


def _single(text: str) -> Block | None:
    """The block that a text is, where it is one: what closes its tag first stands at its end."""
    first, _, rest = text.partition("\n")
    m = _OPENING.fullmatch(first) if first.startswith("<") else None
    if m is None:
        return None
    closing = f"\n</{m['tag']}>"
    if not rest.endswith(closing) or rest.find(closing) != len(rest) - len(closing) or rest.startswith(closing[1:]):
        return None
    return Block(m["tag"], rest[: -len(closing)], dict(_ATTR.findall(m["attrs"])))


def python_fence(code: str) -> str:
    """A program as a fenced code block; the fence is longer than any at the start of a line of the program."""
    fence = "```"
    if fence in code:
        fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(code)), default=0))
    return f"{fence}python\n{code.rstrip()}\n{fence}"


def fenced_python(text: str) -> list[str]:
    """The bodies of all fenced code blocks of a text, in order; one that is never closed is none."""
    if text.startswith(_OPEN) and text.endswith(_SHUT) and text.count("```") == 2 and len(text) >= len(_OPEN + _SHUT):
        return [text[len(_OPEN) : -len(_SHUT)].rstrip() + "\n"]
    lines = text.split("\n")
    ends = [len(m["marks"]) if (m := _FENCE_END.fullmatch(line)) else 0 for line in lines]
    longest = [*accumulate(reversed(ends), max)][::-1]  # of the marks that may close, from each line on
    found: list[str] = []
    i = 0
    while i < len(lines):
        m = _FENCE.fullmatch(lines[i])
        if m is not None and i + 1 < len(lines) and longest[i + 1] >= len(m["marks"]):
            end = next(j for j in range(i + 1, len(lines)) if ends[j] >= len(m["marks"]))
            found.append("\n".join(lines[i + 1 : end]).rstrip() + "\n")
            i = end
        i += 1
    return found
