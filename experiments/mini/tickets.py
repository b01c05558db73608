"""Messages to a shop, with denials and typing mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

_TOPICS: dict[str, str] = {
    "billing": "invoice charged payment bill fee price amount receipt debit overcharged discount tax balance",
    "delivery": "parcel courier shipment delivered package tracking "
    "depot dispatch doorstep arrival carrier postage van",
    "account": "password login username account locked profile "
    "email signin verification code settings security register",
    "defect": "broken cracked scratched faulty noise leaking dead damaged battery screen overheats loose rattles",
    "returns": "refund return exchange label voucher credit "
    "reimbursed sendback swap withdrawal money replacement cancel",
    "software": "app crash update freeze install bug version error sync download menu page loading",
    "advice": "recommend compare compatible manual size which "
    "suitable difference advise model spare accessories explain",
}
_SHARES = (0.20, 0.18, 0.16, 0.16, 0.12, 0.11, 0.07)
_ASSERT = (
    "the {a} and the {b} need attention",
    "my message is about the {a} and {b}",
    "there is something with {a} since yesterday , {b} too",
    "please look at the {a} , also {b}",
    "{a} again , and {b}",
    "it is the {a} this time",
    "i write because of {a} {b}",
    "{a} is what i ask about",
    "could you check {a} or {b} for me",
)
_DENY = (
    "it is not the {a}",
    "this has nothing to do with {a}",
    "i have no question about {a}",
    "there was never a problem with the {a} or {b}",
    "no trouble with {a}",
    "not about {a} this time",
    "i do not ask for {a} or {b}",
    "never mind the {a}",
)
_FILL = (
    "hello", "good morning", "thank you in advance", "i have been a customer for years", "please answer soon",
    "best regards", "i tried to call twice", "my order number is below", "kind regards from the coast",
    "i hope you can help", "this is the second time i write", "sorry for the long message",
)  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _typo(word: str, rng: Generator) -> str:
    """The word with one slip of the keys: a letter dropped, doubled, swapped with the next, or replaced."""
    if len(word) < 3:
        return word
    at = int(rng.integers(0, len(word) - 1))
    kind = int(rng.integers(0, 4))
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + _LETTERS[int(rng.integers(0, 26))] + word[at + 1 :]


def _sentence(templates: Sequence[str], words: Sequence[str], rng: Generator) -> str:
    a, b = rng.choice(len(words), size=2, replace=False)
    return templates[int(rng.integers(0, len(templates)))].format(a=words[a], b=words[b])


def _ticket(topic: int, lexicon: Sequence[Sequence[str]], rng: Generator) -> str:
    """One text: assertions of its topic, denials of others, filler, in any order; then typos."""
    parts = [_sentence(_ASSERT, lexicon[topic], rng) for _ in range(1 + int(rng.random() < 0.35))]
    others = [t for t in range(len(lexicon)) if t != topic]
    denied = int(rng.choice(others))
    denials = int(rng.choice(4, p=[0.28, 0.38, 0.22, 0.12]))
    parts += [_sentence(_DENY, lexicon[denied], rng) for _ in range(denials)]
    if rng.random() < 0.15:
        parts.append(_sentence(_ASSERT, lexicon[int(rng.choice(others))], rng))
    parts += [_FILL[int(rng.integers(0, len(_FILL)))] for _ in range(int(rng.integers(0, 4)))]
    parts = [parts[i] for i in rng.permutation(len(parts))]
    slip = float(rng.choice([0.05, 0.25, 0.5], p=[0.3, 0.4, 0.3]))
    words = " . ".join(parts).split()
    typed = [_typo(w, rng) if w.isalpha() and rng.random() < slip else w for w in words]
    return " ".join(typed).replace(" .", ".").replace(" ,", ",")


def tickets(rng: Generator) -> Made:
    """Messages to a shop, to be sorted by what they are about; many also say what they are not about."""
    names = list(_TOPICS)
    lexicon = [_TOPICS[name].split() for name in names]
    sizes = {TRAIN: 1400, VALIDATION: 600, TEST: 2000}
    rows: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        rows[split] = []
        for topic in rng.choice(len(names), size=size, p=_SHARES):
            channel = ("mail", "chat", "phone")[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
            rows[split].append({"channel": channel, "text": _ticket(int(topic), lexicon, rng), "topic": names[topic]})
    meta = Meta(
        "Sorting messages to a shop", "macro_f1", "maximize", ["text", "multiclass"], "CC0 (generated)", version="2"
    )
    return Made(rows, "topic", "billing", meta)
