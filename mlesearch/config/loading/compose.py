"""From overrides to settings, and from settings to launches: with `cells`, all that knows Hydra.

Every job of a sweep is composed and checked before the first one starts, by the same parser that will launch it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlesearch.config.catalogue.groups import (
    CONFIG_MODULE,
    EXPERIMENTS,
    contents,
    names,
    own_nodes,
    plugin_nodes,
    shipped,
    text_of,
)
from mlesearch.config.loading.cells import CellComposer
from mlesearch.config.overrides.explain import explain, known_keys, unknown_key, unknown_name
from mlesearch.config.overrides.values import Invocation
from mlesearch.config.overrides.words import read
from mlesearch.config.settings import ROLE_OPS, ModelSettings, Settings
from mlesearch.config.settings.paths import expand_paths
from mlesearch.storage.files import make_folder
from mlesearch.storage.machine import processors
from mlesearch.types import ConfigError


def expand(arguments: Sequence[str], command: str = "mlesearch run", *, multirun: bool | None = None) -> list[str]:
    """Turn the words after a command into Hydra's overrides, a leading experiment's name among them.

    Args:
        arguments: as typed.
        command: with its options, for the command that an error suggests.
        multirun: whether several values make a sweep; None: not looked at, as `jobs` does.

    Raises:
        ConfigError: a word that is neither an override nor an experiment, an unknown name or key, a wrong value.
    """
    return read(Invocation(command, tuple(arguments), multirun))


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
        multirun: whether it is one.
        jobs: the cells.
        here: Hydra's own launcher was chosen, which runs job after job in this process.
        launcher: which one was chosen, by its name.
        side_by_side: how many jobs it has at work on this machine at one time; 0: none, as far as can be told.
        composed: all of it, where that launcher was chosen and nothing else is asked of Hydra; else None.
    """

    overrides: tuple[str, ...]
    multirun: bool
    jobs: tuple[Cell, ...]
    here: bool
    launcher: str = "basic"
    side_by_side: int = 0
    composed: Any = None


def register() -> None:
    """Tell Hydra about our schema, the experiments, and what plug-ins bring; safe to call again.

    Experiments are stored by name rather than found on a search path: a search path would have to be the folder that
    holds them, and whatever else lies there would become a configuration group.
    """
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    store = ConfigStore.instance()
    if "schema.yaml" not in store.repo:  # what is shipped is the same in every composition of a process
        for name in shipped(EXPERIMENTS):
            node = OmegaConf.create(text_of(EXPERIMENTS, name))
            store.store(group=EXPERIMENTS, name=name, node=node, package="_global_")
        store.store(name="schema", node=Settings)
    for group, name, content in plugin_nodes():
        store.store(group=group, name=name, node=content)
    for group, name, text in own_nodes():
        package = "_global_" if group == EXPERIMENTS else None
        store.store(group=group, name=name, node=OmegaConf.create(text), package=package)


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
        from omegaconf import open_dict

        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        parsed = [_parse(parser, o) for o in overrides]
        alone = None if multirun else _alone(load, overrides)
        whole = load(overrides, RunMode.MULTIRUN) if alone is None else alone
        if not (multirun or whole.hydra.mode is RunMode.MULTIRUN):
            swept = [o.input_line for o in parsed if o.is_sweep_override()]
            if swept:
                raise ConfigError(f"{swept[0]}: several values make a sweep; say so with -m before the overrides")
            one = load(overrides, RunMode.RUN) if alone is None else deepcopy(alone)
            cell = Cell(tuple(overrides), to_settings(one))
            return _launch(overrides, [cell], whole, multirun=False)
        params = dict(whole.hydra.sweeper.params or {})
        replaced = [k for k in params if k in {o.key_or_group for o in parsed}]
        words = [f"{k}={v}" for k, v in params.items() if k not in replaced] + list(overrides)
        batches = BasicSweeper.split_arguments([_parse(parser, w) for w in words], None)
        cells = [tuple(job) for batch in batches for job in batch]
        if not cells:
            raise ConfigError(f"this sweep has 0 jobs: check its ranges and globs ({', '.join(words)})")
        taken_out = [f"~hydra.sweeper.params.{k}" for k in replaced]
        with open_dict(whole):  # so that it is as if Hydra had composed it by what it is handed
            for k in replaced:
                del whole.hydra.sweeper.params[k]
            whole.hydra.overrides.hydra.extend(taken_out)
            if whole.hydra.mode is None:
                whole.hydra.mode = RunMode.MULTIRUN
                whole.hydra.overrides.hydra.append("hydra.mode=MULTIRUN")
        return _launch((*overrides, *taken_out), list(_composed(cells, load)), whole, multirun=True)


