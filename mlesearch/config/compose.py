"""From overrides to settings: the only room, with the command line, that knows Hydra and OmegaConf.

Every job of a sweep is composed and checked before the first one starts, by the same parser that will launch it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from mlesearch.config.plugins import GROUPS, node
from mlesearch.config.settings import ROLES, ModelSettings, Settings
from mlesearch.types import ConfigError

CONFIG_MODULE = "mlesearch.conf"
_EXPERIMENTS = "experiments"
_LISTS = {"tasks": "tasks=[canvas,rentals]", "seeds": "seeds=[0,1,2]", "claim.tiers": "claim.tiers=[low,high]"}


def names(group: str) -> list[str]:
    """What a group offers: model, strategy, sandbox, or experiments.

    These are the shipped files (experiments are those of the package `mlesearch.experiments`) and plug-ins that have
    no file of their name.
    """
    return _shipped(group) + sorted(_plugins(group))


def _plugins(group: str) -> dict[str, str]:
    """Plug-ins of a group that have no file, each with its package."""
    found = GROUPS[group].plugins() if group in GROUPS else {}
    return {name: package for name, package in found.items() if name not in _shipped(group)}


def _shipped(group: str) -> list[str]:
    root = files("mlesearch.experiments") if group == _EXPERIMENTS else files(CONFIG_MODULE) / group
    return sorted(p.name.removesuffix(".yaml") for p in root.iterdir() if p.name.endswith(".yaml"))


def describe(group: str, name: str) -> str:
    """What a shipped file says of itself: its first comment, one line; of a plug-in, the package it came with."""
    if name not in _shipped(group):
        return f"plug-in of {_plugins(group)[name]}"
    root = files("mlesearch.experiments") if group == _EXPERIMENTS else files(CONFIG_MODULE) / group
    lines = (root / f"{name}.yaml").read_text().splitlines()
    words = [ln[1:].strip() for ln in lines if ln.startswith("#") and "@package" not in ln]
    return words[0] if words else ""


def expand(arguments: Sequence[str]) -> list[str]:
    """Turn a leading experiment's name into Hydra's override.

    Raises:
        ConfigError: a word that is neither an override nor an experiment, an unknown experiment.
    """
    overrides = []
    for word in arguments:
        if re.match(r"^[+~]?[\w@./-]+=|^\+\+|^~|^--?\w", word):
            name = word.partition("=")[2] if re.match(rf"^\+?{_EXPERIMENTS}=", word) else None
            if name is not None and not word.startswith("+"):
                word = f"+{word}"
            elif re.match(r"^((model|strategy|sandbox|embedder)\.params\.|model\.roles[.=])", word):
                word = f"++{word}"  # free-form for Hydra; the model, strategy, ... checks its own parameters
            overrides.append(word)
        else:
            name = word
            overrides.append(f"+{_EXPERIMENTS}={word}")
        if name is not None and name not in names(_EXPERIMENTS):
            raise ConfigError(f"experiments: {_unknown('experiment', name, names(_EXPERIMENTS))}")
    return overrides


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a sweep: its overrides and its settings."""

    overrides: tuple[str, ...]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Launch:
    """What is handed to Hydra, and the cells that it will run.

    Attributes:
        overrides: for Hydra; sweep parameters that the user replaced are taken out of the experiment's own.
        sweep: whether it is a multirun.
    """

    overrides: tuple[str, ...]
    sweep: bool
    jobs: tuple[Cell, ...]


def register() -> None:
    """Tell Hydra about our schema, the experiments, and what plug-ins bring; safe to call again.

    Experiments are stored by name rather than found on a search path: a search path would have to be the folder that
    holds them, and whatever else lies there would become a configuration group.
    """
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    store = ConfigStore.instance()
    store.store(name="schema", node=Settings)
    for name in names(_EXPERIMENTS):
        text = (files("mlesearch.experiments") / f"{name}.yaml").read_text()
        store.store(group=_EXPERIMENTS, name=name, node=OmegaConf.create(text), package="_global_")
    for group in GROUPS:
        for name in _plugins(group):
            store.store(group=group, name=name, node=node(group, name))


