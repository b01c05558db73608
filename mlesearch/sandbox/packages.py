"""The packages that programs can use: which are installed, which prompts name, which are imported ahead."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import re
from collections.abc import Iterable, Mapping

PROMPT_PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "xgboost", "catboost", "torch", "joblib")

PRELOAD = (
    "numpy",
    "numpy.random",
    "pandas",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse",
    "scipy.special",
    "scipy.stats",
    "sklearn.base",
    "sklearn.calibration",
    "sklearn.cluster",
    "sklearn.compose",
    "sklearn.decomposition",
    "sklearn.discriminant_analysis",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.feature_selection",
    "sklearn.impute",
    "sklearn.isotonic",
    "sklearn.kernel_ridge",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.naive_bayes",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "sklearn.tree",
)
"""Imported ahead where a rung is warm."""


@functools.cache
def installed() -> Mapping[str, str]:
    """Versions of all installed packages but mlesearch itself, by normalised name."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name and name != "mlesearch":
            found.setdefault(name, distribution.version)
    return dict(sorted(found.items()))


def prompt_packages() -> dict[str, str]:
    """Versions of the packages that a prompt may name."""
    return {name: installed()[name] for name in PROMPT_PACKAGES if name in installed()}


@functools.cache
def digest() -> str:
    """Changes whenever the interpreter's version or a package that programs build on does.

    Those are the packages that a prompt may name and all that they require. What else lies in the environment (test
    tools, a model client) is not part of it: it would make equal runs different.
    """
    lines = [platform.python_implementation(), platform.python_version(), platform.machine()]
    lines += [f"{name}=={installed()[name]}" for name in sorted(_required_by(prompt_packages()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _required_by(names: Iterable[str]) -> set[str]:
    """Installed packages among these and what they require, extras left out."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in installed():
            continue
        found.add(name)
        for requirement in importlib.metadata.requires(name) or ():
            needed, _, condition = requirement.partition(";")
            if "extra" not in condition:
                waiting.append(re.split(r"[^A-Za-z0-9._-]", needed.strip(), maxsplit=1)[0].lower().replace("_", "-"))
    return found
