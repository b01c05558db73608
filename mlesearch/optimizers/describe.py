"""What a strategy says of itself: its idea, its source, and its parameters as its settings declare them.

The module of a strategy's factory holds `DESCRIPTIONS`, a tuple of `Description`: one, or one for each variant where a
factory makes several. `mlesearch strategies` prints them. A plug-in may have one too; it need not.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any

from mlesearch.optimizers.base import allowed_text

FAMILIES: Mapping[str, str] = {
    "random": "programs are drafted or edited with no regard to scores",
    "hill climbing": "one program is kept, and changed where the change scores better",
    "tree search": "a tree of programs, in which scores decide which one is edited next",
    "evolution": "a population of programs, bred by score",
    "gradient": "a diagnosis of each program says in which direction to change it",
}
"""Kinds of search that strategies are compared by, with what each is. A report compares gradient with tree search."""


@dataclass(frozen=True, slots=True)
class Description:
    """One strategy, or one variant of it.

    Attributes:
        idea: one line.
        source: where it was published; empty where nowhere.
        settings: its parameters, a dataclass whose fields are made by `param`; what each means stands in the section
            "Attributes" of its docstring.
        given: the parameters that choose this variant, where the factory makes several.
        family: the kind of search that it is, one of `FAMILIES`; empty where it is not declared.
    """

    idea: str
    source: str
    settings: type
    given: Mapping[str, object] = field(default_factory=dict)
    family: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a strategy, in words.

    Attributes:
        name: as in `strategy.params`.
        default: as a user would write it.
        allowed: type and range, or the choices.
        meaning: from the settings' docstring; empty where that says nothing.
    """

    name: str
    default: str
    allowed: str
    meaning: str


def described(factory: object) -> tuple[Description, ...]:
    """What the module of a factory says of it; empty where it says nothing."""
    module = sys.modules.get(getattr(factory, "__module__", ""))
    found = getattr(module, "DESCRIPTIONS", ())
    return tuple(d for d in found if isinstance(d, Description)) if isinstance(found, tuple) else ()


def chosen_by(descriptions: tuple[Description, ...], params: Mapping[str, Any]) -> Description | None:
    """The variant that parameters choose; the first one where they choose none. None where nothing is described.

    Args:
        descriptions: of one factory.
        params: of a strategy, as given.
    """
    if not descriptions:
        return None
    usual = descriptions[0].given
    return next(
        (d for d in descriptions if all(params.get(key, usual.get(key)) == value for key, value in d.given.items())),
        None,
    )


def parameters(settings: type) -> list[Parameter]:
    """The parameters of a strategy, in the order in which its settings declare them.

    Args:
        settings: a dataclass whose fields are made by `param`. Of a field that is not, the range stays empty, and so
            does the default where it has none. Of anything else nothing is known.
    """
    if not is_dataclass(settings):
        return []
    meanings = attributes(inspect.getdoc(settings) or "")  # without docstrings (python -OO) there are none
    return [
        Parameter(
            f.name,
            "" if f.default is MISSING else written(f.default),
            allowed_text(f) if "choices" in f.metadata else "",
            meanings.get(f.name, ""),
        )
        for f in fields(settings)
    ]


def written(value: Any) -> str:
    """A parameter's value as a user would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    short = f"{value:g}" if isinstance(value, float) else ""
    return short if short and float(short) == value else str(value)


def attributes(docstring: str) -> dict[str, str]:
    """The section "Attributes" of a docstring: by name what each is, in one line."""
    _, _, section = docstring.partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        if entry := re.match(r"    (\w+): (.+)", line):
            name = entry[1]
            found[name] = entry[2]
        elif name:
            found[name] += " " + line.strip()
    return found
