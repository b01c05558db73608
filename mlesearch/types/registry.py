"""What can be asked for by name: built in, or brought by installed packages through entry points."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlesearch.types.errors import ConfigError
from mlesearch.types.text import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True, slots=True)
class Registry:
    """What can be asked for by name: what is built in, and what installed packages bring by entry points.

    The packages are looked through only where a name is not built in, or all of them are asked for, and what they
    bring is imported only when it is asked for by its name. A built-in name can't be taken by a package.

    Attributes:
        setting: where a user names one; every error begins with it.
        noun: what one is.
        group: of the entry points.
        builtin: by name. A text is the `module:object` to import; anything else is the thing itself.
        fits: whether an object can be one, for what packages bring.
        beside: further names that the setting takes, for the text of an error.
    """

    setting: str
    noun: str
    group: str
    builtin: Mapping[str, object]
    fits: Callable[[object], bool] = callable
    beside: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """All that can be asked for: built-in, then those of installed packages in the order of their names."""
        return [*self.builtin, *sorted(self.plugins())]

    def plugins(self) -> dict[str, str]:
        """What installed packages bring: by name the package and its version (several, where they claim one name)."""
        return {name: _packages(found) for name, found in self._claims().items() if name not in self.builtin}

    def package(self, name: str) -> str | None:
        """The package, with its version, that brings a name; None where it is built in, or nobody brings it."""
        return None if name in self.builtin else self.plugins().get(name)

    def load(self, name: str, at: str = "") -> Any:
        """What a name stands for.

        Args:
            name: built-in, or of an installed package.
            at: begins an error in place of the setting.

        Raises:
            ConfigError: nothing or several things have this name, or it can't be imported; in one line.
        """
        from importlib import import_module

        at = at or self.setting
        if name in self.builtin:
            found = self.builtin[name]
            if not isinstance(found, str):
                return found
            module, _, attribute = found.partition(":")
            return getattr(import_module(module), attribute)
        claims = self._claims()
        if name not in claims:
            known = [*self.beside, *self.names()]
            raise ConfigError(
                f"{at}: no {self.noun} is called {name!r}{did_you_mean(name, known)}; "
                f"there are: {', '.join(known) or 'none'}"
            )
        self._refuse(name, claims[name], at)
        point = claims[name][0]
        whose = f"{at}: the {self.noun} {name!r} of {_packages([point])}"
        try:
            found = point.load()
        except Exception as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(
                f"{whose} can't be imported from {point.value} ({why}); install what it needs, or another version of it"
            ) from error
        if not self.fits(found):
            raise ConfigError(
                f"{whose} is none: {point.value} is of the type {type(found).__name__}; see docs/plugins.md"
            )
        return found

    def check(self, names: Iterable[str]) -> None:
        """Refuse names that it is not clear about whose they are; nothing is imported.

        Raises:
            ConfigError: several packages claim one of them, or a package claims one that is built in.
        """
        claims = self._claims()
        for name in sorted(set(names) & set(claims)):
            self._refuse(name, claims[name], self.setting)

    def claimed(self) -> list[str]:
        """Every name that installed packages claim, built-in ones among them."""
        return sorted(self._claims())

    def _refuse(self, name: str, claims: list[EntryPoint], at: str) -> None:
        if name in self.builtin:
            raise ConfigError(
                f"{at}: {_packages(claims)} brings a {self.noun} called {name!r}, which is the name of a built-in one; "
                f"uninstall it, or have its entry point in {self.group} renamed"
            )
        if len(claims) > 1:
            raise ConfigError(
                f"{at}: a {self.noun} called {name!r} is brought by {_packages(claims)}; uninstall all but one"
            )

    def _claims(self) -> Mapping[str, list[EntryPoint]]:
        """The entry points of installed packages, by name; one each unless several packages claim the name."""
        return _claims(self.group, _installed())


def _installed() -> tuple[tuple[str, int], ...]:
    """Where packages are installed, each with the time of its last change: what is the same brings the same."""
    found = []
    for place in sys.path:
        try:
            found.append((place, os.stat(place or ".").st_mtime_ns))
        except OSError:
            found.append((place, 0))
    return tuple(found)


@lru_cache(maxsize=64)
def _claims(group: str, installed: tuple[tuple[str, int], ...]) -> Mapping[str, list[EntryPoint]]:
    """The entry points of a group by name, as long as nothing is installed or removed."""
    from importlib.metadata import entry_points

    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, {}).setdefault(_packages([point]), point)
    return {name: list(by_package.values()) for name, by_package in found.items()}


def _packages(points: Iterable[EntryPoint]) -> str:
    return " and ".join(f"{p.dist.name} {p.dist.version}" if p.dist else "an unknown package" for p in points)
