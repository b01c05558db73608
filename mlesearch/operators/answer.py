"""What of a reply counts: without what the model wrote to itself, and without what the chat's format left around it.

Reasoning ends with its last closing tag, whether or not it was opened in the reply (a chat template may have put the
opening tag into the prompt); of channels the final one counts. A tag that stands in a program is the program's: a mark
inside a fenced block that compiles as a whole is left alone.
"""

from __future__ import annotations

import json
import re
from itertools import islice

from mlesearch.operators.fences import End, scan
from mlesearch.operators.syntax import SyntaxJudge, fault_here
from mlesearch.types import ReplyUnusable, printable

_NAMES = (
    r"think|thinking|thoughts?|thought_process|reason|reasoning|reflection|analysis|scratchpad|rationale|"
    r"inner_monologue|internal_monologue|antthinking|longcat_think|seed:think|ponder|deliberation"
)
_CLOSING = re.compile(
    rf"</\s*(?:{_NAMES})\s*>|\[/THINK\]|◁/think▷|<\|?end_of_thought\|?>|<\|END_THINKING\|>|<\|/think\|>|<unused95>",
    re.IGNORECASE,
)
_OPENING = re.compile(
    rf"<\s*(?:{_NAMES})(?:\s[^<>\n]*)?>|\[THINK\]|◁think▷|<\|?begin_of_thought\|?>|<\|START_THINKING\|>|"
    rf"<\|think\|>|<unused94>",
    re.IGNORECASE,
)
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<\n]*(?:<\|constrain\|>[^<\n]*)?<\|message\|>")
_CHANNEL = re.compile(r"<\|channel\|>\s*(?P<name>\w+)")
_TURN = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end|return|call|endoftext|end_of_text|end_of_turn|eot|END_OF_TURN_TOKEN|END_RESPONSE|"
    r"end_of_solution|im_start|start|start_header_id)\|>|<end_of_turn>|<start_of_turn>|<｜end▁of▁sentence｜>|</s>"
)
_INVENTED = re.compile(
    r"^[ \t]*(?:(?:#{1,4} ?|\*\*|\[)?(?:Human|User|USER|HUMAN|Instruction|INST)(?:\*\*|\])?:|\[INST\]|"
    r"#{2,4} (?:Human|User|Instruction|Input)\b|<(?:job|reply_format|cue|attempt|task)\b[^>\n]*>)",
    re.MULTILINE,
)
_LEADING = re.compile(
    r"\A(?:\s|\ufeff|<\|(?:im_start|start)\|>\s*assistant\b|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>|"
    r"<start_of_turn>\s*model\b|<\|START_RESPONSE\|>|<\|?begin_of_solution\|?>|<s>|<\|begin_of_text\|>|"
    r"<｜Assistant｜>)+"
)
_BARE_FINAL = "assistantfinal"
"""What is left of the marks before Harmony's final channel where a server strips special tokens."""

_BARE_ANALYSIS = re.compile(r"(?:analysis|commentary)(?=[A-Z])")
"""What is left of the marks before Harmony's reasoning there."""

_SPOKEN = re.compile(r"\s*Thinking\.\.\.[ \t]*\n")
"""How Ollama's client shows that reasoning begins."""

