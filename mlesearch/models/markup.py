"""The text format of prompts: blocks between tags, as in `<program role="base" node="3"> ... </program>`.

Operators write prompts in it, and readers of prompts (the simulated engineer, tests) find the blocks again. A tag
stands alone on its line; attribute values are short and quoted; a block's body is kept verbatim, except that a
line of the body that would read as one of our own tags is indented by one space, so that no text can forge one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

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
_BLOCK = re.compile(
    rf'^<(?P<tag>{_NAMES})(?P<attrs>(?: [a-z_]+="[^"\n]*")*)>\n(?P<body>.*?)(?:^|\n)</(?P=tag)>$',
    re.MULTILINE | re.DOTALL,
)
_ATTR = re.compile(r'([a-z_]+)="([^"\n]*)"')
_FENCE = re.compile(r"^(?P<f>`{3,})(?:python|py)?[ \t]*\n(?P<code>.*?)^(?P=f)`*[ \t]*$", re.MULTILINE | re.DOTALL)
_BACKTICKS = re.compile(r"^`{3,}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One tagged block of a prompt."""

    tag: str
    body: str
    attrs: Mapping[str, str] = field(default_factory=dict)


def block(tag: str, body: str, **attrs: object) -> str:
    """The text of one block; attributes whose value is None or empty are left out.

    Raises:
        ValueError: the tag is not one of `TAGS`.
    """
    if tag not in TAGS:
        raise ValueError(f"unknown prompt tag {tag!r}; known: {', '.join(TAGS)}")
    pairs = ""
    for key, value in attrs.items():
        text = "" if value is None else str(value)
        if text:
            pairs += f' {key}="{text.replace(chr(34), chr(39)).replace(chr(10), " ")}"'
    # Few bodies hold a line that begins with "<": looking for one first is much cheaper than the expression.
    if body.startswith("<") or "\n<" in body:
        body = _FORGED.sub("\n ", "\n" + body)[1:]
    return f"<{tag}{pairs}>\n{body.rstrip()}\n</{tag}>"


def blocks(text: str) -> list[Block]:
    """All blocks of a prompt, in order. Blocks do not nest."""
    return [Block(m["tag"], m["body"], dict(_ATTR.findall(m["attrs"]))) for m in _BLOCK.finditer(text)]


def python_fence(code: str) -> str:
    """A program as a fenced code block; the fence is longer than any at the start of a line of the program."""
    fence = "```"
    if fence in code:
        fence = "`" * max(3, 1 + max((len(run) for run in _BACKTICKS.findall(code)), default=0))
    return f"{fence}python\n{code.rstrip()}\n{fence}"


def fenced_python(text: str) -> list[str]:
    """The bodies of all fenced code blocks of a text, in order."""
    return [m["code"].rstrip() + "\n" for m in _FENCE.finditer(text)]
