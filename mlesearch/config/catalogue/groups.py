"""What can be asked for by name: the files of `conf/`, the experiments, a user's own files, and what plug-ins bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mlesearch.models.registry import MODEL_KINDS
from mlesearch.optimizers.base import STRATEGIES
from mlesearch.sandbox.ladder import SANDBOXES
from mlesearch.tasks import own
from mlesearch.types import ConfigError, Registry

CONFIG_MODULE = "mlesearch.conf"
EXPERIMENTS = "experiments"
GROUPS = ("model", "strategy", "sandbox")
"""Of which a cell has one each, chosen by name."""

_REGISTRIES: Mapping[str, Registry] = {"strategy": STRATEGIES, "model": MODEL_KINDS, "sandbox": SANDBOXES}
"""Groups in which a plug-in that has no file can be named as if it had one."""


def names(group: str) -> list[str]:
    """What a group offers: model, strategy, sandbox, or experiments.

    These are the shipped files (experiments are those of the package `mlesearch.experiments`), a user's own files
    (`mlesearch.tasks.own`), and the plug-ins that have no file of their name.

    Raises:
        ConfigError: a folder of own files is none.
    """
    found = [*shipped(group), *sorted(set(_own(group)) - set(shipped(group)))]
    return found + sorted(name for name in _plugins(group) if name not in found)


def origin(group: str, name: str) -> str:
    """Where a name comes from: empty for a shipped file, the path of an own one, the package of a plug-in."""
    mine = _own(group).get(name)
    if name in shipped(group):
        return ""
    return f"plug-in of {_plugins(group)[name]}" if mine is None else str(mine[0])


def describe(group: str, name: str) -> str:
    """What a file says of itself: its first comment, one line; of a plug-in, the package it came with.

    Raises:
        ConfigError: several files have this name.
    """
    text = contents(group, name)
    if not isinstance(text, str):
        return origin(group, name)
    words = [ln[1:].strip() for ln in text.splitlines() if ln.startswith("#") and "@package" not in ln]
    return words[0] if words else ""


def contents(group: str, name: str) -> str | dict[str, str]:
    """What a name of a group stands for: the text of its file, or what says the same of a plug-in.

    Raises:
        ConfigError: several files have this name and differ, or it is an own file that can't be read.
    """
    mine = _own(group).get(name, [])
    if name not in shipped(group) and not mine:
        return _plugin_node(group, name)
    texts = {str(path): _read(path) for path in mine}
    if name in shipped(group):
        texts = {str(_folder(group) / f"{name}.yaml"): text_of(group, name), **texts}
    places = list({text: place for place, text in reversed(texts.items())}.values())[::-1]
    if len(places) > 1:
        raise ConfigError(
            f"{group}: two files are called {name!r} and differ: {places[0]} and {places[1]}; give your own one "
            f"another name"
        )
    return next(iter(texts.values()))


def own_nodes() -> Iterator[tuple[str, str, str]]:
    """Group, name and text of every own file that is not shipped too; those that can't be read are left out."""
    for group in (*GROUPS, EXPERIMENTS):
        for name, paths in _own(group).items():
            if name not in shipped(group) and len({_text_or_none(path) for path in paths}) == 1:
                text = _text_or_none(paths[0])
                if text is not None:
                    yield group, name, text


def plugin_nodes() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Group, name and contents of every plug-in that has no file of its name."""
    for group in _REGISTRIES:
        for name in sorted(_plugins(group)):
            yield group, name, _plugin_node(group, name)


def where_own(group: str) -> str:
    """Where an own file of a group may lie, for a message."""
    return own.where("/".join((*_inner(group), "NAME.yaml")))


def _plugin_node(group: str, name: str) -> dict[str, str]:
    return {"kind": name} if group == "sandbox" else {"name": name, "kind": name}


def main_text() -> str:
    """The file that says what is chosen where nothing else is."""
    return (files(CONFIG_MODULE) / "config.yaml").read_text(encoding="utf-8")


def text_of(group: str, name: str) -> str:
    """A shipped file."""
    return (_folder(group) / f"{name}.yaml").read_text(encoding="utf-8")


def shipped(group: str) -> list[str]:
    """The names of the files of a group that come with the package."""
    root = _folder(group)
    return sorted(p.name.removesuffix(".yaml") for p in root.iterdir() if p.name.endswith(".yaml"))


def _own(group: str) -> dict[str, list[Path]]:
    """A user's own files of a group, by name, in the order in which their folders are looked through."""
    found: dict[str, list[Path]] = {}
    for folder in own.folders():
        root = folder.joinpath(*_inner(group))
        for path in sorted(root.glob("*.yaml")) if root.is_dir() else ():
            found.setdefault(path.stem, []).append(path)
    return found


def _inner(group: str) -> tuple[str, ...]:
    return (EXPERIMENTS,) if group == EXPERIMENTS else ("conf", group)


def _read(path: Path) -> str:
    """An own file.

    Raises:
        ConfigError: it can't be read as text, or as YAML with keys and values.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: keys and values are expected, as in `name: {path.stem}`")
    return text


def _text_or_none(path: Path) -> str | None:
    try:
        return _read(path)
    except ConfigError:
        return None


def _plugins(group: str) -> dict[str, str]:
    """The plug-ins of a group that have no file of their name, each with its package."""
    found = _REGISTRIES[group].plugins() if group in _REGISTRIES else {}
    return {name: package for name, package in found.items() if name not in shipped(group)}


def _folder(group: str) -> Traversable:
    return files("mlesearch.experiments") if group == EXPERIMENTS else files(CONFIG_MODULE) / group
