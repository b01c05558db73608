"""What can be asked for by name: the files of `conf/`, the experiments, and the strategies of plug-ins."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from mlesearch.optimizers.base import plugins

CONFIG_MODULE = "mlesearch.conf"
EXPERIMENTS = "experiments"
STRATEGY = "strategy"


def names(group: str) -> list[str]:
    """What a group offers: model, strategy, or experiments.

    These are the shipped files (experiments are those of the package `mlesearch.experiments`) and, for strategies, the
    plug-ins that have no file of their name.
    """
    found = shipped(group)
    return found + sorted(set(plugins()) - set(found)) if group == STRATEGY else found


def shipped(group: str) -> list[str]:
    """The names of the files of a group."""
    root = _folder(group)
    return sorted(p.name.removesuffix(".yaml") for p in root.iterdir() if p.name.endswith(".yaml"))


def describe(group: str, name: str) -> str:
    """What a shipped file says of itself: its first comment, one line; of a plug-in, the package it came with."""
    if group == STRATEGY and name not in shipped(group):
        return f"plug-in of {plugins()[name]}"
    lines = text_of(group, name).splitlines()
    words = [ln[1:].strip() for ln in lines if ln.startswith("#") and "@package" not in ln]
    return words[0] if words else ""


def text_of(group: str, name: str) -> str:
    """A shipped file."""
    return (_folder(group) / f"{name}.yaml").read_text()


def _folder(group: str) -> Traversable:
    return files("mlesearch.experiments") if group == EXPERIMENTS else files(CONFIG_MODULE) / group
