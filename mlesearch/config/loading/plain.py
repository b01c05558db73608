"""From plain data to settings, without Hydra: the files, the schema and the errors are those of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from mlesearch.config.catalogue.groups import contents, main_text, names
from mlesearch.config.loading.compose import to_settings
from mlesearch.config.overrides.explain import explain, known_keys, unknown_key, unknown_name
from mlesearch.config.settings import (
    BudgetSettings,
    EmbedderSettings,
    LauncherSettings,
    LimitsSettings,
    MlebenchSettings,
    ModelSettings,
    NotifySettings,
    RunSettings,
    SandboxSettings,
    Settings,
    StrategySettings,
    StudySettings,
)
from mlesearch.config.settings.claim import ClaimSettings
from mlesearch.types import ConfigError

ModelChoice: TypeAlias = str | Mapping[str, object] | ModelSettings
StrategyChoice: TypeAlias = str | Mapping[str, object] | StrategySettings

_SWEPT = ("model", "strategy", "variant")
_LISTS = ("tasks", "seeds", "claim.tiers", "claim.order", "claim.sequential.looks", "sandbox.require")


class Given(TypedDict, total=False):
    """What may be set, by keyword; what is not set is as on the command line.

    `model`, `strategy` and `sandbox` are the name of a file of their group (or of a plug-in); or a mapping of what
    differs from that file, which it names by `name` or by `file`, unless it says a `kind` and so is one of its own; or
    settings. A list of models, strategies or variants is swept over. `study` may be its name alone. `claim`, `budget`,
    `run`, `embedder`, `limits`, `mlebench`, `launcher` and `notify` are mappings of what differs from the default, or
    settings.
    """

    study: str | Mapping[str, object] | StudySettings
    claim: Mapping[str, object] | ClaimSettings
    model: ModelChoice | Sequence[ModelChoice]
    strategy: StrategyChoice | Sequence[StrategyChoice]
    variant: str | Sequence[str]
    tasks: Sequence[str | Path]
    seeds: Sequence[int]
    budget: Mapping[str, object] | BudgetSettings
    run: Mapping[str, object] | RunSettings
    sandbox: str | Mapping[str, object] | SandboxSettings
    embedder: Mapping[str, object] | EmbedderSettings
    limits: Mapping[str, object] | LimitsSettings
    mlebench: Mapping[str, object] | MlebenchSettings
    launcher: Mapping[str, object] | LauncherSettings
    notify: Mapping[str, object] | NotifySettings
    clock: str
    cassette: str
    cassette_path: str | Path | None
    cassette_form: str | None


def cells(given: Given) -> list[Settings]:
    """The cells of a sweep over all that is given as a list; where nothing is, one.

    Raises:
        ConfigError: an unknown name, a typo in a key, a value of the wrong type; in one line.
    """
    plain: dict[str, Any] = dict(given)
    swept = {name: plain[name] for name in _SWEPT if isinstance(plain.get(name), list | tuple)}
    for name, values in swept.items():
        if not values:
            raise ConfigError(f"{name}: the list is empty; at least one is needed")
    return [_cell({**plain, **dict(zip(swept, values, strict=True))}) for values in product(*swept.values())]


def _cell(given: Mapping[str, Any]) -> Settings:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    base: Any = OmegaConf.create(main_text())
    del base["hydra"]
    usual: dict[str, str] = {}
    for entry in base.pop("defaults"):
        usual.update(entry if isinstance(entry, Mapping) else {})
    laid: dict[str, Any] = {name: _plain(value) for name, value in given.items()}
    roles = _composed_roles(given.get("model"))
    if roles:
        del laid["model"]["roles"]
    if isinstance(laid.get("study"), str):
        laid["study"] = {"name": laid["study"]}
    own: dict[str, Any] = {}
    for group, name in usual.items():
        chosen, laid[group] = _chosen(group, laid.get(group, name), name, whole=is_dataclass(given.get(group)))
        content: Any = {} if chosen is None else contents(group, chosen)
        own[group] = OmegaConf.create(content)
    _check_keys(laid, known_keys(), "")
    try:
        settings = to_settings(OmegaConf.merge(OmegaConf.structured(Settings), base, own, OmegaConf.create(laid)))
    except OmegaConfBaseException as e:
        raise ConfigError(explain(e, [f"{key}={value}" for key, value in _flat(laid, "")])) from None
    settings.model.roles.update(roles)
    return settings


def _chosen(group: str, given: Any, usual: str, *, whole: bool) -> tuple[str | None, dict[str, Any]]:
    """Which name of a group is chosen (None: what is given stands for itself), and what differs from it."""
    if isinstance(given, str):
        given = {"file": given}
    if not isinstance(given, dict):
        raise ConfigError(f"{group}: one name is needed; there are: {', '.join(names(group))}")
    name = given.pop("file", None)
    if name is None and not (whole or "kind" in given):
        name = given.get("name", usual)
    if name is not None and name not in names(group):
        raise ConfigError(unknown_name(group, str(name)))
    return name, given


def _composed_roles(model: object) -> dict[str, Any]:
    """The roles of a model's settings that were made by a cell before: whole models, and no names of files."""
    roles = model.roles if isinstance(model, ModelSettings) else {}
    return {role: plain for role, plain in roles.items() if isinstance(plain, dict) and "kind" in plain}


def _plain(value: Any) -> Any:
    """Settings, paths and sequences as what YAML holds."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    return value


def _check_keys(laid: Mapping[str, Any], known: frozenset[str], prefix: str) -> None:
    """Refuse keys that the schema does not have, and what is no group or list; parameters are checked elsewhere."""
    for key, value in laid.items():
        at = f"{prefix}{key}"
        if at not in known:
            raise ConfigError(unknown_key(at))
        if at in _LISTS and not isinstance(value, list):
            raise ConfigError(f"{at}: a list is expected; this is {value!r}")
        if not isinstance(value, dict) and any(name.startswith(f"{at}.") for name in known):
            raise ConfigError(f"{at}: a mapping of what differs, or settings, is expected; this is {value!r}")
        if isinstance(value, dict) and not at.endswith(("params", "roles")):
            _check_keys(value, known, f"{at}.")


def _flat(laid: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Keys with dots, and values, as overrides have them."""
    for key, value in laid.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
