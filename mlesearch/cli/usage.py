"""Wrong words on the command line in one line: what, what was allowed there, and what was probably meant."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from mlesearch.study.output import complain
from mlesearch.types import did_you_mean

USAGE_ERROR = 2


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, and which takes no option by its first letters."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As of the standard library."""
        super().__init__(*arguments, **{"allow_abbrev": False, **named})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with the exit code of wrong input."""
        complain(f"mlesearch: error: {_explained(self, message)}")
        sys.exit(USAGE_ERROR)


def refuse_options(
    parser: argparse.ArgumentParser, command: Sequence[str], words: Sequence[str], typed: str
) -> NoReturn:
    """End with one line about options that a command does not have.

    Args:
        parser: of the whole command line.
        command: with its action.
        words: that were not understood.
        typed: the word that stood behind the first of them; empty where none did.
    """
    below = _below(parser, command)
    name = " ".join(command)
    first = next((word for word in words if word.startswith("-")), None)
    if first is None:
        places = [a for a in below._actions if not a.option_strings and a.dest != "help"]
        takes = " ".join(str(a.metavar or a.dest) for a in places) or "nothing"
        extra = shlex.join(words)
        below.error(f"{extra}: one word too many; mlesearch {name} takes {takes}")
    below.error(_unknown_option(parser, below, command, first, typed))


def _unknown_option(
    parser: argparse.ArgumentParser, below: argparse.ArgumentParser, command: Sequence[str], word: str, typed: str
) -> str:
    option, _, given = word.partition("=")
    known = [o for o in _options(below) if o.startswith("--") == option.startswith("--")] or list(_options(below))
    hint = did_you_mean(option, known)
    fault = f"{option}: mlesearch {' '.join(command)} has no such option"
    if "overrides" in {a.dest for a in below._actions}:
        from mlesearch.config.settings.schema import schema

        bare = "_".join(re.findall(r"[A-Za-z0-9]+", option))
        plain = {key: key.replace(".", "_") for key in schema()}
        named = [key for key in plain if plain[key] == bare or key.endswith(f".{bare}")]
        value = given or (typed if typed and not typed.startswith("-") and "=" not in typed else "...")
        if named:
            setting = shlex.quote(f"{named[0]}={value}")
            return f"{fault}; settings are written without dashes: mlesearch {' '.join(command)} {setting}"
    elsewhere = [name for name, other in _commands(parser) if option in _options(other)]
    if elsewhere:
        hint = f" (mlesearch {elsewhere[0]} has it)"
    return f"{fault}{hint}; it has: {', '.join(o for o in _options(below) if o not in ('-h',))}"


def _explained(parser: argparse.ArgumentParser, message: str) -> str:
    see = _see(parser)
    if found := re.match(r"argument (\S+): invalid choice: (.+?) \(", message):
        word = found[2].strip("'\"")
        asked = [a for a in parser._actions if a.choices and found[1] in (a.metavar, a.dest, *a.option_strings)]
        choices = [str(choice) for a in asked for choice in a.choices or ()]
        noun = {"COMMAND": "command", "ACTION": "action"}.get(found[1], f"value of {found[1]}")
        fault = (
            f"{found[1]}: no {noun} is called {word!r}{did_you_mean(word, choices)}; there are: {', '.join(choices)}"
        )
        to_run = found[1] == "COMMAND" and "=" in word
        return f"{fault}; if it is meant for a run: mlesearch run {shlex.quote(word)}" if to_run else fault
    if found := re.match(r"the following arguments are required: (.+)", message):
        missing = found[1].split(", ")
        whats = [f"{a.metavar}: {a.help}" for a in parser._actions if a.metavar in missing and a.help]
        choices = [c for a in parser._actions if a.metavar in missing and a.choices for c in a.choices]
        said = f" ({'; '.join(whats)})" if whats else f"; there are: {', '.join(choices)}" if choices else ""
        return f"{' '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing{said}{see}"
    if found := re.match(r"argument ([^:]+): invalid int value: (.+)", message):
        return f"{found[1]}: a whole number is expected; this is {found[2]}{see}"
    if found := re.match(r"argument ([^:]+): invalid float value: (.+)", message):
        return f"{found[1]}: a number is expected; this is {found[2]}{see}"
    if found := re.match(r"argument ([^:]+): expected one argument", message):
        return f"{found[1]}: a value is missing behind it{see}"
    if found := re.match(r"argument ([^:]+): ignored explicit argument (.+)", message):
        return f"{found[1]}: it takes no value; this is {found[2]}{see}"
    if found := re.match(r"argument ([^:]+): not allowed with argument (.+)", message):
        return f"{found[1]}: it can't stand with {found[2]}; leave one of them out{see}"
    return f"{message}{see}"


def _see(parser: argparse.ArgumentParser) -> str:
    return f"; see `{parser.prog} --help`"


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _below(parser: argparse.ArgumentParser, command: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of a command, or of an action of one."""
    for word in command:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                parser = action.choices[word]
                break
    return parser


def _commands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield f"{before}{name}", below
                yield from _commands(below, f"{before}{name} ")
