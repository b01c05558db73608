"""What a reply says or shows against running the program that was chosen of it: such a reply is asked again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mlesearch.operators.candidate import ONE_BLOCK, Candidate
from mlesearch.operators.code_facts import writes
from mlesearch.operators.fences import Fence, Language
from mlesearch.operators.meant import are_options
from mlesearch.operators.remarks import called_old, taken_back

_UNFINISHED = re.compile(
    r"\[(?:\w+ )?truncated\]|\b(?:to be )?continued in (?:the|my) next\b|\bcontinued (?:below|in part)\b|"
    r"\bto be continued\b|\bran out of (?:space|room|tokens)\b|\b(?:should|shall|can) (?:i )?(?:go on|continue)\b|"
    r"\bpart (?:1|one)\s*(?:/|of)\s*(?:\d|two|three)",
    re.IGNORECASE,
)
_REPLACED = re.compile(
    r"\b(?:replace|swap|oops|correction|must be|should be|change|fix|update|modify|instead)\b", re.IGNORECASE
)
_CONDITIONAL = re.compile(
    r"^(?:\W*(?:if|in case|for (?:a|those|users))\b).*\b(?:can|could|may|might|instead|variant|alternative)\b|"
    r"\byou (?:can|could|may|might) (?:also |instead |alternatively )?(?:use|run|try)\b",
    re.IGNORECASE,
)
_NEWER = re.compile(
    r"\b(?:final|correct\w*|fix\w*|improve\w*|new|updated?|full|complete|better|best|revis\w*|rewrit\w*|whole|"
    r"actual\w*|"
    r"recommend\w*|wait|hmm|oops|sorry|no|but|however|leaks?|bug|after|modified|changed?|now|answer|result|solution|"
    r"program|plan|so|this|merged?|combin\w*|blend\w*|bad|poor|issues?|mistakes?|neue?r?|nuevo|nouveau|submit|"
    r"repaired|refined|second|v2|version 2|instead|response)\b|"
    r"</\w+>|修改后|改进|最终|完整|新",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\b(?:draft|parent|first|base|baseline|original|old|before|previous|attempt|initial\w*|current|start\w*|"
    r"naive|earlier|"
    r"simple|wrong|failed|broken|do not use|thought|maybe|idea)\b|原|初",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:next step|(?:at a )?later (?:on|step|time)|not needed|crashed|to compare|comparison)\b", re.IGNORECASE
)
_CHINESE = re.compile(
    r"(?:方案|选项|方法)[一二三四1-4]|原(?:来的?|始|有的?)?(?:代码|程序|版本)|供参考|修改前|旧(?:代码|版)"
)
_CHINESE_NEW = re.compile(r"修改后|改进后|最终|完整|新(?:代码|版)|推荐")
_FILE = re.compile(r"""["']([\w./-]+\.(?:ya?ml|json|toml|ini|cfg|txt|pkl|pickle|joblib|npy|npz|pt|pth|parquet))["']""")


def doubt(text: str, blocks: Sequence[Fence], every: Sequence[Candidate], code: str) -> str:
    """Why the chosen program should not be run, in words for the repair turn; empty where nothing speaks against it.

    Args:
        text: what of the reply answers.
        blocks: all of its blocks.
        every: those that may be a program.
        code: the program that was chosen.
    """
    if not writes(code) and _UNFINISHED.search(_outside(text, blocks)):
        return f"it says itself that it goes on elsewhere, and its program writes no submission; {ONE_BLOCK}."
    return next(_of_blocks(text, blocks, every, code), "")


def _of_blocks(text: str, blocks: Sequence[Fence], every: Sequence[Candidate], code: str) -> Iterator[str]:
    chosen = next((c for c in every if c.code.strip() == code.strip()), None)
    files = set(_FILE.findall(code))
    outside = _outside(text, blocks)
    for name in sorted(files):
        if re.search(rf"(?:^|[\s`*]){re.escape(name)}\W*$", outside, re.MULTILINE) and any(
            b.language is Language.OTHER for b in blocks
        ):
            yield f"its program reads `{name}`, which is another block of the reply, but one file is run; {ONE_BLOCK}."
    last_part = chosen or next((c for c in reversed(every) if c.code.strip() and c.code.strip() in code), None)
    after = "" if last_part is None else _after(text, blocks, last_part.fence.last)
    if after and (said := taken_back(after)):
        yield f"it says after its program that it is not right as it stands: `{said[:120]}`; {ONE_BLOCK}, corrected."
    if chosen is None or chosen.facts is None:
        return
    lead = chosen.lead.rpartition("\n")[2]
    earlier = any(c.fence.first < chosen.fence.first for c in every)
    if after.strip() and called_old(chosen.lead) and (not earlier or "parent" in lead.lower()):
        yield f"its only whole program is called the one that it starts from; {ONE_BLOCK}, with the change in it."
    programs = [c for c in every if c.facts is not None and c.writes and not c.needs]
    for c in every:
        if c is chosen or c.facts is None:
            continue
        made = files & set(_FILE.findall(c.code))
        if made and not c.writes and not c.inert:
            yield f"its program needs `{min(made)}` of another program of the reply, but one file is run; {ONE_BLOCK}."
        led = c.lead.rpartition("\n")[2]
        later = c.fence.first > chosen.fence.first
        if later and c.inert and c.facts.defines & chosen.facts.defines and not c.writes and _REPLACED.search(led):
            yield f"its last block changes a part of its program; {ONE_BLOCK}, with the change in it."
    last = len(programs) > 1 and chosen is programs[-1]
    outstanding = len(every) > 1 and not chosen.writes and chosen.inert and not chosen.facts.defines
    if outstanding:
        yield f"its {len(every)} blocks set names, and none is a program; {ONE_BLOCK}."
    aside = _ASIDE.search(lead)
    if last and (aside or not _superseded(programs)):
        yield f"it holds {len(programs)} programs, and does not say which one counts; {ONE_BLOCK}."
    chinese = _CHINESE.search(lead) and not _CHINESE_NEW.search(lead)
    if last and (chinese or _CONDITIONAL.search(lead)):
        yield f"it holds {len(programs)} programs, and it is not clear which one counts; {ONE_BLOCK}."


def _superseded(programs: Sequence[Candidate]) -> bool:
    """Whether the last of several programs takes the place of those before it: the prose near them says so."""
    if len({c.code.strip() for c in programs}) == 1 or programs[-1].facts is None or are_options(programs):
        return True
    if _NEWER.search(programs[-1].lead) or programs[-1].fence.before:
        return True
    return all(_FIRST.search(c.lead) for c in programs[:-1])


def _after(text: str, blocks: Sequence[Fence], last: int) -> str:
    """The prose after a line."""
    lines = _outside(text, blocks, kept=True).split("\n")
    return "\n".join(lines[last + 1 :])


def _outside(text: str, blocks: Sequence[Fence], *, kept: bool = False) -> str:
    """The lines that are in no block; where `kept`, the others stay as empty ones."""
    inside = {i for b in blocks for i in range(b.first, b.last + 1)}
    lines = ("" if i in inside else line for i, line in enumerate(text.split("\n")) if kept or i not in inside)
    return "\n".join(lines)
