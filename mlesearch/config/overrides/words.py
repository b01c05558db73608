"""The words after a command, as overrides that Hydra takes; what is no override is refused with the one that was meant.

What a setting takes is known from the schema, so a text stays the text that was written (`study.name=1e3`, paths with
`=`, `~` or letters beyond ASCII, URLs), and a value of the wrong kind is refused in words of its own.
"""

from __future__ import annotations

import re

from mlesearch.config.catalogue.groups import EXPERIMENTS, GROUPS, contents, names, where_own
from mlesearch.config.overrides.explain import known_keys, unknown_key, unknown_name
from mlesearch.config.overrides.text import as_text, is_left_alone, is_list, is_mapping, split, unclosed
from mlesearch.config.overrides.values import Invocation, check_sweep, example, free_value, setting_value
from mlesearch.config.settings.schema import schema
from mlesearch.types import ConfigError, did_you_mean

_FREE = re.compile(r"(model|strategy|sandbox|embedder)\.params(\.|$)|model\.roles(\.|$)")
_WORD = re.compile(r"(?P<mark>\+\+|\+|~)?(?P<key>[^\s=]*)(?P<space>\s*)=(?P<value>.*)", re.DOTALL)


def read(typed: Invocation) -> list[str]:
    """Overrides for Hydra.

    Raises:
        ConfigError: a word that is no override and no experiment, a key or name that there is not, a value of the
            wrong kind; in one line that has the command that was meant.
    """
    _check_spaces(typed)
    found, experiment = [], ""
    for at, word in enumerate(typed.words):
        override = _word(typed, at, word)
        key, _, value = override.lstrip("+").partition("=")
        if key == EXPERIMENTS:
            if experiment:
                one = typed.instead(at, at + 1)
                raise ConfigError(f"experiments: {experiment!r} and {value!r} are two; one is run at a time: {one}")
            experiment = value
        found.append(override)
    return found


def _check_spaces(typed: Invocation) -> None:
    """Refuse what a shell cut into several words: around `=`, after a comma, within brackets."""
    words = typed.words
    for at, word in enumerate(words):
        if word.strip() == "" and word != "":
            raise ConfigError(f"word {at + 1} is blank; leave it out: {typed.instead(at, at + 1)}")
        if word == "":
            raise ConfigError(f"word {at + 1} is empty (an unset variable?); leave it out: {typed.instead(at, at + 1)}")
        following = words[at + 1] if at + 1 < len(words) else ""
        joined, stop = word, at + 1
        if following[:1] == "=" or (word[-1:] == "=" and following and _goes_on(following)):
            joined, stop = word + following, at + 2
            if following == "=" and stop < len(words):
                joined, stop = joined + words[stop], stop + 1
        while "=" in joined and stop < len(words) and _is_open(joined) and _goes_on(words[stop]):
            joined, stop = f"{joined}{'' if joined[-1] == ',' else ' '}{words[stop]}", stop + 1
        if stop > at + 1:
            key, _, value = joined.partition("=")
            sweeps = len(split(value)) > 1
            raise ConfigError(
                f"{' '.join(words[at:stop])}: there is a space in it, where a shell ends a word; write "
                f"{typed.instead(at, stop, f'{key}={value}', multirun=sweeps)}"
            )


def _goes_on(word: str) -> bool:
    """Whether a word can be the rest of the one before it: no override, and no experiment."""
    return not _is_override(word) and word not in names(EXPERIMENTS)


def _is_override(word: str) -> bool:
    found = _WORD.fullmatch(word)
    return word.startswith("~") or (found is not None and bool(found["key"]))


def _is_open(word: str) -> bool:
    return word.rstrip()[-1:] == "," or bool(unclosed(word.partition("=")[2]))


def _word(typed: Invocation, at: int, word: str) -> str:
    if word.startswith("~"):
        return _taken_away(typed, at, word)
    found = _WORD.fullmatch(word)
    if found is None or not found["key"]:
        return _experiment(typed, at, word)
    mark, key, value = found["mark"] or "", found["key"], found["value"]
    if found["space"]:
        right = typed.instead(at, at + 1, f"{mark}{key}={value.strip()}")
        raise ConfigError(f"{word}: there is a space before the =; write {right}")
    if key == EXPERIMENTS:
        _known_experiment(value)
        return f"+{key}={value}"
    if re.match(r"hydra\b", key) or "@" in key or ":" in key:
        return word  # Hydra's own business
    if _FREE.match(key):
        return f"++{key}={free_value(typed, at, key, value)}"
    if key in GROUPS:
        return f"{key}={_choice(typed, at, mark, key, value)}"
    if key not in known_keys():
        raise ConfigError(unknown_key(key))
    known = schema()[key]
    return f"{mark}{key}={setting_value(typed, at, known, value)}"


