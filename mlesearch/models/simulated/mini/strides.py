"""Pipelines for strides: level persons, describe signals, estimate probabilities that hold for new persons."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "level",
        Component.DATA,
        "The sensor's tilt and the walker's force shift and stretch all values of a person.",
        (
            Option("kept", "level and force may tell one activity from another"),
            Option("window", "without its mean a window shows movement alone"),
            Option(
                "person", "relative to the person's own mean and deviation activities are comparable across persons"
            ),
        ),
    ),
    Choice(
        "features",
        Component.FEATURES,
        "The same stride looks different when it starts a moment later.",
        (
            Option("samples", "the values as they are keep everything"),
            Option("statistics", "mean, deviation, extremes and crossings do not depend on the start"),
            Option("spectrum", "amplitudes by frequency show tempo and harmonics"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The classifier may not fit the shape of the classes.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a linear classifier is hard to overfit and gives honest probabilities"),
            Option("kernel", "a smooth kernel compares whole signals"),
            Option("neighbours", "similar recordings are of the same activity"),
        ),
    ),
    WIDTH,
    PENALTY,
    Choice(
        "trust",
        Component.WORKFLOW,
        "Probabilities that were learnt on known persons are too sure for new ones.",
        (
            Option("full", "probabilities are taken at their word"),
            Option("damped", "a share of the even odds keeps sure mistakes from costing much"),
        ),
    ),
)

_SIGNALS = '''
def signals(frame):
    """Recordings of a table{said}, shape (n, 40)."""
    values = frame[[f"t{{i:02d}}" for i in range(40)]].to_numpy(dtype=float) / 10
{body}    return values
'''
_LEVEL = {
    "kept": "",
    "window": "    values = values - values.mean(axis=1, keepdims=True)\n",
    "person": """    means = pd.Series(values.mean(axis=1)).groupby(frame["person"].to_numpy()).transform("mean")
    spread = pd.Series(values.std(axis=1)).groupby(frame["person"].to_numpy()).transform("mean")
    values = (values - means.to_numpy()[:, None]) / spread.to_numpy()[:, None]
""",
}
_STATISTICS = '''
def statistics(values):
    """Moments, extremes, crossings of the mean and similarity with shifted copies of each recording."""
    centred = values - values.mean(axis=1, keepdims=True)
    parts = [values.mean(axis=1), values.std(axis=1), values.min(axis=1), values.max(axis=1)]
    parts += [(centred**3).mean(axis=1), np.abs(np.diff(values, axis=1)).mean(axis=1)]
    parts.append((np.diff(np.sign(centred), axis=1) != 0).mean(axis=1))
    parts += [(centred[:, lag:] * centred[:, :-lag]).mean(axis=1) for lag in (2, 4, 6, 8, 10, 12)]
    return np.column_stack(parts)
'''
_SPECTRUM = '''
def spectrum(values):
    """Mean and logarithms of the amplitudes of each recording by frequency."""
    window = np.hanning(values.shape[1])
    centred = values - values.mean(axis=1, keepdims=True)
    amplitudes = np.abs(np.fft.rfft(centred * window, n=64, axis=1))[:, 1:26]
    return np.column_stack([values.mean(axis=1), np.log(amplitudes + 0.3)])
'''
_FEATURES = {
    "samples": ("{0}", ()),
    "statistics": ("statistics({0})", (_STATISTICS,)),
    "spectrum": ("spectrum({0})", (_SPECTRUM,)),
}
_LEVELS = {
    "forest": FamilyLevels(((0.05,), (0.12,), (0.25,)), ((30,), (14,), (8,))),
    "linear": FamilyLevels(((0.25,), (0.6,), (1.0,)), ((0.003,), (0.05,), (2.0,))),
    "kernel": FamilyLevels(((0.4,), (4.0,), (12.0,)), ((1.0,), (20.0,), (100.0,))),
    "neighbours": FamilyLevels(((0.5,), (0.8,), (0.98,)), ((50,), (20,), (6,))),
}
_DAMPED = "predictions = 0.94 * predictions + 0.06 / predictions.shape[1]\n"


def _program(settings: Mapping[str, str]) -> str:
    said = {
        "kept": "",
        "window": ", without the mean of the window",
        "person": ", relative to the person's mean and deviation",
    }[settings["level"]]
    expression, functions = _FEATURES[settings["features"]]
    needed, code = model(settings["model"], PredictedKind.CLASSES, _LEVELS[settings["model"]])
    preparation = "".join(f"X_{x} = {expression.format(f'signals({x})')}\n" for x in ("train", "rows"))
    return assemble(
        title="What a person does, from a sensor on the hip.",
        settings=settings,
        target="activity",
        imports=needed,
        functions=[_SIGNALS.format(said=said, body=_LEVEL[settings["level"]]), *functions],
        preparation=preparation,
        labels='train["activity"].to_numpy()',
        model=code,
        probabilities=True,
        columns="model.classes_",
        after=_DAMPED * (settings["trust"] == "damped"),
    )


SPACE = Space(
    task="strides",
    direction=Direction.MINIMIZE,
    target="activity",
    choices=CHOICES,
    baseline=("kept", "samples", "forest", "middle", "middle", "full"),
    program=_program,
)
