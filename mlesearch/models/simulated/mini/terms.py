"""Model families for texts that were cut into terms; like `families`, with the same two hyper-parameters."""

from __future__ import annotations

from mlesearch.models.simulated.mini.families import (
    EARLY_STOP,
    EARLY_STOP_IMPORTS,
    PENALTY,
    WIDTH,
    FamilyLevels,
    lookup,
)
from mlesearch.models.simulated.spaces import Choice, Option
from mlesearch.types import Component

MODEL = Choice(
    "model",
    Component.MODEL,
    "The classifier may not suit many sparse features.",
    (
        Option("forest", "a random forest works without tuning"),
        Option("naive_bayes", "naive Bayes is quick and needs few examples"),
        Option("logistic", "logistic regression weighs terms jointly"),
        Option("latent", "a smooth kernel on a few directions of meaning looks past single words"),
    ),
)

_CHOSEN = "chosen = SelectPercentile(chi2, percentile=100 * kept)\n"
_CHOSEN_IMPORTS = (
    "from sklearn.feature_selection import SelectPercentile, chi2",
    "from sklearn.pipeline import make_pipeline",
)
_LOGISTIC_IMPORT = "from sklearn.linear_model import LogisticRegression"

_FAMILIES = {
    "forest": (
        ("kept", "leaf"),
        (*_CHOSEN_IMPORTS, "from sklearn.ensemble import RandomForestClassifier"),
        _CHOSEN
        + """forest = RandomForestClassifier(
    n_estimators=30, max_features=0.05, min_samples_leaf=leaf{weight}, random_state=0, n_jobs=1
)
model = make_pipeline(chosen, forest)""",
    ),
    "naive_bayes": (
        ("kept", "smoothing"),
        (*_CHOSEN_IMPORTS, "from sklearn.naive_bayes import MultinomialNB"),
        _CHOSEN + "model = make_pipeline(chosen, MultinomialNB(alpha=smoothing{prior}))",
    ),
    "logistic": (
        ("kept", "strength"),
        (*_CHOSEN_IMPORTS, _LOGISTIC_IMPORT),
        _CHOSEN
        + """linear = LogisticRegression(C=strength{weight}, max_iter=60, tol=0.001)
model = make_pipeline(chosen, linear)""",
    ),
    "latent": (
        ("directions", "strength"),
        (
            *EARLY_STOP_IMPORTS,
            "from sklearn.decomposition import TruncatedSVD",
            "from sklearn.kernel_approximation import Nystroem",
            _LOGISTIC_IMPORT,
            "from sklearn.pipeline import make_pipeline",
            "from sklearn.preprocessing import StandardScaler",
        ),
        EARLY_STOP
        + """latent = TruncatedSVD(directions, n_iter=3, random_state=0)
kernel = Nystroem(gamma=0.3 / directions, n_components=200, random_state=0)
linear = LogisticRegression(C=strength{weight}, max_iter=60, tol=0.001)
model = make_pipeline(latent, StandardScaler(), kernel, linear)""",
    ),
}


def model(family: str, levels: FamilyLevels, *, even: bool = False) -> tuple[tuple[str, ...], str]:
    """Imports and code of a classifier of terms whose size and regularisation `PIPELINE` names.

    Args:
        family: an option of `MODEL`.
        levels: numbers of its hyper-parameters; the width is the share of terms that is kept, or for `latent` the
            number of directions.
        even: whether all classes count alike.
    """
    (width, penalty), imports, code = _FAMILIES[family]
    weight, prior = (', class_weight="balanced"', ", fit_prior=False") if even else ("", "")
    lines = lookup(width, WIDTH, levels.width) + lookup(penalty, PENALTY, levels.penalty)
    return imports, lines + code.format(weight=weight, prior=prior)
