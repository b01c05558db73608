"""Words of comments that stand in place of code, beyond the plain ones of English: pointers, orders, other languages."""

from __future__ import annotations

import re

_ORDER = r"(?:add|insert|put|place|paste|write|include|implement|define|apply|compute|create|fill in)"
_OTHERS = r"(?:remaining|other|more|additional|further|rest|own|your|existing|same|missing)"
_POINTED = r"(?:previous|base|original|above|earlier|full|first|last|old) (?:version|program|code|script|solution|file|implementation|one|step|block)s?"

_ENGLISH = re.compile(
    rf"^{_ORDER}\b.{{0,40}}\b{_OTHERS}\b.{{0,40}}\bhere\W*$|"
    r"\b(?:not (?:repeated|shown|reproduced)|goes? (?:in )?here)\b|"
    rf"^(?:see|refer to|copy|copied from|taken from|paste)\b.{{0,30}}\b{_POINTED}\b|"
    r"^(?:existing|remaining|other|previous|original|same|unchanged|more|further)\b[^.]*(?:\.\.\.|…|\betc\.?)\)?\W*$",
    re.IGNORECASE,
)
_TO_DO = re.compile(
    rf"^(?:to ?do|fixme|xxx)\b\W*(?:{_ORDER}|complete|finish|load|train|replace|do|code|your)\b", re.IGNORECASE
)
_LATER = re.compile(
    r"\b(?:later|next|future|maybe|perhaps|possibly|optional\w*|if (?:there is )?time|could|might|try|consider|tune|v2)\b",
    re.IGNORECASE,
)
_REPEAT = re.compile(
    r"^(?:repeat|do) (?:the same|this|that|similarly|likewise|as above)\b.*\b(?:for|with|on)\b(?P<what>.*)$",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"^(?:der |die )?(?:rest|restliche\w*)\b(?: (?:des|vom|der) \w+| code| programm)?\W+(?:\w+ )?(?:unverändert|gleich|identisch|wie)\b|"
    r"\breste\b (?:du (?:code|programme|script) )?(?:(?:est|reste|demeure) )?(?:inchangé|identique|le même|pareil)|"
    r"\b(?:resto|restante)\b (?:d[eo]l? (?:código|codigo|programa|script) )?(?:\w+ )?(?:igual|sin cambios|(?:o |lo |el )?mismo|mesm[oa]|"
    r"sem (?:alteraç|mudança)|inalterado|permanece|no cambia)|"
    r"\bresto\b (?:del (?:codice|programma) )?(?:\w+ )?(?:invariato|uguale|lo stesso|identico)|"
    r"(?:остальн\w+|решта)\b (?:\w+ ){0,2}(?:без (?:изменен|змін)|так(?:ой|им) же|не (?:меня|измен))|"
    r"\breszta\b (?:\w+ ){0,2}(?:bez zmian|taka sama|pozostaje)|\bzbytek\b (?:\w+ ){0,2}(?:beze změn|stejn)|"
    r"geri kalan\w* (?:\w+ ){0,2}(?:aynı|değişme)|\b(?:rest|overige)\b (?:\w+ ){0,3}(?:ongewijzigd|hetzelfde)|"
    r"\bresten\b (?:\w+ ){0,3}(?:oförändra|samma|uændre|det samme)|phần còn lại (?:\S+ ){0,4}(?:giữ nguyên|không đổi)|"
    r"\bsisa\w* (?:kode|program)\b|(?:باقي|بقية) (?:الكود|البرنامج)|(?:बाकी|शेष) कोड|"
    r"(?:其余|其他|剩余|后续|以下|以上|此处|这里)(?:的)?(?:\S{0,8})?(?:代码|部分|逻辑|步骤)?\S{0,6}(?:保持不变|不变|省略|同上|略去|与(?:之前|原来|上面)(?:相同|一致))|"
    r"省略\S{0,10}(?:代码|部分|逻辑|步骤)|代码(?:同上|不变|省略|略)|"
    r"(?:以下|以降|残り)\S{0,12}(?:同じ|同様|省略|変更なし|そのまま)|(?:元|前)のコードと同じ|(?:コード|処理)は省略|"
    r"(?:나머지|이하|이후)\s?(?:\S+\s){0,3}(?:\S*동일|\S*같|생략|그대로|변경)|코드\S* 생략",
    re.IGNORECASE,
)


def leaves_out(said: str, following: str) -> bool:
    """Whether a comment stands in place of code by its words alone.

    Args:
        said: the comment, without its marks.
        following: the lines of code right after it, which it may describe.
    """
    if _ENGLISH.search(said) or _ELSEWHERE.search(said):
        return True
    if _TO_DO.search(said) and not _LATER.search(said):
        return True
    repeat = _REPEAT.search(said)
    if repeat is None or following.lstrip().startswith(("for ", "while ", "def ")):
        return False
    words = re.findall(r"\w{3,}", repeat["what"].lower())
    return not any(w.removesuffix("s") in following.lower() for w in words)