def jobs(overrides: Sequence[str], multirun: bool) -> Launch:
    """All cells that a launch would run, composed and typed.

    Raises:
        ConfigError: an unknown name, a typo in a key, a value of the wrong type, a sweep of no jobs.
    """
    with _hydra() as load, _one_line(overrides):
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.types import RunMode

        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        parsed = [_parse(parser, o) for o in overrides]
        whole = load(overrides, RunMode.MULTIRUN)
        if not (multirun or whole.hydra.mode is RunMode.MULTIRUN):
            swept = [o.input_line for o in parsed if o.is_sweep_override()]
            if swept:
                raise ConfigError(f"{swept[0]}: several values make a sweep; say so with -m before the overrides")
            return Launch(tuple(overrides), False, (Cell(tuple(overrides), to_settings(load(overrides, RunMode.RUN))),))
        params = dict(whole.hydra.sweeper.params or {})
        replaced = [k for k in params if k in {o.key_or_group for o in parsed}]
        words = [f"{k}={v}" for k, v in params.items() if k not in replaced] + list(overrides)
        batches = BasicSweeper.split_arguments([_parse(parser, w) for w in words], None)
        cells = [tuple(job) for batch in batches for job in batch]
        if not cells:
            raise ConfigError(f"this sweep has 0 jobs: check its ranges and globs ({', '.join(words)})")
        launched = (*overrides, *(f"~hydra.sweeper.params.{k}" for k in replaced))
        return Launch(launched, True, tuple(Cell(c, to_settings(load(c, RunMode.RUN))) for c in cells))


def _parse(parser: Any, override: str) -> Any:
    from hydra.errors import HydraException

    try:
        return parser.parse_overrides([override])[0]
    except HydraException as e:
        raise ConfigError(f"{override}: not an override of the form key=value ({str(e).splitlines()[0]})") from None


def to_settings(cfg: Any) -> Settings:
    """A composed configuration as typed settings."""
    from omegaconf import OmegaConf, open_dict

    with open_dict(cfg):
        cfg.pop("hydra", None)
    _check_keys(cfg, set(_keys(Settings, "")), "")
    settings = OmegaConf.to_object(cfg)
    if not isinstance(settings, Settings):
        raise ConfigError(
            "the configuration does not follow mlesearch's schema; start it with `defaults: [schema@_here_]`"
        )
    settings.model.roles = {role: _role(role, given) for role, given in settings.model.roles.items()}
    return settings


def _role(role: str, given: Any) -> dict[str, Any]:
    """A role's model as plain data: its file, and what is given beside its name on top.

    Raises:
        ConfigError: unknown role or model, or a key or value that a model does not have.
    """
    from omegaconf.errors import OmegaConfBaseException

    at = f"model.roles.{role}"
    if role not in ROLES:
        raise ConfigError(f"{at}: there is no such role; there are: {', '.join(ROLES)}")
    wanted = {"name": given} if isinstance(given, str) else given
    if not isinstance(wanted, dict) or not isinstance(wanted.get("name"), str):
        raise ConfigError(f"{at}: the name of a model is needed, or a mapping with a name; this is {given!r}")
    if wanted["name"] not in names("model"):
        raise ConfigError(f"{at}: {_unknown('model', wanted['name'], names('model'))}")
    allowed = ("name", "params", "sampling")
    for key in wanted:
        if key not in allowed:
            raise ConfigError(f"{at}.{key}: there is no such key; here are allowed: {', '.join(allowed)}")
    try:
        return asdict(_model(wanted["name"], wanted))
    except OmegaConfBaseException as e:
        raise ConfigError(f"{at}: {str(e).splitlines()[0]}") from None


def _model(name: str, changes: Mapping[str, Any]) -> ModelSettings:
    """The settings of a model's file, or of a plug-in's kind, with changes on top."""
    from omegaconf import OmegaConf

    shipped = name in _shipped("model")
    own = (files(CONFIG_MODULE) / "model" / f"{name}.yaml").read_text() if shipped else node("model", name)
    merged = OmegaConf.merge(OmegaConf.structured(ModelSettings), OmegaConf.create(own), dict(changes))
    found = OmegaConf.to_object(merged)
    if not isinstance(found, ModelSettings):
        raise ConfigError(f"model: {name}.yaml does not follow mlesearch's schema")
    return found