def _alone(load: Callable[[Sequence[str], Any], Any], overrides: Sequence[str]) -> Any:
    """The configuration of one job, which is that of a sweep, too; None where it is not: a choice is left to be made.

    So one composition, of some 70 ms, tells whether there is a sweep and, where there is none, what its one cell is.
    """
    from hydra.errors import HydraException
    from hydra.types import RunMode

    try:
        return load(overrides, RunMode.RUN)
    except HydraException:
        return None


def _composed(cells: Iterable[tuple[str, ...]], load: Callable[[Sequence[str], Any], Any]) -> Iterator[Cell]:
    """Each cell, composed and typed.

    Args:
        cells: the overrides of each.
        load: composes overrides.
    """
    from hydra.types import RunMode
    from omegaconf import open_dict

    def without_hydra(overrides: Sequence[str]) -> Any:
        config = load(overrides, RunMode.RUN)
        with open_dict(config):
            config.pop("hydra")
        return config

    composer = CellComposer(without_hydra)
    for cell in cells:
        yield Cell(cell, to_settings(composer.compose(cell)))


def _launch(overrides: Sequence[str], cells: Sequence[Cell], whole: Any, *, multirun: bool) -> Launch:
    hydra, choices = whole.hydra, whole.hydra.runtime.choices
    launcher = str(choices["hydra/launcher"])
    here = launcher == "basic"
    asked = [o for cell in cells for o in cell.overrides if re.match(r"[+~]*hydra\b", o)]
    more = (hydra.output_subdir, hydra.callbacks, hydra.job.chdir, hydra.job.env_set)
    plain = here and choices["hydra/sweeper"] == "basic" and not asked and not any(more)
    at_once = {"joblib": lambda: _of_joblib(hydra.launcher), "submitit_local": lambda: len(cells)}
    side_by_side = min(len(cells), at_once.get(launcher, lambda: 0)())
    composed = whole if plain else None
    return Launch(tuple(overrides), multirun, tuple(cells), here, launcher, side_by_side, composed)


def _of_joblib(launcher: Any) -> int:
    """Jobs that hydra-joblib-launcher has at work at one time, by its settings."""
    n_jobs = launcher.get("n_jobs")
    return processors() if n_jobs is None or int(n_jobs) < 1 else int(n_jobs)


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
    _check_keys(cfg, known_keys(), "")
    settings = OmegaConf.to_object(cfg)
    if not isinstance(settings, Settings):
        raise ConfigError(
            "the configuration does not follow mlesearch's schema; start it with `defaults: [schema@_here_]`"
        )
    settings.model.roles = {role: _role(role, given) for role, given in settings.model.roles.items()}
    expand_paths(settings)
    return settings


def _role(role: str, given: Any) -> dict[str, Any]:
    """A role's model as plain data: its file, and what is given beside its name on top.

    Raises:
        ConfigError: unknown role or model, or a key or value that a model does not have.
    """
    from omegaconf.errors import OmegaConfBaseException

    at = f"model.roles.{role}"
    if role not in ROLE_OPS:
        raise ConfigError(f"{at}: there is no such role; there are: {', '.join(ROLE_OPS)}")
    wanted = {"name": given} if isinstance(given, str) else given
    if not isinstance(wanted, dict) or not isinstance(wanted.get("name"), str):
        raise ConfigError(f"{at}: the name of a model is needed, or a mapping with a name; this is {given!r}")
    if wanted["name"] not in names("model"):
        raise ConfigError(unknown_name("model", wanted["name"], at))
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

    own = OmegaConf.create(contents("model", name))
    merged = OmegaConf.merge(OmegaConf.structured(ModelSettings), own, dict(changes))
    found = OmegaConf.to_object(merged)
    if not isinstance(found, ModelSettings):
        raise ConfigError(f"model: {name}.yaml does not follow mlesearch's schema")
    return found


