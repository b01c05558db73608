"""What can be asked for by name: the files of `conf/`, the experiments, and what plug-ins bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from mlesearch.models.registry import MODEL_KINDS
from mlesearch.optimizers.base import STRATEGIES
from mlesearch.sandbox.ladder import SANDBOXES
from mlesearch.types import Registry

CONFIG_MODULE = "mlesearch.conf"
EXPERIMENTS = "experiments"

_REGISTRIES: Mapping[str, Registry] = {"strategy": STRATEGIES, "model": MODEL_KINDS, "sandbox": SANDBOXES}
"""Groups in which a plug-in that has no file can be named as if it had one."""


def names(group: str) -> list[str]:
    """What a group offers: model, strategy, sandbox, or experiments.

    These are the shipped files (experiments are those of the package `mlesearch.experiments`) and the plug-ins that
    have no file of their name.
    """
    return _shipped(group) + sorted(_plugins(group))


def describe(group: str, name: str) -> str:
    """What a shipped file says of itself: its first comment, one line; of a plug-in, the package it came with."""
    if name not in _shipped(group):
        return f"plug-in of {_plugins(group)[name]}"
    lines = text_of(group, name).splitlines()
    words = [ln[1:].strip() for ln in lines if ln.startswith("#") and "@package" not in ln]
    return words[0] if words else ""


def contents(group: str, name: str) -> str | dict[str, str]:
    """What a name of a group stands for: the text of its file, or what says the same of a plug-in."""
    return text_of(group, name) if name in _shipped(group) else _plugin_node(group, name)


def plugin_nodes() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Group, name and contents of every plug-in that has no file of its name."""
    for group in _REGISTRIES:
        for name in sorted(_plugins(group)):
            yield group, name, _plugin_node(group, name)


def _plugin_node(group: str, name: str) -> dict[str, str]:
    return {"kind": name} if group == "sandbox" else {"name": name, "kind": name}


def main_text() -> str:
    """The file that says what is chosen where nothing else is."""
    return (files(CONFIG_MODULE) / "config.yaml").read_text(encoding="utf-8")


def text_of(group: str, name: str) -> str:
    """A shipped file."""
    return (_folder(group) / f"{name}.yaml").read_text(encoding="utf-8")


def _shipped(group: str) -> list[str]:
    """The names of the files of a group."""
    root = _folder(group)
    return sorted(p.name.removesuffix(".yaml") for p in root.iterdir() if p.name.endswith(".yaml"))


def _plugins(group: str) -> dict[str, str]:
    """The plug-ins of a group that have no file of their name, each with its package."""
    found = _REGISTRIES[group].plugins() if group in _REGISTRIES else {}
    return {name: package for name, package in found.items() if name not in _shipped(group)}


def _folder(group: str) -> Traversable:
    return files("mlesearch.experiments") if group == EXPERIMENTS else files(CONFIG_MODULE) / group
