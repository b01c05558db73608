"""Pipelines for canvas: find the digit on a noisy picture, describe it, classify it."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.models.simulated.mini.families import PENALTY, WIDTH, FamilyLevels, PredictedKind, model
from mlesearch.models.simulated.programs import assemble
from mlesearch.models.simulated.spaces import Choice, Option, Space
from mlesearch.types import Component, Direction

CHOICES = (
    Choice(
        "cleaning",
        Component.DATA,
        "Faint background noise may drown the strokes.",
        (
            Option("none", "the classifier can learn by itself to look past faint pixels"),
            Option("threshold", "faint pixels are background noise, and removing them leaves the strokes"),
        ),
    ),
    Choice(
        "placement",
        Component.DATA,
        "The same digit looks different to the classifier wherever it stands on the canvas.",
        (
            Option("as_is", "the position on the canvas may carry information"),
            Option("centred", "a window around the centre of mass removes the random position"),
            Option("recentred", "a second look around the first centre keeps far specks from pulling the window away"),
            Option("resized", "recentring and bringing all digits to one size takes away position and scale together"),
        ),
    ),
    Choice(
        "features",
        Component.FEATURES,
        "Single grey values say little about the shape of a stroke.",
        (
            Option("pixels", "grey values keep everything there is to know"),
            Option("gradients", "histograms of edge directions describe strokes and tolerate small shifts"),
        ),
    ),
    Choice(
        "model",
        Component.MODEL,
        "The classifier may not fit the shape of the classes.",
        (
            Option("forest", "a random forest works without tuning"),
            Option("linear", "a linear classifier is hard to overfit"),
            Option("neighbours", "similar pictures show the same digit"),
            Option("kernel", "a smooth kernel compares whole pictures"),
        ),
    ),
    WIDTH,
    PENALTY,
)

_PICTURES = '''
def pictures(frame):
    """Rows of a table as pictures, shape (n, 16, 16)."""
    return frame.filter(regex=r"^p\\d{3}$").to_numpy(dtype=float).reshape(-1, 16, 16)
'''

_CLEAN = '''
def clean(images):
    """Set faint pixels to zero."""
    return np.where(images > 2, images, 0.0)
'''

_PLACE = '''
def centre_of_mass(ink):
    """Row and column of the middle of the ink, shape (n, 1, 1) each."""
    y, x = np.mgrid[0:16, 0:16]
    total = ink.sum(axis=(1, 2), keepdims=True)
    return (ink * y).sum(axis=(1, 2), keepdims=True) / total, (ink * x).sum(axis=(1, 2), keepdims=True) / total


def place(images):
    """{title}."""
    y, x = np.mgrid[0:16, 0:16]
    ink = images**2 + 1e-9
    centre_y, centre_x = centre_of_mass(ink)
{refine}    rows, columns = np.mgrid[0:10, 0:10] - 4.5
    source_y, source_x = centre_y + {scale}rows, centre_x + {scale}columns
    which = np.broadcast_to(np.arange(len(images))[:, None, None], source_y.shape)
    return map_coordinates(images, [which, source_y, source_x], order=1, mode="constant")
'''

_REFINE = """    for _ in range(2):
        near = np.exp(-((y - centre_y) ** 2 + (x - centre_x) ** 2) / (2 * 3.5**2))
        ink = ink * near
        centre_y, centre_x = centre_of_mass(ink)
"""

_SIZE = """    spread = (ink * ((y - centre_y) ** 2 + (x - centre_x) ** 2)).sum(axis=(1, 2)) / ink.sum(axis=(1, 2))
    size = np.clip(np.sqrt(spread) / 3.0, 0.6, 1.5)[:, None, None]
"""

_PLACES = {
    "centred": ("A window of 10x10 pixels around the centre of mass", "", ""),
    "recentred": ("A window of 10x10 pixels around the centre of mass, found in three looks", _REFINE, ""),
    "resized": (
        "A window around the centre of mass, found in three looks, with the digit brought to one size",
        _REFINE + _SIZE,
        "size * ",
    ),
}

_GRADIENTS = '''
def gradients(images):
    """Histograms of edge directions: 8 directions in overlapping cells of 4x4 pixels."""
    images = gaussian_filter(images, (0, 0.5, 0.5))
    down, right = np.gradient(images, axis=(1, 2))
    strength = np.hypot(down, right)
    direction = np.floor((np.arctan2(down, right) + np.pi) / (2 * np.pi) * 8).astype(int) % 8
    half = images.shape[1] // 2
    parts = []
    for k in range(8):
        blocks = np.where(direction == k, strength, 0.0).reshape(-1, half, 2, half, 2).sum(axis=(2, 4))
        cells = blocks[:, :-1, :-1] + blocks[:, 1:, :-1] + blocks[:, :-1, 1:] + blocks[:, 1:, 1:]
        parts.append(cells.reshape(len(images), -1))
    described = np.sqrt(np.concatenate(parts, axis=1))
    return described / (np.linalg.norm(described, axis=1, keepdims=True) + 1e-9)
'''

_LEVELS = {
    "forest": FamilyLevels(((0.03,), (0.08,), (0.2,)), ((20,), (8,), (2,))),
    "linear": FamilyLevels(((0.3,), (0.6,), (1.0,)), ((0.001,), (0.02,), (0.5,))),
    "neighbours": FamilyLevels(((0.45,), (0.6,), (0.78,)), ((80,), (30,), (10,))),
    "kernel": FamilyLevels(((0.6,), (2.5,), (8.0,)), ((20.0,), (400.0,), (5000.0,))),
}


def _program(settings: Mapping[str, str]) -> str:
    imports, functions = [], [_PICTURES]
    steps = "pictures({0})"
    if settings["cleaning"] == "threshold":
        functions.append(_CLEAN)
        steps = f"clean({steps})"
    if settings["placement"] != "as_is":
        title, refine, scale = _PLACES[settings["placement"]]
        imports.append("from scipy.ndimage import map_coordinates")
        functions.append(_PLACE.format(title=title, refine=refine, scale=scale))
        steps = f"place({steps})"
    if settings["features"] == "gradients":
        imports.append("from scipy.ndimage import gaussian_filter")
        functions.append(_GRADIENTS)
        steps = f"gradients({steps})"
    else:
        steps = f"{steps}.reshape(len({{0}}), -1)"
    preparation = f"X_train = {steps.format('train')}\nX_rows = {steps.format('rows')}\n"
    needed, code = model(settings["model"], PredictedKind.CLASSES, _LEVELS[settings["model"]], early=True)
    return assemble(
        title="Which digit stands on the canvas.",
        settings=settings,
        target="digit",
        imports=[*imports, *needed],
        functions=functions,
        preparation=preparation,
        labels='train["digit"].to_numpy()',
        model=code,
    )


SPACE = Space(
    task="canvas",
    direction=Direction.MAXIMIZE,
    target="digit",
    choices=CHOICES,
    baseline=("none", "as_is", "pixels", "forest", "middle", "middle"),
    program=_program,
)
