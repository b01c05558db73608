"""The prompt files: read and compiled once a process, rendered part by part, digested for the run's identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

LAYOUT = "4"
"""Version of everything about a prompt that its files do not say: order and form of the blocks, and the limits of
texts. Raise it whenever a rendered prompt changes though no file did."""

SUFFIX = ".jinja"


@lru_cache(maxsize=1)
def files() -> Mapping[str, str]:
    """Every prompt file's text by its name, in order of names."""
    folder = resources.files("mlesearch.operators") / "prompts"
    found = {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(SUFFIX)}
    return MappingProxyType(dict(sorted(found.items())))


@lru_cache(maxsize=1)
def digests() -> Mapping[str, str]:
    """sha256 of each prompt file by its name, and of the layout's version."""
    found = {name: hashlib.sha256(text.encode("utf-8")).hexdigest() for name, text in files().items()}
    return MappingProxyType(found | {"layout": hashlib.sha256(f"layout {LAYOUT}".encode()).hexdigest()})


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    return Environment(
        loader=DictLoader(dict(files())),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def compile_all() -> None:
    """Compile every prompt file now, in a process whose forks will render them."""
    environment = _environment()
    for name in files():
        environment.get_template(name)


def render(name: str, values: Mapping[str, object]) -> str:
    """A whole prompt file, filled in.

    Args:
        name: without the suffix.
        values: every variable of the file; one that is missing is an error.
    """
    return _environment().get_template(name + SUFFIX).render(values).strip()


def render_part(name: str, part: str, values: Mapping[str, object]) -> str:
    """One named part (a jinja block: system, job or reply_format) of a prompt file, filled in."""
    template = _environment().get_template(name + SUFFIX)
    return "".join(template.blocks[part](template.new_context(dict(values)))).strip()
