"""The grammar of the command line and what does it belong together."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from mlesearch.cli.commands import COMMANDS
from mlesearch.cli.main import parser


def words(made: argparse.ArgumentParser, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All that the grammar lets a user ask for."""
    below = [action for action in made._actions if isinstance(action, argparse._SubParsersAction)]
    if not all(action.required for action in below) or not below:
        yield before
    for action in below:
        for name, inner in action.choices.items():
            yield from words(inner, (*before, name))


def test_every_command_is_done_by_a_function_and_every_function_has_a_command() -> None:
    assert sorted(words(parser())) == sorted(COMMANDS)
