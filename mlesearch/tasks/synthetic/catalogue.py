"""The words for choices and options of synthetic tasks. What they are worth there is drawn: they mean nothing."""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.types import Component


@dataclass(frozen=True, slots=True)
class Question:
    """An open question of a synthetic task: its name, part of the solution, problem, and options with reasons.

    Attributes:
        name: one word.
        component: the part of a solution that it belongs to.
        problem: what may be wrong with the present answer, one sentence.
        options: names with the reason why one would take it, a clause; the plain one first.
    """

    name: str
    component: Component
    problem: str
    options: tuple[tuple[str, str], ...]


_D, _F, _M, _E, _W = (
    Component.DATA,
    Component.FEATURES,
    Component.MODEL,
    Component.ENSEMBLE,
    Component.WORKFLOW,
)

QUESTIONS = (
    Question(
        "missing",
        _D,
        "Empty fields may carry information.",
        (
            ("median", "a neutral value keeps every row"),
            ("flagged", "an indicator tells the model what was empty"),
            ("modelled", "other columns say what an empty field should hold"),
        ),
    ),
    Question(
        "outliers",
        _D,
        "Extreme values may be errors or the signal itself.",
        (("kept", "extreme rows are rows too"), ("clipped", "clipping limits what one row can do")),
    ),
    Question(
        "duplicates",
        _D,
        "Rows that occur twice weigh twice.",
        (("kept", "weights follow the data"), ("dropped", "each case should count once")),
    ),
    Question(
        "sampling",
        _D,
        "Classes or ranges of the target are unevenly filled.",
        (
            ("all", "every row is used as it came"),
            ("balanced", "equal shares keep the rare cases visible"),
            ("recent", "recent rows are most like those to be predicted"),
        ),
    ),
    Question(
        "augmentation",
        _D,
        "There are few rows for so flexible a model.",
        (("none", "no row is made up"), ("noise", "small perturbations smooth what is learned")),
    ),
    Question(
        "units",
        _D,
        "The same quantity was written in several ways.",
        (("typed", "values are used as they stand"), ("unified", "one unit makes values comparable")),
    ),
    Question(
        "encoding",
        _F,
        "Names are not numbers.",
        (
            ("onehot", "a column per name assumes nothing"),
            ("ordinal", "one column keeps the table small"),
            ("target", "the mean target of a name says what it is worth"),
            ("hashed", "hashing copes with names never seen before"),
        ),
    ),
    Question(
        "scaling",
        _F,
        "Columns have very different ranges.",
        (
            ("none", "trees need no scale"),
            ("standard", "unit variance lets every column count"),
            ("ranks", "ranks are immune to skewed columns"),
        ),
    ),
    Question(
        "dates",
        _F,
        "Time stamps hold cycles that a number hides.",
        (
            ("numbers", "a time stamp is a number"),
            ("parts", "weekday and month repeat"),
            ("cycles", "sine and cosine join December and January"),
        ),
    ),
    Question(
        "interactions",
        _F,
        "Effects of two columns may depend on each other.",
        (("none", "each column speaks for itself"), ("products", "products let columns modify each other")),
    ),
    Question(
        "ratios",
        _F,
        "Quantities may matter relative to others.",
        (("none", "fewer columns overfit less"), ("domain", "ratios are what an expert would look at")),
    ),
    Question(
        "aggregates",
        _F,
        "A row's group says something about the row.",
        (
            ("none", "rows are treated alike"),
            ("means", "the mean of its group places a row"),
            ("spreads", "the spread within its group tells how sure one can be"),
        ),
    ),
    Question(
        "selection",
        _F,
        "Some columns may be noise.",
        (
            ("all", "the model decides"),
            ("filtered", "columns without relation to the target only add variance"),
            ("permuted", "permutation shows what the model really uses"),
        ),
    ),
    Question(
        "reduction",
        _F,
        "Many columns say nearly the same.",
        (("none", "nothing is lost"), ("components", "a few components hold most of the variance")),
    ),
    Question(
        "family",
        _M,
        "The model may not fit the shape of the relation.",
        (
            ("forest", "a random forest works without tuning"),
            ("linear", "a linear model is hard to overfit"),
            ("boosting", "boosting fits what others leave over"),
            ("kernel", "a kernel fits smooth relations"),
        ),
    ),
    Question(
        "capacity",
        _M,
        "The model may be too stiff or too flexible.",
        (
            ("middle", "the default is a fair guess"),
            ("small", "a small model generalises from few rows"),
            ("large", "a large model follows fine structure"),
        ),
    ),
    Question(
        "penalty",
        _M,
        "Regularisation may not suit the noise.",
        (
            ("middle", "the default is a fair guess"),
            ("weak", "a weak penalty lets strong effects stand"),
            ("strong", "a strong penalty suppresses chance effects"),
        ),
    ),
    Question(
        "rate",
        _M,
        "Learning may be too fast to settle.",
        (("default", "the default ends early"), ("slow", "small steps end nearer to the optimum")),
    ),
    Question(
        "loss",
        _M,
        "What is fitted is not what is scored.",
        (
            ("squared", "squared errors are easy to fit"),
            ("robust", "a robust loss forgives odd rows"),
            ("metric", "fitting what is scored wastes nothing"),
        ),
    ),
    Question(
        "target",
        _W,
        "The target's scale may suit neither model nor metric.",
        (
            ("raw", "the target is fitted as it is"),
            ("log", "in logarithms factors become sums"),
            ("quantiles", "quantiles make the target Gaussian"),
        ),
    ),
    Question(
        "weighting",
        _W,
        "Rows are not equally informative.",
        (("equal", "equal weights are the simplest"), ("precise", "precise rows should count more")),
    ),
    Question(
        "ensemble",
        _E,
        "One fit depends on chance.",
        (
            ("single", "one model is simple"),
            ("seeds", "the mean of several seeds varies less"),
            ("blend", "different models err differently"),
            ("stack", "a second model learns whom to trust"),
        ),
    ),
    Question(
        "stopping",
        _W,
        "Training may go on after it has stopped helping.",
        (("fixed", "a fixed length is repeatable"), ("early", "a holdout shows when to stop")),
    ),
    Question(
        "calibration",
        _W,
        "Raw outputs may be systematically off.",
        (
            ("none", "outputs are used as they are"),
            ("sigmoid", "a sigmoid corrects the slope"),
            ("isotonic", "a monotonic curve corrects any shape"),
        ),
    ),
)
"""All questions; a task asks some of them, in this order."""