def models() -> list[ModelSettings]:
    """The settings of every model that has a name."""
    return [_model(name, {}) for name in names("model")]


def _check_keys(cfg: Any, known: frozenset[str], prefix: str) -> None:
    """Refuse keys that were added past the schema (`+key=...`); parameters are checked by what takes them."""
    from omegaconf import DictConfig

    for key in cfg:
        at = f"{prefix}{key}"
        if at not in known:
            raise ConfigError(unknown_key(at))
        node = cfg._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none() and not at.endswith(("params", "roles")):
            _check_keys(node, known, f"{at}.")


def sweep(
    launch: Launch, here: Callable[[Sequence[Settings]], None], elsewhere: Callable[[int], None] | None = None
) -> None:
    """Have Hydra carry out the cells of a launch.

    Its own launcher runs job after job in this process. There the first job is given the cells of all of them, so that
    no processor idles while a cell's last run ends; and where nothing else is asked of Hydra, what was composed is used
    rather than composed again. Other launchers send each job to a place of its own, with no more than its number.

    Args:
        launch: as composed.
        here: carries cells out in this process; never raises.
        elsewhere: carries out the cell of a number, in whatever process; it can be pickled, and is small.

    Raises:
        ConfigError: another launcher can't start or follow its jobs; in one line.
    """
    cells = [cell.settings for cell in launch.jobs]
    if launch.composed is not None:
        _as_hydra_does(launch, lambda: here(cells))
        return
    given: list[bool] = []

    def first_job(cfg: Any) -> None:
        if not given:
            given.append(True)
            here(cells)

    def each_job(cfg: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        if elsewhere is not None:
            elsewhere(int(getattr(HydraConfig.get().job, "num", 0)))

    _by_hydra(launch, first_job if launch.here else each_job)


def _by_hydra(launch: Launch, job: Callable[[Any], None]) -> None:
    """Hydra itself, with the words of the launch; what another launcher raises becomes one line."""
    import hydra

    argv = sys.argv
    sys.argv = ["mlesearch", *(["-m"] if launch.multirun else []), *launch.overrides]
    environment = os.environ.get("HYDRA_FULL_ERROR")
    try:
        register()
        if not launch.here:
            os.environ["HYDRA_FULL_ERROR"] = "1"  # so that it raises, and prints no traceback
        main = hydra.main(version_base="1.3", config_path=f"pkg://{CONFIG_MODULE}", config_name="config")
        main(job)()
    except Exception as error:
        if launch.here:
            raise
        line = next((text for text in reversed(str(error).splitlines()) if text.strip()), type(error).__name__)
        raise ConfigError(f"hydra/launcher={launch.launcher}: {line.strip()} ({type(error).__name__})") from error
    finally:
        sys.argv = argv
        if not launch.here and environment is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)


def _as_hydra_does(launch: Launch, task: Callable[[], None]) -> None:
    """Carry all cells out by the first job, with the folders and logs that Hydra's own launcher makes for each."""
    from hydra.core.utils import configure_log
    from omegaconf import OmegaConf

    config, hydra = launch.composed, launch.composed.hydra
    root = Path(hydra.sweep.dir if launch.multirun else hydra.run.dir)
    make_folder(root)
    if launch.multirun:
        OmegaConf.save(config, root / "multirun.yaml")
    try:
        for n in range(len(launch.jobs)):
            hydra.job.num = n
            folder = root / hydra.sweep.subdir if launch.multirun else root
            make_folder(folder)
            hydra.runtime.output_dir = str(folder.absolute())
            configure_log(hydra.job_logging, hydra.verbose)
            if n == 0:
                task()
    finally:
        configure_log(hydra.hydra_logging, hydra.verbose)  # closes the last job's log


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