_TAG_LINE = re.compile(
    r"^[ \t]*</?(?:answer|final_answer|final|response|output|result|solution|json)>[ \t]*|"
    r"</(?:answer|final_answer|final|response|result|solution|json)>[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)

_OBJECT = re.compile(r"^[ \t]*\{", re.MULTILINE)
_DECODER = json.JSONDecoder(strict=False)
_LOOKS = 8
"""How often programs are looked for anew after a mark: a bound on the work for texts made of marks alone."""


def answer(text: str, judge: SyntaxJudge = fault_here) -> str:
    """The part of a reply that answers, with plain line ends.

    Args:
        text: the reply.
        judge: whether a program compiles.

    Raises:
        ReplyUnusable: there is none: the reply is empty, or ends within its reasoning.
    """
    text = printable(text).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip("\ufeff \t\n"):
        raise ReplyUnusable("it is empty.")
    if _SPOKEN.match(text):
        _, ended, text = text.partition("...done thinking.")
        if not ended:
            raise ReplyUnusable("its reasoning never ends; keep it short and give the answer after it.")
    if "<" in text or "[" in text or "◁" in text or _BARE_FINAL in text or _BARE_ANALYSIS.match(text):
        text = _without_reasoning(_final_channel(text, judge), judge)
        text = _own_turn(text, judge)
        text = _without_tag_lines(text, judge)
    text = _before_an_invented_turn(text, judge).strip("\ufeff \t\n")
    if not text:
        raise ReplyUnusable("it is empty but for its reasoning; give the answer itself, in text, after the reasoning.")
    return text


def _final_channel(text: str, judge: SyntaxJudge) -> str:
    """The last final channel, where the reply is written in channels.

    Raises:
        ReplyUnusable: there are channels, and no final one.
    """
    marks = _outside(_FINAL, text, judge)
    if marks:
        return text[marks[-1].end() :]
    start = text.lstrip()
    channels = _outside(_CHANNEL, text, judge)
    if channels and (start.startswith("<|") or channels[0].start() < 200):
        raise ReplyUnusable(
            "it has no final channel: its text is reasoning or a call of a tool, and there are no tools here; give the "
            "answer itself, in text."
        )
    if start.startswith(("analysis", "commentary")) and _BARE_FINAL in text:
        return text.rpartition(_BARE_FINAL)[2]
    if _BARE_ANALYSIS.match(start):
        raise ReplyUnusable(
            "it ends within its reasoning; keep that short and give the answer itself, in text, after it."
        )
    return text


def _without_reasoning(text: str, judge: SyntaxJudge) -> str:
    """What follows the last closing tag; reasoning that is opened after it and never closed is left out as well.

    Raises:
        ReplyUnusable: the reasoning is never closed.
    """
    if _CLOSING.search(text):
        closing = _outside(_CLOSING, text, judge)
        if closing:
            text = text[closing[-1].end() :]
    if not _OPENING.search(text):
        return text
    for opening in _outside(_OPENING, text, judge):
        line = text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()]
        if line.strip():
            continue  # a mention
        before = text[: opening.start()]
        if not before.strip("\ufeff \t\n"):
            raise ReplyUnusable(
                "it is cut off: it is empty but for its reasoning, which never ends; keep the reasoning short and give "
                "the answer after it."
            )
        return before
    return text


def _own_turn(text: str, judge: SyntaxJudge) -> str:
    """Up to the first mark that ends the model's turn, without the marks that begin it."""
    text = _LEADING.sub("", text)
    if not _TURN.search(text):
        return text
    ends = _outside(_TURN, text, judge)
    return text[: ends[0].start()] if ends else text


def _before_an_invented_turn(text: str, judge: SyntaxJudge) -> str:
    """Up to where a model goes on, after its answer, with what the user would say next, or with the next prompt."""
    if _INVENTED.search(text) is None:
        return text
    for mark in _outside(_INVENTED, text, judge):
        before = text[: mark.start()]
        if before.count("```") > 1 or "}" in before:
            return before
    return text


def _without_tag_lines(text: str, judge: SyntaxJudge) -> str:
    """Without tags such as <answer> that stand at the ends of lines; what is between them is kept."""
    if not _TAG_LINE.search(text):
        return text
    for mark in reversed(_outside(_TAG_LINE, text, judge)):
        text = text[: mark.start()] + text[mark.end() :]
    return text


def _outside(marks: re.Pattern[str], text: str, judge: SyntaxJudge) -> list[re.Match[str]]:
    """The marks that do not stand inside of a program: a fenced block, or the whole text, that compiles with them.

    Blocks are looked for from the last mark that counts on, since fences before it need not be whole.
    """
    found: list[re.Match[str]] = []
    if marks.search(text) is None:
        return found
    spans = _program_spans(text, 0, judge)
    looks = 1
    for mark in marks.finditer(text):
        if any(first <= mark.start() < last for first, last in spans):
            continue
        found.append(mark)
        if looks < _LOOKS:
            spans = _program_spans(text, mark.end(), judge)
            looks += 1
    return found


def _ended(text: str, m: re.Match[str]) -> int:
    """Where a JSON object ends that begins at a line's first brace; 0 where there is none."""
    try:
        return _DECODER.raw_decode(text, m.end() - 1)[1]
    except (ValueError, RecursionError):
        return 0


def _program_spans(text: str, start: int, judge: SyntaxJudge) -> list[tuple[int, int]]:
    """Where programs, or objects of JSON, stand in a text from some place on: (first, last) offsets between marks."""
    rest = text[start:]
    values = [
        (start + m.start(), start + end) for m in islice(_OBJECT.finditer(rest), _LOOKS) if (end := _ended(rest, m))
    ]
    if values:
        return values
    if "```" not in rest and "~~~" not in rest:
        return [(start, len(text))] if "\n" in rest.strip() and not judge(rest) else []
    offsets = [start]
    for line in rest.split("\n"):
        offsets.append(offsets[-1] + len(line) + 1)
    return [
        (offsets[block.first + 1] - 1, offsets[block.last])
        for block in scan(rest, judge)
        if block.compiles and block.end is End.CLOSED
    ]
