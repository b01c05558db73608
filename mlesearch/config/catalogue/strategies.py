"""The strategies that can be asked for: what each says of itself, and its presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from mlesearch.config.catalogue.groups import contents, describe, names, origin
from mlesearch.optimizers.base import STRATEGIES
from mlesearch.optimizers.describe import Description, Parameter, described, parameters, written
from mlesearch.types import ConfigError, did_you_mean


@dataclass(frozen=True, slots=True)
class Preset:
    """A file of conf/strategy/.

    Attributes:
        name: what `strategy=` takes.
        kind: the strategy that it sets parameters of.
        line: its first comment.
        params: that it sets, as a user would write them.
    """

    name: str
    kind: str
    line: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ListedStrategy:
    """A strategy, or one variant of it, with what it says of itself; that is empty where it says nothing.

    Attributes:
        kind: its name in the registry.
        package: the plug-in that brings it; None where it is built in.
        idea: one line.
        source: where it was published.
        given: the parameters that choose this variant.
        parameters: all that it has, in the order of its settings.
        presets: those of this variant, in the order of their names.
        family: the kind of search that it is.
    """

    kind: str
    package: str | None
    idea: str = ""
    source: str = ""
    given: Mapping[str, object] | None = None
    parameters: tuple[Parameter, ...] = ()
    presets: tuple[Preset, ...] = ()
    family: str = ""


def strategies() -> list[ListedStrategy]:
    """Every strategy in the order of the registry, one entry a variant; plug-ins last, which are not imported."""
    shipped = presets()
    built_in = [found for kind in STRATEGIES.builtin for found in _variants(kind, None, shipped)]
    brought = STRATEGIES.plugins()
    return built_in + [ListedStrategy(kind, brought[kind]) for kind in sorted(brought)]


def presets() -> list[Preset]:
    """The shipped files and own ones, in the order of their names."""
    found = []
    for name in names("strategy"):
        text = contents("strategy", name)
        if not isinstance(text, str):  # a plug-in that has no file
            continue
        content: dict[str, Any] = yaml.safe_load(text)
        if "kind" not in content:
            raise ConfigError(f"{origin('strategy', name) or name}: its kind is missing; say which strategy it sets up")
        params = {key: written(value) for key, value in (content.get("params") or {}).items()}
        found.append(Preset(name, content["kind"], describe("strategy", name), params))
    return found


def strategy(name: str) -> tuple[ListedStrategy, Preset | None]:
    """The strategy that a name stands for, and the preset of this name; a plug-in is imported.

    Raises:
        ConfigError: no strategy or preset has this name, or it can't be imported.
    """
    shipped = presets()
    preset = next((p for p in shipped if p.name == name), None)
    known = list(dict.fromkeys([*(p.name for p in shipped), *STRATEGIES.names()]))
    if name not in known:
        raise ConfigError(f"no strategy is called {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}")
    kind = name if preset is None else preset.kind
    variants = _variants(kind, STRATEGIES.package(kind), shipped)
    return next((v for v in variants if preset in v.presets), variants[0]), preset


def _variants(kind: str, package: str | None, shipped: Sequence[Preset]) -> list[ListedStrategy]:
    """What the factory of a kind says of itself, each variant with its presets."""
    mine = tuple(p for p in shipped if p.kind == kind)
    descriptions = described(STRATEGIES.load(kind))
    if not descriptions:
        return [ListedStrategy(kind, package, presets=mine)]
    usual = descriptions[0].given
    return [_listed(kind, package, d, tuple(p for p in mine if _is_of(p, d, usual))) for d in descriptions]


def _listed(kind: str, package: str | None, d: Description, own: tuple[Preset, ...]) -> ListedStrategy:
    return ListedStrategy(kind, package, d.idea, d.source, d.given, tuple(parameters(d.settings)), own, d.family)


def _is_of(preset: Preset, variant: Description, usual: Mapping[str, object]) -> bool:
    """Whether a preset sets parameters of this variant; where it names none, it is of the first one."""
    return all(preset.params.get(key, usual.get(key)) == value for key, value in variant.given.items())
