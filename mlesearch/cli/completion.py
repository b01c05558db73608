"""Tab completion: what may stand where the cursor is, and the lines that make a shell ask for it.

A shell asks `mlesearch complete "LINE UP TO THE CURSOR"`. Nothing heavy is imported: names come from the files.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
LAUNCHER = "hydra/launcher"
_LAUNCHERS = {
    "basic": "",
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
    "submitit_slurm": "hydra_plugins.hydra_submitit_launcher",
}
"""Launchers of Hydra's that start jobs elsewhere (docs/launcher.md), each with the package that brings it."""
_BREAKS = "=:,["
"""Letters at which bash begins a new word, or at which a new item of a list begins."""

_BASH = """\
_mlesearch() {
  local IFS=$'\\n'
  COMPREPLY=($(mlesearch complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
  [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=./] ]] && compopt -o nospace
}
complete -F _mlesearch mlesearch
"""
_ZSH = """\
autoload -U +X compinit && compinit
_mlesearch() {
  local -a whole open
  whole=(${(f)"$(mlesearch complete --whole "${BUFFER[1,CURSOR]}" 2>/dev/null)"})
  open=(${(M)whole:#*[=./]})
  compadd -Q -S "" -a open
  whole=(${whole:#*[=./]})
  compadd -Q -a whole
}
compdef _mlesearch mlesearch
"""
_SCRIPTS = {
    "bash": _BASH,
    "zsh": _ZSH,
    "fish": "complete -c mlesearch -f -a '(mlesearch complete --whole (commandline -cp | string collect))'\n",
}


def script(shell: str) -> str:
    """The lines that a shell has to evaluate once."""
    return _SCRIPTS[shell]


def complete(parser: argparse.ArgumentParser, line: str, *, whole: bool = False) -> list[str]:
    """What may stand at the end of a line.

    Args:
        parser: of the whole command line.
        line: up to the cursor, the name of the program first.
        whole: whole words; else as bash takes them, without what stands before the last `=` or `:` of the word.
    """
    words, last = _split(line)
    found = sorted(set(_candidates(parser, words[1:], last)))
    if whole:
        return found
    kept = max(last.rfind(mark) for mark in "=:") + 1
    return [word[kept:] for word in found]


def _split(line: str) -> tuple[list[str], str]:
    """The words before the cursor, and the one that it is in, which may be in an open quote."""
    for end in ("", "'", '"'):
        try:
            words = shlex.split(line + end)
        except ValueError:
            continue
        return (words, "") if line[-1:].isspace() and not end else (words[:-1], words[-1] if words else "")
    return [], ""


def _candidates(parser: argparse.ArgumentParser, words: Sequence[str], last: str) -> Iterable[str]:
    command: list[str] = []
    for word in words:
        below = _commands(parser)
        if word in below:
            parser = below[word]
            command.append(word)
    below = _commands(parser)
    if below:
        return [name for name in below if name.startswith(last)] + _options(parser, last)
    waiting = _option_before(parser, words)
    if waiting is not None:
        if waiting.choices:
            return [str(c) for c in waiting.choices if str(c).startswith(last)]
        return [] if waiting.type is int else _studies(last) + _paths(last)
    if last.startswith("-"):
        return _options(parser, last)
    places = {a.dest: a for a in parser._actions if not a.option_strings}
    given = [word for word in words[len(command) :] if not word.startswith("-")]
    return _places(places, command, given, last)


def _places(
    places: dict[str, argparse.Action], command: Sequence[str], given: Sequence[str], last: str
) -> Iterable[str]:
    """What may stand at a place that is no option."""
    from mlesearch.config.catalogue.groups import names

    if command == ["models", "check"] and not given:
        return [name for name in names("model") if name.startswith(last)]
    if "overrides" in places:
        return _overrides(last, first=not given)
    if "names" in places:
        return [name for name in names("strategy") if name.startswith(last)]
    if "task" in places and not given:
        return [name for name in _tasks() if name.startswith(last)] + _paths(last)
    if "rungs" in places:
        return [name for name in names("sandbox") if name.startswith(last) and name not in ("auto", "unsafe")]
    action = next(iter(places.values()), None)
    if action is not None and action.choices:
        return [str(c) for c in action.choices if str(c).startswith(last)]
    if places.keys() & {"study", "folder", "run"}:
        return _studies(last) + _paths(last)
    return _paths(last) if places else []


def _overrides(last: str, *, first: bool) -> Iterable[str]:
    """An experiment, a key with its `=`, or a value behind it."""
    from mlesearch.config.catalogue.groups import EXPERIMENTS, GROUPS, names
    from mlesearch.config.settings.schema import choices, schema

    key, equal, value = last.partition("=")
    if not equal:
        keys = [f"{group}=" for group in (*GROUPS, LAUNCHER)]
        keys += [f"{k}=" for k, s in schema().items() if s.kind != "mapping"]
        keys = [k.replace("params=", "params.").replace("roles=", "roles.") for k in keys]
        experiments = names(EXPERIMENTS) if first else []
        return [word for word in (*experiments, *keys) if word.startswith(last)]
    cut = max(value.rfind(mark) for mark in ",[") + 1
    before, part = last[: len(key) + 1 + cut], value[cut:]
    known = schema().get(key)
    if key in GROUPS:
        words = names(key)
    elif key == LAUNCHER:
        words = [name for name, package in _LAUNCHERS.items() if not package or _is_installed(package)]
    elif key == "tasks":
        words = [*_tasks()] if cut else [f"[{task}" for task in _tasks()]
    elif known is not None and known.kind == "switch":
        words = ["true", "false"]
    elif key in ("study.dir", "cassette_path", "sandbox.exec_store_path", "sandbox.weights"):
        words = _paths(part)
    else:
        words = list(choices(key))
    return [before + word for word in words if word.startswith(part)]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of the package above it
        return False


def _tasks() -> list[str]:
    from mlesearch.tasks import folder, own

    return sorted({*folder.names(), *(name for name, _ in own.task_folders(folder.DECLARED))})


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return {name: below for name, below in found[0].choices.items() if name != "complete"} if found else {}


def _options(parser: argparse.ArgumentParser, last: str) -> list[str]:
    options = [option for action in parser._actions for option in action.option_strings]
    return [option for option in options if option.startswith(last) and last.startswith("-")]


def _option_before(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Action | None:
    """The option whose value is awaited."""
    if not words:
        return None
    return next((a for a in parser._actions if words[-1] in a.option_strings and a.nargs is None), None)


def _studies(last: str) -> list[str]:
    """The studies in the usual folder, while nothing else is named."""
    places = sorted(path.parent for path in Path().glob("studies/*/study.json"))
    return [f"{place}/" for place in places if str(place).startswith(last) and str(place) != last.rstrip("/")]


def _paths(last: str) -> list[str]:
    """Files and folders that begin so; folders end with a slash."""
    typed, start = last.rpartition("/")[0] + "/" if "/" in last else "", last.rpartition("/")[2]
    folder = Path(typed).expanduser() if typed else Path()
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    shown = [p for p in inside if p.name.startswith(start) and (start or not p.name.startswith("."))]
    return [f"{typed}{p.name}{'/' if p.is_dir() else ''}" for p in shown]
