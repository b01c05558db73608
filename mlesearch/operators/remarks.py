"""What a reply says after its program, or right before it: that it is wrong, to be changed first, or the old one."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|。|！")
_TAKEN_BACK = re.compile(
    r"^\W*(?:wait|oops|whoops|scratch that|hold on|correction|erratum|my (?:mistake|bad))\b(?!\W*(?:for|until|time))|"
    r"\b(?:mistake|error|bug|typo|problem|issue|flaw)s?\b.{0,20}\b(?:above|in (?:the|my) (?:code|program|"
    r"script|block))\b|"
    r"\b(?:line|it|this|that|which|above) should (?:read|have been|be replaced)\b|"
    r"\b(?:must|needs? to|has to|should) be (?:rewritten|rewrite|redone|changed|corrected|replaced|fixed)\b|"
    r"\b(?:this|it|that|which|program|code|script|above)\b (?:above )?(?:will|would) (?:crash|fail|raise|not "
    r"(?:run|work)|break)\b|"
    r"\b(?:ignore|disregard|discard) (?:the|my|this) (?:\w+ )?(?:code|program|script|block|answer)\b|"
    r"\bI (?:just )?(?:noticed|realised|realized|see now|forgot|overlooked|missed|misread|made a mistake)\b|"
    r"^\W*(?:等等|等一下|更正|上面的(?:代码|程序)有)|^\W*(?:moment|halt|korrektur|attendez|espera)\W",
    re.IGNORECASE,
)
_ORDERED = re.compile(
    r"\b(?:please |then |first |now |must |should |need to |to )?(?:change|replace|set|swap|remove|delete|"
    r"rename|insert|add|fix|adjust|"
    r"edit|update|move)\b.*\bbefore (?:you )?(?:run|running|start|submit|use|execut)\w*|"
    r"^\W*(?:on (?:second thought|reflection)|actually|hmm+|sorry|no,|in hindsight|thinking about it)\b.*"
    r"\b(?:should|change|replace|instead|wrong|not|mistake|rather|better|forgot|need|bug|leaks?|fails?)\b|"
    r"\bbefore (?:you )?(?:run|running|submit)\w*\b.*\b(?:change|replace|set|fill in|edit|insert|adjust)\b",
    re.IGNORECASE,
)
_PLACED = re.compile(
    r"(?:^|[,;:]\s*|\b(?:and|so|then|please|must|should|need to|have to)\s+)"
    r"(?:change|replace|set|swap|remove|delete|rename|insert|add|fix|adjust|edit|update|move)\b.*"
    r"\b(?:at the (?:top|end|bottom|beginning)|(?:on|in) line \d+|the line|in the loop|above|in the (?:first|"
    r"last) line|after the imports|"
    r"so use that|breaks?)\b|"
    r"\b(?:fehler|muss|müssen|ersetz\w+|erreur|il faut|remplac\w+|hay que|falta|errore|bisogna)\b.*\b(?:zeile|"
    r"ligne|línea|riga|oben|ci-dessus|"
    r"arriba)\b|\b(?:zeile|ligne|línea|riga)\b.*\b(?:fehler|muss|ersetzt|faut|hay que|errore)\b|"
    r"(?:应该?|需要|必须|请)(?:改|替换|删除|修改)|に(?:変更|置き換え)してください",
    re.IGNORECASE,
)
_LONG = 400
"""Characters from which on a line is no sentence."""

_LISTED = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s")
_CONDITION = re.compile(
    r"\b(?:if|unless|when|whether|in case|could|can|may|might|optional\w*|otherwise|would be|to improve|further)\b",
    re.IGNORECASE,
)
_FIXED = re.compile(
    r"\b(?:fixed|corrected|repaired|resolved|solved|addressed|no longer|was|were|has been|have been|the base|original|"
    r"previous|earlier|parent|failed run)\b",
    re.IGNORECASE,
)
_OLD = re.compile(
    r"^(?:here (?:is|was) |this (?:is|was) )?(?:the |our |my |your )?(?:original|old|previous|current|"
    r"existing|base|parent|accepted|"
    r"failing|failed|given)(?: [\w`]+)? (?:program|code|script|solution|version|one)\b(?: \w+)?(?:\s+(?:is|"
    r"was|reads?|for reference)\b.*)?\s*[:.]?$",
    re.IGNORECASE,
)


_START = re.compile(r"\b(?:starting point|base|parent|original|existing|current|previous)\b", re.IGNORECASE)
_OTHER = re.compile(
    r"\b(?:new|with|improved|on|model|line|plus|and|updated|fixed|corrected|from|to|changed?|modified|of|"
    r"learner|estimator|after)\b",
    re.IGNORECASE,
)


def taken_back(after: str) -> str:
    """The sentence after a program that says that it should not be run as it stands; empty where there is none.

    Args:
        after: the prose after it.
    """
    for sentence, listed in _sentences(after):
        if _PLACED.search(sentence) and not listed and not _CONDITION.search(sentence):
            return sentence.strip()
        if _ORDERED.search(sentence) and not re.search(r"\b(?:if|could|can|may|might)\b", sentence, re.IGNORECASE):
            return sentence.strip()
        if _TAKEN_BACK.search(sentence) and not _CONDITION.search(sentence) and not _FIXED.search(sentence):
            return sentence.strip()
    return ""


def _sentences(text: str) -> Iterator[tuple[str, bool]]:
    """The sentences of a text, each with whether it stands in an item of a list."""
    for line in text.split("\n"):
        listed = _LISTED.match(line)
        for sentence in _SENTENCE.split(line[listed.end() :] if listed else line):
            if sentence.strip() and len(sentence) <= _LONG:
                yield sentence, listed is not None


def called_old(lead: str) -> bool:
    """Whether the line before a program says that it is the one that the reply starts from."""
    line = re.sub(r"^[\W_]+|[\s*_`]+$", "", lead.rpartition("\n")[2])
    line = line.replace("**", "")
    short = len(line.split()) <= 6 and _START.search(line) is not None and _OTHER.search(line) is None
    return short or _OLD.search(line) is not None
