"""What is wrong with overrides, in one line: what, where, and what is allowed there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import get_args, get_type_hints

from mlesearch.config.catalogue.groups import contents, names, where_own
from mlesearch.config.overrides.values import wrong_kind
from mlesearch.config.settings import Settings
from mlesearch.config.settings.schema import schema
from mlesearch.types import ConfigError, did_you_mean

_LISTS = {
    "tasks": "tasks=[canvas,rentals]",
    "seeds": "seeds=[0,1,2]",
    "claim.tiers": "claim.tiers=[low,high]",
    "claim.sequential.looks": "claim.sequential.looks=[1,2,3]",
    "claim.order": "claim.order=[slope,crossover,gap]",
}

_LAUNCHERS = {"joblib": "parallel-cells", "submitit_local": "slurm", "submitit_slurm": "slurm"}
"""Launchers that come with an extra of ours."""


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
    plugin = re.search(
        r"Could not find 'hydra/(launcher|sweeper)/([^']+)'\n+Available options in '[^']*':\n((?:\t.*\n?)*)", text
    )
    if plugin:
        return _no_plugin(plugin[1], plugin[2], plugin[3].split())
    missing = re.search(r"Could not find '(model|strategy|sandbox|experiments)/([^']+)'", text)
    if missing:
        group, name = missing.groups()
        return _not_found(group, name)
    key = re.search(r"Could not (?:override|append to config)[^']*'([^']+)'", text) or re.search(
        r"Key '([^']+)' (?:is )?not in", text
    )
    if key and ("not in" in text or "No match" in text):
        return unknown_key(key[1])
    merged = re.search(r"Error merging override (\S+?)=(.*)", text)
    if merged and merged[1] in _LISTS:
        what = "a list of whole numbers" if merged[1] == "seeds" else "a list"
        return f"{merged[1]}: {what} is expected, as in {_LISTS[merged[1]]}; this is {merged[2]}"
    value = re.search(r"(Value '.*?' (?:of type '\w+' )?(?:could not be converted|is not).*)", text)
    full_key = re.search(r"full_key: (\S+)", text)
    if value:
        where = full_key[1] if full_key else _override_of(value[1], overrides)
        known, quoted = schema().get(where), re.search(r"Value '(.*?)'", value[1])
        if known is not None and known.kind in ("whole", "number", "switch") and quoted is not None:
            return wrong_kind(known, quoted[1])
        return f"{where}: {value[1].strip()}"
    if absent := re.search(r"Interpolation key '([^']+)' not found", text):
        return (
            f"{full_key[1] if full_key else 'configuration'}: ${{{absent[1]}}} names no setting; an environment "
            f"variable is ${{oc.env:{absent[1]}}}"
        )
    if merged:
        return f"{merged[1]}: {merged[2]!r} does not fit here; see docs/settings.md for what it takes"
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


def unknown_name(group: str, name: str, at: str = "") -> str:
    """One line for a name of a group that there is not; `at` begins it in place of the group."""
    known = names(group)
    return (
        f"{at or group}: no {group.removesuffix('s')} is called {name!r}{did_you_mean(name, known)}; "
        f"there are: {', '.join(known) or 'none'}; an own one is {where_own(group)}"
    )


def _no_plugin(kind: str, name: str, there: Sequence[str]) -> str:
    """One line for a launcher or sweeper of Hydra that is not installed here, or that there is not."""
    others = _LAUNCHERS if kind == "launcher" else {}
    if name in others:
        how = f"pip install 'mlesearch[{others[name]}]'"
        return f"hydra/{kind}: {name!r} is not installed here ({how}); there are: {', '.join(there)}"
    hint = did_you_mean(name, [*there, *others])
    more = [f"{other} with mlesearch[{extra}]" for other, extra in others.items() if other not in there]
    return f"hydra/{kind}: no {kind} is called {name!r}{hint}; there are: {', '.join([*there, *more])}"


def _not_found(group: str, name: str) -> str:
    """One line for a name that Hydra does not find: it is unknown, or its own file can't be read."""
    if name in names(group):
        try:
            contents(group, name)
        except ConfigError as error:
            return str(error)
    return unknown_name(group, name)


def unknown_key(key: str) -> str:
    """One line for a key that the schema does not have."""
    known = list(keys(Settings))
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent] or [k for k in known if "." not in k]
    return f"{key}: there is no such key{did_you_mean(key, known)}; here are allowed: {', '.join(siblings)}"


@lru_cache(maxsize=1)
def known_keys() -> frozenset[str]:
    """Dotted names of all settings."""
    return frozenset(keys(Settings))


def keys(schema: type, prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys of a schema."""
    hints = get_type_hints(schema)
    for f in fields(schema):
        yield prefix + f.name
        inner = [t for t in (hints[f.name], *get_args(hints[f.name])) if is_dataclass(t)]
        if inner and isinstance(inner[0], type):
            yield from keys(inner[0], f"{prefix}{f.name}.")
