"""Words of comments that stand in place of code, beyond the plain ones: pointers, orders, other languages."""

from __future__ import annotations

import re

_ORDER = r"(?:add|insert|put|place|paste|write|include|implement|define|apply|compute|create|fill in)"
_OTHERS = r"(?:remaining|other|more|additional|further|rest|own|your|existing|same|missing)"
_POINTED = (
    r"(?:previous|base|original|above|earlier|full|first|last|old) "
    r"(?:version|program|code|script|solution|file|implementation|one|step|block)s?"
)

_ENGLISH = re.compile(
    rf"^{_ORDER}\b.{{0,40}}\b{_OTHERS}\b.{{0,40}}\bhere\W*$|^{_ORDER}\b.{{0,60}}\.py\b.{{0,20}}\bhere\W*$|"
    r"\b(?:not (?:repeated|shown|reproduced)|goes? (?:in )?here)\b|"
    r"\b(?:left|removed|cut|dropped|omitted|shortened|skipped|hidden|collapsed)\b.{0,20}\b(?:as an exercise|"
    r"to (?:the reader|you)|(?:to save|for) "
    r"(?:space|brevity|length|readability))\b|^\W*(?:snip(?:ped)?|keep block\b.*|(?:code )?elided|\.py unchanged)\W*$|"
    rf"^(?:see|refer to|copy|copied from|taken from|paste)\b.{{0,30}}\b{_POINTED}\b|"
    r"^(?:existing|remaining|other|previous|original|same|unchanged|more|further)\b[^.]*(?:\.\.\.|…|\betc\.?)\)?\W*$",
    re.IGNORECASE,
)
_ENGLISH_REST = re.compile(r"\b(?:the|of|is|are|stays?|remains?)\b", re.IGNORECASE)
"""Sentences of English are told apart by their own rules."""

_FEW = 5
"""Of fewer words there is none left that says what else might be meant."""

_TO_DO = re.compile(
    rf"^(?:to ?do|fixme|xxx)\b\W*(?:{_ORDER}|complete|finish|load|train|replace|do|code|your)\b", re.IGNORECASE
)
_LATER = re.compile(
    r"\b(?:later|next|future|maybe|perhaps|possibly|optional\w*|if (?:there is )?time|could|might|try|"
    r"consider|tune|v2)\b",
    re.IGNORECASE,
)
_REPEAT = re.compile(
    r"^(?:repeat|do) (?:the same|this|that|similarly|likewise|as above)\b.*\b(?:for|with|on)\b(?P<what>.*)$",
    re.IGNORECASE,
)
_REST = re.compile(
    r"\b(?:rest\w*|reste|resto|restante|overige\w*|resten|reszta|zbytek|sisa\w*|geri kalan\w*|остальн\w+|"
    r"решта|ostatní|övriga?)\b|"
    r"phần còn lại|باقي|بقية|बाकी|शेष|其余|剩余|其他|后续|余下|残り|以下|以降|나머지|이하|이후",
    re.IGNORECASE,
)
_OF_CODE = re.compile(
    r"\b(?:code\w*|kod\w*|koodi|program\w*|programm\w*|s[ck]ript\w*|c[óo]d[ii]go|codice|код\w*|програм\w*|"
    r"скрипт\w*|kaynak|pipeline)\b|"
    r"mã|الكود|البرنامج|कोड|代码|程序|脚本|部分|逻辑|步骤|コード|処理|プログラム|코드|부분|로직",
    re.IGNORECASE,
)
_STAYS = re.compile(
    r"\b(?:unverändert|gleich|identisch|wie (?:oben|zuvor|bisher|vorher|gehabt)|inchangée?s?|identiques?|"
    r"(?:le|la) même|ne chang\w+ pas|"
    r"sans changements?|pareil|igual\w*|sin cambios|mism[oa]|mesm[oa]|sem (?:alteraç\w+|mudanças?)|"
    r"inalterad[oa]|permanece|no cambia|"
    r"invariat[oi]|ugual[ei]|(?:lo )?stess[oi]|non cambia|без (?:изменен\w+|змін)|так(?:ой|им|ий|ая|ие) же|не "
    r"(?:меня\w+|змін\w+)|"
    r"bez zmian\w*|tak[ai] sam[ao]?|pozostaje|beze změny?|stejn\w+|zůstává|aynı\w*|değişme\w+|ongewijzigd|"
    r"hetzelfde|onveranderd|"
    r"oförändra[dt]\w*|samma|uændre[dt]|det samme|uendret|ennallaan|tetap|sama|unchanged|as before|as above)\b|"
    r"giữ nguyên|không đổi|دون تغيير|بدون تغيير|كما هو|वैसा ही|वही|अपरिवर्तित|"
    r"不变|省略|同上|略去|相同|一致|一样|同じ|同様|変更なし|そのまま|동일|같\w|생략|그대로",
    re.IGNORECASE,
)
_ASIAN = re.compile(
    r"(?:此处|这里)?省略\S{0,10}(?:代码|部分|逻辑|步骤)|代码(?:同上|不变|省略|略)|(?:元|前)のコードと同じ|"
    r"(?:コード|処理)は省略|코드\S* 생략|"
    r"(?:部分|代码|逻辑|步骤)\S{0,3}(?:与|和|同)\S{0,8}(?:相同|一致|一样)\W*$"
)


def leaves_out(said: str, following: str) -> bool:
    """Whether a comment stands in place of code by its words alone.

    Args:
        said: the comment, without its marks.
        following: the lines of code right after it, which it may describe.
    """
    if _ENGLISH.search(said) or _ASIAN.search(said):
        return True
    if _REST.search(said) and _STAYS.search(said) and (_OF_CODE.search(said) or len(said.split()) < _FEW):
        return not _ENGLISH_REST.search(said)
    if _TO_DO.search(said) and not _LATER.search(said):
        return True
    repeat = _REPEAT.search(said)
    if repeat is None or following.lstrip().startswith(("for ", "while ", "def ")):
        return False
    words = re.findall(r"\w{3,}", repeat["what"].lower())
    return not any(w.removesuffix("s") in following.lower() for w in words)
