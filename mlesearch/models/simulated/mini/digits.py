"""Pipelines for digits: even out light and stains, describe, enlarge the training set, estimate probabilities."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "stains",
        Component.DATA,
        "Stains, holes and light differ from picture to picture and mean nothing.",
        (
            Option("kept", "the classifier can learn to look past them"),
            Option("softened", "a slight blur and equal total ink bring pictures of one digit together"),
        ),
    ),
    Choice(
        "features",
        Component.FEATURES,
        "Sixty-four grey values overlap in what they say.",
        (
            Option("pixels", "grey values keep everything there is to know"),
            Option("edges", "differences between neighbours show strokes, whatever the light"),
        ),
    ),
    Choice(
        "copies",
        Component.DATA,
        "Five hundred pictures are few, and digits may stand a pixel aside.",
        (
            Option("none", "the pictures as they are, are what is asked for"),
            Option("shifted", "copies shifted by a pixel teach that the place does not matter"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The classifier may not fit the shape of the classes.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a linear classifier gives honest probabilities"),
            Option("kernel", "a smooth kernel compares whole pictures"),
            Option("neighbours", "similar pictures show the same digit"),
        ),
    ),
    WIDTH,
    PENALTY,
    Choice(
        "trust",
        Component.WORKFLOW,
        "Log loss punishes a sure mistake more than anything else.",
        (
            Option("full", "probabilities are taken at their word"),
            Option("damped", "a share of the even odds keeps sure mistakes from costing much"),
        ),
    ),
)

_PICTURES = '''
def pictures(frame):
    """Rows of a table as pictures, shape (n, 8, 8)."""
    return frame[[f"p{i:02d}" for i in range(64)]].to_numpy(dtype=float).reshape(-1, 8, 8)
'''
_SOFTENED = '''
def softened(images):
    """Pictures with a slight blur and equal total ink."""
    images = gaussian_filter(images, (0, 0.6, 0.6))
    return images / np.linalg.norm(images, axis=(1, 2), keepdims=True) * 50
'''
_EDGES = '''
def edges(images):
    """Differences down, right and across, in a frame of zeros."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    down, right = np.diff(padded, axis=1), np.diff(padded, axis=2)
    across = down[:, :, 1:] + right[:, 1:, :]
    return np.hstack([part.reshape(len(images), -1) for part in (down, right, across)])
'''
_COPIES = '''
def shifted(images):
    """The pictures, and copies shifted by one pixel down, up, right and left."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    return np.concatenate([padded[:, 1 + dy : 9 + dy, 1 + dx : 9 + dx] for dy, dx in MOVES])
'''
_LEVELS = {
    "forest": FamilyLevels(((0.04,), (0.12,), (0.3,)), ((12,), (5,), (1,))),
    "linear": FamilyLevels(((0.3,), (0.6,), (1.0,)), ((0.002,), (0.03,), (1.0,))),
    "kernel": FamilyLevels(((1.5,), (5.0,), (15.0,)), ((30.0,), (300.0,), (3000.0,))),
    "neighbours": FamilyLevels(((0.6,), (0.85,), (0.99,)), ((40,), (15,), (5,))),
}
_DAMPED = "predictions = 0.97 * predictions + 0.03 / predictions.shape[1]\n"


def _program(settings: Mapping[str, str]) -> str:
    imports, functions = [], [_PICTURES]
    preparation = "images_train, images_rows = pictures(train), pictures(rows)\ny_train = LABELS\n"
    if settings["stains"] == "softened":
        imports.append("from scipy.ndimage import gaussian_filter")
        functions.append(_SOFTENED)
        preparation += "images_train, images_rows = softened(images_train), softened(images_rows)\n"
    constants = ""
    if settings["copies"] == "shifted":
        constants = "MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))\n"
        functions.append(_COPIES)
        preparation += "images_train, y_train = shifted(images_train), np.tile(y_train, len(MOVES))\n"
    flat = "{0}.reshape(len({0}), -1)"
    if settings["features"] == "edges":
        functions.append(_EDGES)
        flat = "edges({0})"
    preparation += "".join(f"X_{x} = {flat.format(f'images_{x}')}\n" for x in ("train", "rows"))
    needed, code = model(settings["model"], PredictedKind.CLASSES, _LEVELS[settings["model"]])
    return assemble(
        title="How likely each digit is, for small stained pictures.",
        settings=settings,
        target="digit",
        imports=[*imports, *needed],
        constants=constants,
        functions=functions,
        preparation=preparation.replace("LABELS", 'train["digit"].to_numpy()'),
        model=code,
        probabilities=True,
        columns='[f"digit_{k}" for k in range(10)]',
        after=_DAMPED * (settings["trust"] == "damped"),
    )


SPACE = Space(
    task="digits",
    direction=Direction.MINIMIZE,
    target="digit",
    choices=CHOICES,
    baseline=("kept", "pixels", "none", "forest", "middle", "middle", "full"),
    program=_program,
)
