"""The settings as a list: what each is called, takes, means and changes, read from the classes of `settings`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import MappingProxyType, NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mlesearch.config.settings import MISSING as NO_DEFAULT
from mlesearch.config.settings import Settings
from mlesearch.optimizers.describe import attributes

SettingKind = Literal["text", "whole", "number", "switch", "texts", "numbers", "amounts", "mapping", "free"]
"""What a setting takes: free are parameters by name that the schema does not know."""

_KINDS: Mapping[object, SettingKind] = {str: "text", int: "whole", float: "number", bool: "switch"}
_LISTS: Mapping[object, SettingKind] = {str: "texts", int: "numbers", float: "amounts"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: with dots, as in an override.
        kind: what it takes.
        optional: whether it may be null.
        default: as a user would write it; empty where it has none, or is a mapping.
        meaning: one sentence.
        owner: the docstring of its class, first line.
    """

    name: str
    kind: SettingKind
    optional: bool
    default: str
    meaning: str
    owner: str


@cache
def schema() -> Mapping[str, Setting]:
    """Every setting by its name, in the order in which the classes declare them."""
    return MappingProxyType({key.name: key for key in _keys(Settings, "")})


def _keys(kind: type, prefix: str) -> Iterator[Setting]:
    hints = get_type_hints(kind)
    doc = inspect.getdoc(kind) or ""  # without docstrings (python -OO) no meaning is known
    meanings = attributes(doc)
    for f in fields(kind):
        inner = [t for t in get_args(hints[f.name]) if t is not NoneType]
        optional = NoneType in get_args(hints[f.name])
        typed = inner[0] if optional else hints[f.name]
        name, meaning, owner = f"{prefix}{f.name}", meanings.get(f.name, ""), doc.partition("\n")[0]
        if isinstance(typed, type) and is_dataclass(typed):
            yield Setting(name, "mapping", optional, "", meaning, owner)
            yield from _keys(typed, f"{name}.")
            continue
        default = f.default
        if f.default_factory is not MISSING:
            default = f.default_factory()
        yield Setting(name, _kind(typed), optional, "" if default == NO_DEFAULT else _written(default), meaning, owner)


def _kind(typed: Any) -> SettingKind:
    if get_origin(typed) is list:
        return _LISTS[get_args(typed)[0]]
    return "free" if get_origin(typed) is dict else _KINDS[typed]


def _written(value: Any) -> str:
    """A default as an override has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    if isinstance(value, dict):
        return "{}"
    return f"{value:g}" if isinstance(value, float) else str(value) or "''"


def choices(key: str) -> tuple[str, ...]:
    """The words that a setting takes, plug-ins left out; empty where any will do. What has them is imported now."""
    match key:
        case "model.kind":
            from mlesearch.models.registry import MODEL_KINDS

            return tuple(MODEL_KINDS.builtin)
        case "strategy.kind":
            from mlesearch.optimizers.base import STRATEGIES

            return tuple(STRATEGIES.builtin)
        case "sandbox.kind":
            from mlesearch.sandbox.ladder import AUTO, SANDBOXES

            return (AUTO, *SANDBOXES.builtin)
        case "sandbox.require":
            from mlesearch.sandbox.protocol import PROMISES

            return tuple(PROMISES)
        case "sandbox.exec_store":
            from mlesearch.sandbox.recorded import MODES

            return MODES
        case "sandbox.exec_store_form" | "cassette_form":
            from mlesearch.storage.store import FORMS

            return FORMS
        case "cassette":
            from mlesearch.models.recorded import cassette

            return cassette.MODES
        case "run.operators":
            from mlesearch.operators import OPERATOR_SETS

            return tuple(OPERATOR_SETS.builtin)
        case "run.context":
            from mlesearch.types import Context

            return tuple(rule.value for rule in Context)
        case "run.selection":
            from mlesearch.engine.selection import RULES

            return RULES
        case "run.audit":
            from mlesearch.config.settings.run import AUDITS

            return AUDITS
        case "run.preflight":
            from mlesearch.config.settings.run import PREFLIGHTS

            return PREFLIGHTS
        case "run.keep_submissions":
            from mlesearch.config.settings.run import KEPT_SUBMISSIONS

            return KEPT_SUBMISSIONS
        case (
            "mlebench.missing"
            | "mlebench.verify"
            | "mlebench.unpack"
            | "mlebench.feedback"
            | "mlebench.validation"
            | "mlebench.fallback"
        ):
            from mlesearch.tasks.mlebench.terms import WORDS

            return WORDS[key.removeprefix("mlebench.")]
        case "claim.outcome":
            from mlesearch.storage.claim import CLAIMABLE

            return CLAIMABLE
        case "claim.trend":
            from mlesearch.storage.claim import TRENDS

            return TRENDS
        case "claim.measures":
            from mlesearch.storage.claimed_measures import MEASURES

            return MEASURES
        case "claim.budget_axis":
            from mlesearch.storage.claimed_measures import BUDGET_AXES

            return BUDGET_AXES
        case "claim.order":
            from mlesearch.storage.claim import PARTS

            return PARTS
        case "embedder.kind":
            from mlesearch.models.embed import KINDS

            return KINDS
    return ()
