"""Pipelines for tickets: deal with denials, cut texts into terms, weigh them, classify them."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels
from mlesearch.models.simulated.mini.terms import MODEL, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "negation",
        Component.DATA,
        "Messages also name what they are not about.",
        (
            Option("ignored", "word counts alone often suffice for topics"),
            Option("marked", "a prefix on the words of a denied sentence keeps them apart from what is asserted"),
            Option("dropped", "a denied sentence says what the message is not about, so it can go"),
        ),
    ),
    Choice(
        "tokens",
        Component.FEATURES,
        "Mistyped words are unknown to a vocabulary of words.",
        (
            Option("words", "words carry the topic"),
            Option("characters", "pieces of words survive a typing mistake"),
            Option("both", "words are exact and pieces of words are robust, so both together know more"),
        ),
    ),
    MODEL,
    Choice(
        "balance",
        Component.WORKFLOW,
        "Rare topics count as much as frequent ones in the metric, but not in the fit.",
        (
            Option("none", "topics are expected as often as they were"),
            Option("even", "topics that count alike are best fitted alike"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_NEGATION = {
    "ignored": "",
    "marked": '''
DENIAL = re.compile(r"\\b(not|no|never|nothing|nt|noot|nver)\\b")


def mark(text):
    """Prefix every word of a sentence that denies something."""
    parts = text.split(".")
    return ".".join(re.sub(r"(\\w+)", r"x\\1", part) if DENIAL.search(part) else part for part in parts)
''',
    "dropped": '''
DENIAL = re.compile(r"\\b(not|no|never|nothing|nt|noot|nver)\\b")


def drop(text):
    """Leave out sentences that deny something, unless nothing else is said."""
    parts = text.split(".")
    return ".".join(part for part in parts if not DENIAL.search(part)) or text
''',
}

_STEP = {"ignored": "{0}", "marked": "{0}.map(mark)", "dropped": "{0}.map(drop)"}

_TOKENS = {
    "words": ("min_df=2",),
    "characters": ('analyzer="char_wb", ngram_range=(3, 4), min_df=3',),
    "both": ("min_df=2", 'analyzer="char_wb", ngram_range=(3, 4), min_df=3'),
}

_LEVELS = {
    "forest": FamilyLevels(((0.02,), (0.06,), (0.3,)), ((20,), (8,), (3,))),
    "naive_bayes": FamilyLevels(((0.12,), (0.4,), (1.0,)), ((0.3,), (0.03,), (0.002,))),
    "logistic": FamilyLevels(((0.02,), (0.1,), (0.4,)), ((0.02,), (0.2,), (3.0,))),
    "latent": FamilyLevels(((40,), (100,), (200,)), ((8.0,), (300.0,), (10000.0,))),
}


def _program(settings: Mapping[str, str]) -> str:
    imports = []
    step = _STEP[settings["negation"]]
    preparation = f"texts_train = {step.format('train[' + chr(34) + 'text' + chr(34) + ']')}\n"
    preparation += f"texts_rows = {step.format('rows[' + chr(34) + 'text' + chr(34) + ']')}\n"
    if settings["negation"] != "ignored":
        imports.append("import re")
    imports.append("from sklearn.feature_extraction.text import TfidfVectorizer")
    parts = [f"TfidfVectorizer({tokens}, sublinear_tf=True)" for tokens in _TOKENS[settings["tokens"]]]
    if len(parts) > 1:
        imports.append("from sklearn.pipeline import make_union")
        preparation += "terms = make_union(\n" + "".join(f"    {part},\n" for part in parts) + ")\n"
    else:
        preparation += f"terms = {parts[0]}\n"
    preparation += "X_train = terms.fit_transform(texts_train).tocsr()\nX_rows = terms.transform(texts_rows).tocsr()\n"
    needed, code = model(settings["model"], _LEVELS[settings["model"]], even=settings["balance"] == "even")
    return assemble(
        title="What a message to a shop is about.",
        settings=settings,
        target="topic",
        imports=[*imports, *needed],
        functions=[_NEGATION[settings["negation"]]],
        preparation=preparation,
        labels='train["topic"].to_numpy()',
        model=code,
    )


SPACE = Space(
    task="tickets",
    direction=Direction.MAXIMIZE,
    target="topic",
    choices=CHOICES,
    baseline=("ignored", "words", "forest", "none", "middle", "middle"),
    program=_program,
)
