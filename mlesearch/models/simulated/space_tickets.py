"""Pipelines for tickets: deal with denials, cut texts into terms, weigh them, classify them."""

from __future__ import annotations

from collections.abc import Mapping

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
    Choice(
        "weighting",
        Component.FEATURES,
        "Frequent filler words count as much as telling ones.",
        (
            Option("counts", "plain counts are what naive Bayes expects"),
            Option("tfidf", "rare terms tell more about the topic than frequent ones"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The classifier may not suit many sparse features.",
        (
            Option("naive_bayes", "naive Bayes is quick and needs few examples"),
            Option("logistic", "logistic regression weighs terms jointly"),
            Option("linear_svm", "a large margin suits many sparse features"),
        ),
    ),
    Choice(
        "tuning",
        Component.WORKFLOW,
        "Rare topics count as much as frequent ones in the metric, but not in the fit.",
        (
            Option("plain", "default hyper-parameters are a safe start"),
            Option("tuned", "balanced classes and adapted smoothing serve a metric that averages over topics"),
        ),
    ),
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

_VECTORISER = {
    ("words", "counts"): "CountVectorizer(min_df=2)",
    ("words", "tfidf"): "TfidfVectorizer(min_df=2, sublinear_tf=True)",
    ("characters", "counts"): 'CountVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=3)',
    ("characters", "tfidf"): 'TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=3, sublinear_tf=True)',
}

_MODELS = {
    "naive_bayes": (
        "from sklearn.naive_bayes import MultinomialNB",
        """smoothing, prior = {"plain": (1.0, True), "tuned": (0.2, False)}[PIPELINE["tuning"]]
model = MultinomialNB(alpha=smoothing, fit_prior=prior)""",
    ),
    "logistic": (
        "from sklearn.linear_model import LogisticRegression",
        """strength, weights = {"plain": (1.0, None), "tuned": (8.0, "balanced")}[PIPELINE["tuning"]]
model = LogisticRegression(C=strength, class_weight=weights, max_iter=60, tol=1e-3)""",
    ),
    "linear_svm": (
        "from sklearn.svm import LinearSVC",
        """strength, weights = {"plain": (1.0, None), "tuned": (0.2, "balanced")}[PIPELINE["tuning"]]
model = LinearSVC(C=strength, class_weight=weights, tol=1e-3, random_state=0)""",
    ),
}


def _program(settings: Mapping[str, str]) -> str:
    imports = []
    step = _STEP[settings["negation"]]
    preparation = f"texts_train = {step.format('train[' + chr(34) + 'text' + chr(34) + ']')}\n"
    preparation += f"texts_rows = {step.format('rows[' + chr(34) + 'text' + chr(34) + ']')}\n"
    if settings["negation"] != "ignored":
        imports.append("import re")
    kind = "TfidfVectorizer" if settings["weighting"] == "tfidf" else "CountVectorizer"
    imports.append(f"from sklearn.feature_extraction.text import {kind}")
    if settings["tokens"] == "both":
        imports.append("from sklearn.pipeline import make_union")
        parts = [_VECTORISER[tokens, settings["weighting"]] for tokens in ("words", "characters")]
        preparation += "terms = make_union(\n" + "".join(f"    {part},\n" for part in parts) + ")\n"
    else:
        preparation += f"terms = {_VECTORISER[settings['tokens'], settings['weighting']]}\n"
    preparation += "X_train = terms.fit_transform(texts_train).tocsr()\nX_rows = terms.transform(texts_rows).tocsr()\n"
    needed, model = _MODELS[settings["model"]]
    return assemble(
        title="What a message to a shop is about.",
        settings=settings,
        target="topic",
        imports=[*imports, needed],
        functions=[_NEGATION[settings["negation"]]],
        preparation=preparation,
        labels='train["topic"].to_numpy()',
        model=model,
    )


SPACE = Space(
    task="tickets",
    direction=Direction.MAXIMIZE,
    target="topic",
    choices=CHOICES,
    baseline=("ignored", "words", "counts", "naive_bayes", "plain"),
    program=_program,
)
