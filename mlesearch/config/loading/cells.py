"""The cells of a sweep, composed as Hydra composes each: every choice of a group once, and then put together.

Hydra takes some 70 ms of a processor to compose one cell, nearly all of it for what all cells of a sweep share. A file
of a group says something of its own group alone, unless it has a defaults list or another package; so the group's part
of a configuration depends on the choice in that group alone, and a cell is the parts of its choices side by side. Where
any of that does not hold, Hydra composes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Any

from mlesearch.config.catalogue.groups import GROUPS

Load = Callable[[Sequence[str]], Any]
"""Composes overrides by Hydra, without its own settings."""


@dataclass(slots=True)
class _Base:
    """What all cells share that choose files alike but for their names.

    Attributes:
        config: of the first of them, composed by Hydra.
        choices: of the first, by group.
        parts: of other choices, by group and name; None where Hydra has to compose.
        as_hydra: by group, whether the part of the first choice, merged here, is what Hydra has.
        whole: the configurations that Hydra had to compose, by the overrides that choose files.
        chain: the files of the first but for Hydra's own, in the order in which they are merged; None where the parts
            of their groups are not independent.
    """

    config: Any
    choices: Mapping[str, str]
    chain: Sequence[Any] | None
    parts: dict[tuple[str, str], Any] = field(default_factory=dict)
    as_hydra: dict[str, bool] = field(default_factory=dict)
    whole: dict[tuple[str, ...], Any] = field(default_factory=dict)


class CellComposer:
    """Composes cells, one after the other, within an initialised Hydra."""

    def __init__(self, load: Load) -> None:
        """Nothing is composed yet.

        Args:
            load: composes overrides.
        """
        from hydra._internal.config_repository import CachingConfigRepository
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.override_parser.overrides_parser import OverridesParser

        self._load = load
        loader: Any = GlobalHydra.instance().config_loader()
        self._loader = loader
        self._parser = OverridesParser.create(config_loader=loader)
        self._repository: Any = CachingConfigRepository(loader.repository)
        self._bases: dict[tuple[tuple[str, ...], tuple[str, ...]], _Base] = {}
        self._schema: Any = None

    def compose(self, overrides: Sequence[str]) -> Any:
        """A cell's configuration, without Hydra's own settings.

        Raises:
            HydraException, OmegaConfBaseException: as Hydra raises them.
        """
        from hydra._internal.config_loader_impl import ConfigLoaderImpl
        from hydra.errors import HydraException
        from omegaconf.errors import OmegaConfBaseException

        parsed = self._parser.parse_overrides(list(overrides))
        values = [o for o in parsed if self._is_value(o)]
        files = [o for o in parsed if not self._is_value(o)]
        try:
            config = self._of_files(files)
            ConfigLoaderImpl._apply_overrides_to_config(values, config)
        except (HydraException, OmegaConfBaseException):
            config = self._load(overrides)  # which says what is wrong in Hydra's own words
        return config

    def _is_value(self, override: Any) -> bool:
        """Whether an override sets a value of a cell: it chooses no file, and is none of Hydra's own settings."""
        key = override.key_or_group
        return not self._repository.group_exists(key) and key.partition(".")[0].partition("/")[0] != "hydra"

    def _of_files(self, overrides: Sequence[Any]) -> Any:
        """A configuration of its own for a choice of files."""
        chosen = {o.key_or_group: o.value() for o in overrides if _is_choice(o)}
        common = tuple(o.input_line for o in overrides if not _is_choice(o))
        lines = tuple(o.input_line for o in overrides)
        if len(chosen) + len(common) < len(lines):  # a group twice, which Hydra refuses
            return self._load(lines)
        at = (common, tuple(chosen))
        if at not in self._bases:
            self._bases[at] = _Base(self._load(lines), chosen, self._chain(overrides, chosen))
        base = self._bases[at]
        others = {group: name for group, name in chosen.items() if name != base.choices[group]}
        parts = {group: self._part(base, group, name) for group, name in others.items()}
        if any(part is None for part in parts.values()):
            if lines not in base.whole:
                base.whole[lines] = self._load(lines)
            return deepcopy(base.whole[lines])
        config = deepcopy(base.config)
        for group, part in parts.items():
            _put(config, group, part)
        return config

    def _chain(self, overrides: Sequence[Any], chosen: Mapping[str, str]) -> Sequence[Any] | None:
        """The files that make up a configuration; None where a choice may change more than its own group's part."""
        from hydra._internal.defaults_list import create_defaults_list

        found: Sequence[Any] = create_defaults_list(
            repo=self._repository,
            config_name="config",
            overrides_list=list(overrides),
            prepend_hydra=True,
            skip_missing=False,
        ).defaults
        chain = [d for d in found if d.config_path.partition("/")[0] != "hydra"]
        if not chain or chain[0].config_path != "schema":
            return None
        listed = [x for d in chain for x in self._repository.load_config(d.config_path).defaults_list or ()]
        if any("${" in str(x) for x in listed):
            return None
        for group, name in chosen.items():
            of_group = [d for d in chain if d.config_path.startswith(f"{group}/")]
            if [(d.config_path, d.package) for d in of_group] != [(f"{group}/{name}", group)]:
                return None
        return chain

    def _part(self, base: _Base, group: str, name: str) -> Any:
        """What a configuration holds of a group, with another choice there; None where Hydra has to compose."""
        if base.chain is None:
            return None
        if (group, name) not in base.parts:
            first = base.choices[group]
            if group not in base.as_hydra:
                mine, there = self._merged(base.chain, group, first, first), base.config._get_node(group)
                kinds = [None if node is None else node._metadata.object_type for node in (mine, there)]
                base.as_hydra[group] = mine == there and kinds[0] == kinds[1]
            base.parts[group, name] = self._merged(base.chain, group, first, name) if base.as_hydra[group] else None
        return base.parts[group, name]

    def _merged(self, chain: Sequence[Any], group: str, first: str, name: str) -> Any:
        """A group's part of a configuration, merged as Hydra merges the whole; None where its file says more."""
        from omegaconf import OmegaConf

        own = self._repository.load_config(f"{group}/{name}")
        if own is None or own.defaults_list or own.header.get("package") not in (None, "", group):
            return None
        if self._schema is None:
            self._schema = OmegaConf.create()
            self._schema.merge_with(self._loader._load_single_config(default=chain[0], repo=self._repository).config)
        whole = deepcopy(self._schema)
        for default in chain[1:]:
            if default.config_path == f"{group}/{first}":
                default = copy(default)
                default.config_path = f"{group}/{name}"
            config = self._loader._load_single_config(default=default, repo=self._repository).config
            if group in config:
                whole.merge_with(OmegaConf.masked_copy(config, [group]))
        return whole._get_node(group)


def _is_choice(override: Any) -> bool:
    """Whether an override does nothing but choose a file of a group of ours by its name."""
    plain = override.type is not None and override.type.name == "CHANGE" and override.package is None
    name = override.value() if plain and override.key_or_group in GROUPS else None
    return isinstance(name, str) and "/" not in name


def _put(config: Any, group: str, part: Any) -> None:
    """Let a configuration have a part for its own."""
    mine = deepcopy(part)
    mine._set_parent(config)
    mine._set_key(group)
    config.__dict__["_content"][group] = mine