def models() -> list[ModelSettings]:
    """The settings of every model that has a name."""
    return [_model(name, {}) for name in names("model")]


def _check_keys(cfg: Any, known: set[str], prefix: str) -> None:
    """Refuse keys that were added past the schema (`+key=...`); parameters are checked by what takes them."""
    from omegaconf import DictConfig

    for key in cfg:
        at = f"{prefix}{key}"
        if at not in known:
            raise ConfigError(_unknown_key(at))
        node = cfg._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none() and not at.endswith(("params", "roles")):
            _check_keys(node, known, f"{at}.")


@contextmanager
def _hydra() -> Iterator[Callable[[Sequence[str], Any], Any]]:
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    register()
    with initialize_config_module(CONFIG_MODULE, version_base="1.3", job_name="mlesearch"):
        loader = GlobalHydra.instance().config_loader()

        def load(overrides: Sequence[str], mode: Any) -> Any:
            return loader.load_configuration("config", list(overrides), mode, validate_sweep_overrides=False)

        yield load


@contextmanager
def _one_line(overrides: Sequence[str]) -> Iterator[None]:
    """Hydra's and OmegaConf's errors as one line that names what, where and what is allowed."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except ConfigError:
        raise
    except (HydraException, OmegaConfBaseException, ValueError) as e:
        raise ConfigError(explain(e, overrides)) from None


def explain(error: Exception, overrides: Sequence[str]) -> str:
    """One line for an error of Hydra or OmegaConf."""
    text = str(error)
    cause: BaseException | None = error
    while cause is not None:
        text = text if str(cause) in text else f"{text}\n{cause}"
        cause = cause.__cause__
    if "Config group override must be" in text:
        group = next(
            (o.partition("=")[0] for o in overrides if o.partition("=")[0] in ("model", "strategy", "sandbox")), "model"
        )
        return f"{group}: one name is needed; there are: {', '.join(names(group))}"
    missing = re.search(r"Could not find '(model|strategy|sandbox|experiments)/([^']+)'", text)
    if missing:
        group, name = missing.groups()
        return f"{group}: {_unknown(group.removesuffix('s'), name, names(group))}"
    key = re.search(r"Could not (?:override|append to config)[^']*'([^']+)'", text) or re.search(
        r"Key '([^']+)' (?:is )?not in", text
    )
    if key and ("not in" in text or "No match" in text):
        return _unknown_key(key[1])
    merged = re.search(r"Error merging override (\S+?)=(.*)", text)
    if merged and merged[1] in _LISTS:
        what = "a list of whole numbers" if merged[1] == "seeds" else "a list"
        return f"{merged[1]}: {what} is expected, as in {_LISTS[merged[1]]}; this is {merged[2]}"
    value = re.search(r"(Value '.*?' (?:of type '\w+' )?(?:could not be converted|is not).*)", text)
    full_key = re.search(r"full_key: (\S+)", text)
    if value:
        where = full_key[1] if full_key else _override_of(value[1], overrides)
        return f"{where}: {value[1].strip()}"
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return f"{full_key[1]}: {first}" if full_key else first


def _override_of(message: str, overrides: Sequence[str]) -> str:
    """The key of the override that holds the value that a message quotes."""
    quoted = re.search(r"Value '(.*?)'", message)
    for o in overrides:
        key, _, value = o.partition("=")
        if quoted and value.strip("\"'") == quoted[1]:
            return key
    return "configuration"


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"no {what} is called {name!r}{hint}; there are: {', '.join(known) or 'none'}"


def _unknown_key(key: str) -> str:
    known = list(_keys(Settings, ""))
    close = difflib.get_close_matches(key, known, 1)
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent] or [k for k in known if "." not in k]
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{key}: there is no such key{hint}; here are allowed: {', '.join(siblings)}"


def _keys(schema: type, prefix: str) -> Iterator[str]:
    """Dotted names of all keys of a schema."""
    import dataclasses
    import typing

    hints = typing.get_type_hints(schema)
    for f in dataclasses.fields(schema):
        yield prefix + f.name
        inner = [t for t in (hints[f.name], *typing.get_args(hints[f.name])) if dataclasses.is_dataclass(t)]
        if inner and isinstance(inner[0], type):
            yield from _keys(inner[0], f"{prefix}{f.name}.")
