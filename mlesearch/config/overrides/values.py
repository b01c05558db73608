"""The values of overrides: each is what its setting takes, and is written so that Hydra reads it as it was typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from mlesearch.config.catalogue.groups import EXPERIMENTS, names
from mlesearch.config.overrides.text import (
    as_any,
    as_text,
    as_texts,
    from_json,
    is_call,
    is_left_alone,
    is_list,
    is_mapping,
    split,
    unclosed,
)
from mlesearch.config.settings.schema import Setting, choices, schema
from mlesearch.types import ConfigError, did_you_mean

_MEANT = {
    "study": "study.name",
    "budget": "budget.steps",
    "launcher": "launcher.n_jobs",
    "claim": "claim.treatment",
    "claim.sequential": "claim.sequential.looks",
    "embedder": "embedder.kind",
    "limits": "limits.partition",
    "mlebench": "mlebench.data_dir",
    "run": "run.workers",
    "run.trial": "run.trial.share",
    "model.sampling": "model.sampling.temperature",
}
"""What of a mapping is most likely meant, where it is given one value."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was typed: the command with its options, and the words after it.

    Attributes:
        command: as it is typed, options included, such as `mlesearch run --check`.
        words: after it.
        multirun: whether several values make a sweep; None: that is asked later.
    """

    command: str
    words: tuple[str, ...]
    multirun: bool | None

    def instead(self, start: int, stop: int, *new: str, multirun: bool = False) -> str:
        """The command with some of its words replaced, as it can be pasted into a shell."""
        sweeps = " -m" if multirun or self.multirun else ""
        words = (*self.words[:start], *new, *self.words[stop:])
        return f"{self.command}{sweeps} {shlex.join(words)}".rstrip()


def check_sweep(typed: Invocation, at: int, key: str, value: str) -> None:
    """Several values need -m; what of an experiment sweeps anyway is known by Hydra alone."""
    may_sweep = typed.multirun is not False or any(w in names(EXPERIMENTS) or EXPERIMENTS in w for w in typed.words)
    if len(split(value)) < 2 or may_sweep or any(w.startswith("hydra.mode=") for w in typed.words):
        return
    right = typed.instead(at, at + 1, f"{key}={value.strip()}", multirun=True)
    known = schema().get(key)
    one = f"; if it is one text, quote it: {shlex.quote(_quoted(key, value))}" if known and known.kind == "text" else ""
    raise ConfigError(f"{key}={value}: several values make a sweep; say so with -m: {right}{one}")


def _quoted(key: str, value: str) -> str:
    return f'{key}="{value}"'


def free_value(typed: Invocation, at: int, key: str, value: str) -> str:
    """A value that Hydra knows nothing of; what takes the parameter checks it."""
    if key.endswith((".params", ".roles")) and not is_mapping(value) and not is_left_alone(value):
        raise ConfigError(f"{key}: it holds parameters by name; write {key}.NAME=VALUE, here {key}.NAME={value}")
    if whole := from_json(value):
        return whole
    _check_closed(key, value)
    check_sweep(typed, at, key, value)
    return ",".join(map(as_any, split(value)))


def _check_closed(key: str, value: str) -> None:
    if open_mark := unclosed(value):
        pairs = {"[": "]", "(": ")", "{": "}"}
        raise ConfigError(
            f"{key}={value}: {open_mark} is opened and not closed by {pairs.get(open_mark, open_mark)}; a text that "
            f"has it stands in quotes: {shlex.quote(_quoted(key, value))}"
        )


def setting_value(typed: Invocation, at: int, known: Setting, value: str) -> str:
    """A value, or several, of a setting of the schema."""
    key = known.name
    if known.kind == "mapping":
        return _mapping(typed, at, known, value)
    if known.kind == "text" and not is_mapping(value) and not is_list(value):
        if unclosed(value) in ("'", '"'):
            _check_closed(key, value)
        parts = split(value)
        for part in parts:
            _check_choice(known, part.strip())
        check_sweep(typed, at, key, value)
        return ",".join(p if known.optional and p.strip().lower() == "null" else as_text(p) for p in parts)
    _check_closed(key, value)
    if known.kind in ("texts", "numbers", "amounts"):
        return _list(typed, at, known, value)
    for part in split(value):
        if not is_left_alone(part):
            _check_scalar(known, part.strip())
    check_sweep(typed, at, key, value)
    return value


def _check_choice(known: Setting, text: str) -> None:
    """Refuse a word that is none of those that a setting takes; of kinds, the registries know more."""
    allowed = () if known.name.endswith((".kind", ".operators")) else choices(known.name)
    if not allowed or is_left_alone(text) or (known.optional and text.lower() == "null") or text in allowed:
        return
    hint = did_you_mean(text, allowed)
    raise ConfigError(f"{known.name}: {text!r}{hint}; there are: {', '.join(allowed)}")


def _mapping(typed: Invocation, at: int, known: Setting, value: str) -> str:
    if is_mapping(value) or is_left_alone(value):
        return value
    below = [k for k in schema() if k.rpartition(".")[0] == known.name]
    meant = _MEANT.get(known.name, below[0])
    right = typed.instead(at, at + 1, f"{meant}={value}")
    raise ConfigError(
        f"{known.name}: it has settings of its own, of which one is set: {', '.join(below)}; write {right}"
    )


def _list(typed: Invocation, at: int, known: Setting, value: str) -> str:
    """A list, or several that are swept over."""
    parts = split(value)
    if all(is_list(part) or "${" in part for part in parts):
        check_sweep(typed, at, known.name, value)
        for part in parts:
            _check_items(typed, at, known, part)
        return ",".join(as_texts(p) if known.kind == "texts" and is_list(p) else p for p in parts)
    right = typed.instead(at, at + 1, f"{known.name}={_listed(value)}")
    what = {"numbers": "a list of whole numbers", "amounts": "a list of numbers"}.get(known.kind, "a list")
    raise ConfigError(f"{known.name}: {what} is expected, in brackets; this is {value}; write {right}")


def _listed(value: str) -> str:
    """What was most likely meant by something that is no list: a range, numbers, names."""
    counted = re.fullmatch(r"range\((\d+)(?:,\s*(\d+))?\)|(\d+)(?:\.\.|-)(\d+)", value.strip())
    if not counted:
        return f"[{','.join(part.strip() for part in split(value.strip('()')))}]"
    first, last, low, high = (None if g is None else int(g) for g in counted.groups())
    if low is not None and high is not None:
        numbers = range(low, high + 1)
    else:
        numbers = range(first or 0) if last is None else range(first or 0, last)
    return f"[{','.join(map(str, numbers[:1000]))}]"


def _check_items(typed: Invocation, at: int, known: Setting, value: str) -> None:
    items = [item.strip() for item in split(value.strip()[1:-1])] if value.strip()[1:-1].strip() else []
    for item in items:
        if not item or is_call(item):
            right = typed.instead(at, at + 1, f"{known.name}={_listed(','.join(i for i in items if i))}")
            raise ConfigError(f"{known.name}: {item or 'an empty place'} is no item of a list; write {right}")
        if known.kind == "numbers" and not is_left_alone(item) and not re.fullmatch(r"[+-]?\d[\d_]*", item):
            raise ConfigError(
                f"{known.name}: a list of whole numbers is expected, as in seeds=[0,1,2]; {item!r} is none"
            )
        if known.kind == "amounts" and not is_left_alone(item) and not _is_number(item):
            raise ConfigError(
                f"{known.name}: a list of numbers is expected, as in {known.name}=[0.5,1,2]; {item!r} is none"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_scalar(known: Setting, text: str) -> None:
    """Refuse a number or a switch that is none."""
    if text.lower() == "null":
        if not known.optional:
            raise ConfigError(f"{known.name}: a value is needed, it can't be null; by default {known.default}")
        return
    fits = {"whole": r"[+-]?\d[\d_]*", "switch": r"(?i)true|false|on|off|yes|no|y|n|0|1"}
    if known.kind == "text":  # it is a list or a mapping
        if re.fullmatch(r"\$\{.*\}", text):
            return
    elif known.kind == "number":
        if _is_number(text):
            return
    elif re.fullmatch(fits[known.kind], text):
        return
    raise ConfigError(wrong_kind(known, text))


def wrong_kind(known: Setting, text: str) -> str:
    """One line for a number or a switch that is none."""
    kinds = {"whole": "a whole number", "number": "a number", "switch": "true or false", "text": "one text"}
    what = kinds.get(known.kind, "a value")
    nothing = ", or null for none" if known.optional else ""
    shown = repr(text) if text else "empty"
    return f"{known.name}: {what} is expected{nothing}; this is {shown}; write {known.name}={example(known, text)}"


def example(known: Setting | None, text: str) -> str:
    """A value that a setting could have, as near as can be to what was given."""
    if known is None or known.kind in ("text", "texts", "mapping"):
        return "..."
    if known.kind == "numbers":
        return "[0,1,2]"
    if known.kind == "amounts":
        return "[0.5,1,2]"
    if known.kind == "switch":
        return "true"
    number = re.match(r"\W{0,2}(\d[\d_]*(?:\.\d+)?(?:[eE]\d+)?)\s*([A-Za-z]*)", text)
    if not number:
        return known.default if known.default not in ("", "null") else "3"
    value = float(number[1]) * _factor(known.name, number[2].lower())
    return f"{value:.0f}" if known.kind == "whole" or value == int(value) else f"{value:g}"


def _factor(key: str, unit: str) -> float:
    """What one of a unit is in the unit of a setting, which its name ends with."""
    units: Mapping[str, Mapping[str, float]] = {
        "_s": {"m": 60, "min": 60, "h": 3600, "hours": 3600, "hour": 3600, "d": 86400, "days": 86400},
        "_gib": {"m": 1 / 1024, "mb": 1 / 1024, "mib": 1 / 1024, "k": 1 / 2**20, "t": 1024, "tb": 1024},
        "tokens": {"k": 1e3, "m": 1e6},
    }
    return next((table.get(unit, 1.0) for end, table in units.items() if key.endswith(end)), 1.0)
