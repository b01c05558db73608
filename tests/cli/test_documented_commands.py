"""Commands that the pages show can be pasted into any shell, zsh among them, and their overrides compose."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mlesearch.cli.main import parse
from mlesearch.config.loading.compose import expand, jobs
from tests.support.paths import DOCS, ROOT

PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
COMMAND = re.compile(r"(?:^|[`$] ?)(mlesearch [a-z][^`\n]*)", re.MULTILINE)
OF_OTHERS = {"strategy=epsilon", "strategy=greedy,epsilon", "model=fixed", "tasks=[submission-task]"}
"""Words about a plug-in or a task that the page itself describes."""


def commands(page: Path) -> list[str]:
    """Every command of ours in a page, in blocks and in sentences, without a comment or a pipe behind it."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return [re.split(r"\s#\s|\s[|>&]|;\s", found)[0].strip() for found in COMMAND.findall(text)]


def left_to_the_shell(command: str) -> str:
    """What stands outside quotes, without what a page marks as one's choice: `[name]`, `[RUNG ...]`, `[--out DIR]`."""
    bare = re.sub(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", "", command)
    return re.sub(r"(?<!\S)\[[^]]*\](?!\S)", "", bare)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_left_to_the_shell(page: Path) -> None:
    """`seeds=[0,1,2]` is a pattern of file names in zsh, and an error where no file matches."""
    assert [c for c in commands(page) if re.search(r"[][{}*?()]", left_to_the_shell(c))] == []


def composed() -> list[str]:
    """Commands of launches that are shown whole; experiments have tests of their own."""
    found = [c for page in PAGES for c in commands(page) if re.match(r"mlesearch (run|estimate) (-m |\S+=).*=", c)]
    return [c for c in dict.fromkeys(found) if "..." not in c and not OF_OTHERS & set(shlex.split(c))]


@pytest.mark.parametrize("command", composed())
def test_overrides_of_a_launch_compose(command: str) -> None:
    if "submitit" in command:
        pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'mlesearch[slurm]'")
    arguments = parse(shlex.split(command)[1:])
    assert jobs(expand(arguments.overrides, multirun=arguments.multirun), arguments.multirun).jobs


def test_commands_are_found() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 100
    assert len(composed()) >= 6
