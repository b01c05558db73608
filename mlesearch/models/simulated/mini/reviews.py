"""Pipelines for reviews: which part to read, what to do with denials, how to cut and weigh terms, how to rank."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels
from mlesearch.models.simulated.mini.terms import MODEL, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "part",
        Component.DATA,
        "Reviews come to the point at their end, and their beginning says little.",
        (
            Option("all", "every sentence may matter"),
            Option("last", "the last two sentences hold the verdict"),
        ),
    ),
    Choice(
        "denials",
        Component.DATA,
        "Praise that is denied is blame.",
        (
            Option("ignored", "most sentences deny nothing"),
            Option("marked", "a prefix on the words of a denied sentence keeps them apart"),
        ),
    ),
    Choice(
        "elsewhere",
        Component.DATA,
        "What is said of other days and places is not about this meal.",
        (
            Option("kept", "a comparison tells something, too"),
            Option("dropped", "sentences about other days and places can go"),
        ),
    ),
    Choice(
        "tokens",
        Component.FEATURES,
        "Single words lose their order, and mistyped ones are unknown.",
        (
            Option("words", "words carry the verdict"),
            Option("characters", "pieces of words survive a typing mistake"),
        ),
    ),
    MODEL,
    WIDTH,
    PENALTY,
)

_DENIAL = 'DENIAL = re.compile(r"\\b(not|never|hardly|nott|nevr|neer|hrdly|hadly)\\b")\n'
_ELSEWHERE = 'ELSEWHERE = re.compile(r"\\b(everyone|last|next|hoped|lst|nxt|hopd)\\b")\n'
_PREPARE = '''
def prepared(text):
    """{title}."""
    parts = [part.strip() for part in text.split(".") if part.strip()]
{body}    return ". ".join(parts) or text
'''
_BODY = {
    "last": "    parts = parts[-2:]\n",
    "marked": '    parts = [re.sub(r"(\\w+)", r"no\\1", part) if DENIAL.search(part) else part for part in parts]\n',
    "elsewhere": "    parts = [part for part in parts if not ELSEWHERE.search(part)] or parts\n",
}
_VECTORISER = {
    "words": "min_df=2",
    "characters": 'analyzer="char_wb", ngram_range=(3, 4), min_df=4',
}
_LEVELS = {
    "forest": FamilyLevels(((0.02,), (0.1,), (0.5,)), ((20,), (8,), (3,))),
    "naive_bayes": FamilyLevels(((0.4,), (0.8,), (1.0,)), ((0.06,), (0.01,), (0.001,))),
    "logistic": FamilyLevels(((0.02,), (0.1,), (1.0,)), ((0.001,), (0.01,), (5.0,))),
    "latent": FamilyLevels(((40,), (90,), (160,)), ((2.0,), (50.0,), (2000.0,))),
}


def _program(settings: Mapping[str, str]) -> str:
    constants, functions, body, titles = "", [], "", []
    if settings["elsewhere"] == "dropped":
        constants += _ELSEWHERE
        body += _BODY["elsewhere"]
        titles.append("without sentences about other days and places")
    if settings["denials"] != "ignored":
        constants += _DENIAL
        body += _BODY[settings["denials"]]
        titles.append(f"with denials {settings['denials']}")
    if settings["part"] == "last":
        body += _BODY["last"]
        titles.append("its last two sentences alone")
    preparation = 'texts_train, texts_rows = train["text"], rows["text"]\n'
    if body:
        functions.append(_PREPARE.format(title="The text " + ", ".join(titles), body=body))
        preparation += "texts_train, texts_rows = texts_train.map(prepared), texts_rows.map(prepared)\n"
    preparation += f"terms = TfidfVectorizer({_VECTORISER[settings['tokens']]}, sublinear_tf=True)\n"
    preparation += "X_train, X_rows = terms.fit_transform(texts_train).tocsr(), terms.transform(texts_rows).tocsr()\n"
    needed, code = model(settings["model"], _LEVELS[settings["model"]])
    return assemble(
        title="How likely a guest comes back, from a review.",
        settings=settings,
        target="returns",
        imports=[
            *["import re"] * bool(constants),
            "from sklearn.feature_extraction.text import TfidfVectorizer",
            *needed,
        ],
        constants=constants,
        functions=functions,
        preparation=preparation,
        labels='train["returns"].to_numpy()',
        model=code,
        probabilities=True,
        after="predictions = predictions[:, 1]\n",
    )


SPACE = Space(
    task="reviews",
    direction=Direction.MAXIMIZE,
    target="returns",
    choices=CHOICES,
    baseline=("all", "ignored", "kept", "words", "forest", "middle", "middle"),
    program=_program,
)
