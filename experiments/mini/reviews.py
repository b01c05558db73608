"""Reviews of meals: what counts is the verdict, and many words of praise stand where it is not meant."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.experiments.mini.made import TEST, TRAIN, VALIDATION, Generator, Made, Meta, Row

SIZES = {TRAIN: 900, VALIDATION: 700, TEST: 1600}

_GOOD = [
    "delicious",
    "fresh",
    "crisp",
    "tender",
    "generous",
    "warm",
    "friendly",
    "quick",
    "cosy",
    "perfect",
    "juicy",
    "creamy",
    "fragrant",
    "excellent",
    "lovely",
    "charming",
    "attentive",
    "bright",
    "rich",
    "balanced",
]
_BAD = [
    "bland",
    "stale",
    "soggy",
    "tough",
    "stingy",
    "cold",
    "rude",
    "slow",
    "noisy",
    "awful",
    "dry",
    "greasy",
    "sour",
    "mediocre",
    "dull",
    "grubby",
    "careless",
    "dim",
    "thin",
    "burnt",
]
_THINGS = [
    "soup",
    "bread",
    "pasta",
    "fish",
    "steak",
    "salad",
    "dessert",
    "coffee",
    "wine",
    "service",
    "room",
    "music",
    "menu",
    "waiter",
    "sauce",
    "rice",
    "pie",
]
_FILL = (
    "we were a party of four",
    "it was a tuesday",
    "my sister had told me about it",
    "we sat by the window",
    "parking is behind the house",
    "they take cards",
    "the place opened in spring",
    "we ordered the set menu",
    "it is close to the station",
)
_SAYS = ("the {t} was {w}", "{w} {t}", "we found the {t} {w}", "the {t} is {w} here", "a {w} {t}")
_STRONG = ("the {t} was really {w}", "such a {w} {t}", "the {t} was so very {w}")
_DENIES = ("the {t} was not {w}", "never a {w} {t}", "the {t} was hardly {w}", "not what i call a {w} {t}")
_ELSE = (
    "everyone says the {t} is {w}",
    "last year the {t} was {w}",
    "next door the {t} is {w}",
    "i had hoped for {w} {t}",
)
_TURN = ("but", "still", "however", "in the end")


def _pick(values: Sequence[str], rng: Generator) -> str:
    return values[int(rng.integers(0, len(values)))]


def _typed(word: str, rng: Generator) -> str:
    """The word with one letter lost or doubled."""
    at = int(rng.integers(1, len(word)))
    return word[:at] + word[at + 1 :] if rng.random() < 0.5 else word[:at] + word[at - 1] + word[at:]


def _phrase(mood: float, rng: Generator) -> str:
    """Something about a thing: meant as it stands, denied, or said of another time or place."""
    good = rng.random() < mood
    draw = rng.random()
    if draw < 0.22:
        return _pick(_DENIES, rng).format(t=_pick(_THINGS, rng), w=_pick(_BAD if good else _GOOD, rng))
    if draw < 0.38:
        return _pick(_ELSE, rng).format(t=_pick(_THINGS, rng), w=_pick(_BAD if good else _GOOD, rng))
    templates = _STRONG if draw < 0.58 else _SAYS
    return _pick(templates, rng).format(t=_pick(_THINGS, rng), w=_pick(_GOOD if good else _BAD, rng))


def _review(satisfied: bool, rng: Generator) -> str:
    """First impressions that say little, then what was meant; typing as it comes."""
    mood = 0.82 if satisfied else 0.18
    first = [_phrase(0.5 + 0.25 * (mood - 0.5), rng) for _ in range(int(rng.integers(1, 4)))]
    last = [_phrase(mood, rng) for _ in range(int(rng.integers(2, 4)))]
    fill = [_pick(_FILL, rng) for _ in range(int(rng.integers(0, 3)))]
    parts = [first[0], *fill, *first[1:]]
    parts = [parts[i] for i in rng.permutation(len(parts))]
    if rng.random() < 0.7:
        last[0] = f"{_pick(_TURN, rng)} {last[0]}"
    slip = float(rng.choice([0.0, 0.12, 0.3], p=[0.4, 0.35, 0.25]))
    words = " . ".join([*parts, *last]).split()
    return " ".join(_typed(w, rng) if len(w) > 3 and rng.random() < slip else w for w in words).replace(" .", ".")


def reviews(rng: Generator) -> Made:
    """Whether a guest comes back, from what the guest wrote."""
    rows: dict[str, list[Row]] = {}
    for split, size in SIZES.items():
        rows[split] = []
        for satisfied in rng.random(size) < 0.56:
            stars_of_others = round(float(rng.normal(3.6 + 0.15 * satisfied, 0.6)), 1)
            row: Row = {"stars_of_others": stars_of_others, "text": _review(bool(satisfied), rng)}
            rows[split].append(row | {"returns": int(satisfied)})
    meta = Meta("Guests who come back", "auc", "maximize", ["text", "binary"], "CC0 (generated)")
    return Made(rows, "returns", 0.5, meta)