def _taken_away(typed: Invocation, at: int, word: str) -> str:
    key = word[1:].partition("=")[0]
    if re.match(r"hydra\b", key) or (_FREE.match(key) and not key.endswith((".params", ".roles"))):
        return word
    if key in GROUPS:
        raise ConfigError(f"{word}: a run needs a {key}; choose another one ({key}=NAME) in place of taking it away")
    if key not in schema():
        raise ConfigError(unknown_key(key))
    default = schema()[key].default or "..."
    raise ConfigError(f"{word}: a setting can't be taken away; give it a value ({key}={default}), or leave it out")


def _experiment(typed: Invocation, at: int, word: str) -> str:
    """A word without `=`: the name of an experiment, or what was meant by it."""
    if word in names(EXPERIMENTS):
        _known_experiment(word)
        return f"+{EXPERIMENTS}={word}"
    if word.startswith("="):
        raise ConfigError(f"{word}: the key is missing before the =; write KEY=VALUE, as in budget.steps=3")
    before = _WORD.fullmatch(typed.words[at - 1]) if at else None
    if before is not None and before["key"] in schema() and schema()[before["key"]].kind == "text":
        right = typed.instead(at - 1, at + 1, f"{typed.words[at - 1]} {word}")
        raise ConfigError(f"{word}: no override; if it belongs to the value before it, quote both: {right}")
    bare = word.lstrip("+")
    if bare in schema() or bare in GROUPS or _FREE.match(bare):
        known = schema().get(bare)
        value = example(None if bare in GROUPS else known, "3")
        raise ConfigError(f"{word}: a value is missing; write {bare}={value}")
    colon = re.fullmatch(r"([\w.]+):(.+)", word)
    if colon and (colon[1] in schema() or colon[1] in GROUPS):
        right = typed.instead(at, at + 1, f"{colon[1]}={colon[2]}")
        raise ConfigError(f"{word}: a value is given with = and not with a colon; write {right}")
    for group in GROUPS:
        if word in names(group):
            right = typed.instead(at, at + 1, f"{group}={word}")
            raise ConfigError(f"{word}: it is a {group}, and no experiment; write {right}")
    if re.fullmatch(r"[+-]?[\d.]+", word):
        raise ConfigError(f"{word}: a value without a key; write KEY=VALUE without spaces, as in budget.steps={word}")
    if word.endswith((".yaml", ".yml")) or "/" in word:
        raise ConfigError(
            f"{word}: an experiment is named, not its file; put it at {where_own(EXPERIMENTS)}, and name it: "
            f"{typed.instead(at, at + 1, 'NAME')}"
        )
    nearest = did_you_mean(word, [*schema(), *GROUPS]).replace("'?)", "=...'?)")
    hint = (
        ""
        if did_you_mean(word, names(EXPERIMENTS)) or not nearest
        else f"; if it is a setting, write KEY=VALUE{nearest}"
    )
    raise ConfigError(f"{unknown_name(EXPERIMENTS, word)}{hint}")


def _known_experiment(name: str) -> None:
    if name not in names(EXPERIMENTS):
        raise ConfigError(unknown_name(EXPERIMENTS, name))
    contents(EXPERIMENTS, name)


def _choice(typed: Invocation, at: int, mark: str, group: str, value: str) -> str:
    """The name of a group, or several that are swept over."""
    if mark:
        right = typed.instead(at, at + 1, f"{group}={value}")
        raise ConfigError(f"{mark}{group}: every cell has a {group} already; choose without {mark}: {right}")
    if is_list(value):
        chosen = ",".join(part.strip().strip("'\"") for part in split(value.strip()[1:-1]))
        right = typed.instead(at, at + 1, f"{group}={chosen}", multirun="," in chosen)
        raise ConfigError(
            f"{group}: a list is no {group}; several are swept over with -m and without brackets: {right}"
        )
    if is_mapping(value):
        inner = [k for k in schema() if k.rpartition(".")[0] == group]
        raise ConfigError(
            f"{group}: a name is needed, and what differs from its file apart from it, as in {inner[2]}=..."
        )
    parts = split(value)
    for part in parts:
        name = part.strip()
        if not name or name.lower() == "null":
            raise ConfigError(f"{group}: one name is needed; there are: {', '.join(names(group))}")
        if is_left_alone(name):
            continue
        if name not in names(group):
            raise ConfigError(unknown_name(group, name))
        contents(group, name)  # its file can be read, and is the only one
    check_sweep(typed, at, group, value)
    return ",".join(map(as_text, parts))
