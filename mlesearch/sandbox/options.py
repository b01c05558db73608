"""What all rungs share of their configuration: warm start and the promises without which nothing is run."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mlesearch.sandbox.protocol import GIB, PROMISES
from mlesearch.types import ConfigError, SandboxUnavailable

_NAMES = ("warm", "require", "min_free_gib", "weights")


@dataclass(frozen=True, slots=True)
class Options:
    """Of `sandbox.params`.

    Attributes:
        warm: import the usual libraries before the program arrives.
        require: promises without which nothing is run.
        min_free_bytes: of the scratch folder's file system, below which nothing is run.
        weights: folder of pretrained weights that programs may read.
    """

    warm: bool = True
    require: tuple[str, ...] = ()
    min_free_bytes: int = GIB
    weights: str | None = None


def parse(rung: str, params: Mapping[str, object], also: Sequence[str] = ()) -> Options:
    """Check `sandbox.params`.

    Args:
        rung: its name, for the message.
        params: `warm` ("on" or "off", or a bool), `require` (a list of promises), `min_free_gib` (a number),
            `weights` (a folder, or None), and those of `also`.
        also: further keys of this rung.

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
    """
    for key in params:
        if key not in (*_NAMES, *also):
            raise ConfigError(f"sandbox.{key}: unknown for the rung {rung}; allowed: {', '.join((*_NAMES, *also))}")
    warm = params.get("warm", "on")
    if warm not in ("on", "off", True, False):
        raise ConfigError(f"sandbox.warm: {warm!r} is not allowed; use on or off")
    require = params.get("require", ())
    if not isinstance(require, Sequence) or isinstance(require, str) or not all(isinstance(x, str) for x in require):
        raise ConfigError(f"sandbox.require: {require!r} is not a list of promises; allowed: {', '.join(PROMISES)}")
    check_names(require)
    free = params.get("min_free_gib", 1.0)
    if isinstance(free, bool) or not isinstance(free, int | float) or not 0 <= free < math.inf:
        raise ConfigError(f"sandbox.min_free_gib: {free!r} is not allowed; a number of GiB, 0 or more, is needed")
    weights = params.get("weights")
    if weights is not None and not isinstance(weights, str):
        raise ConfigError(f"sandbox.weights: {weights!r} is not allowed; the path of a folder is needed, or null")
    return Options(warm in ("on", True), tuple(require), round(free * GIB), weights)


def check_names(require: Sequence[str]) -> None:
    """Refuse what is no promise.

    Raises:
        ConfigError: one is no promise.
    """
    for promise in require:
        if promise.removesuffix(": advisory") not in PROMISES:
            raise ConfigError(f"sandbox.require: {promise!r} is no promise; allowed: {', '.join(PROMISES)}")


def check_kept(rung: str, require: Sequence[str], promises: Collection[str]) -> None:
    """Fail closed where a promise that is asked for is not in force; an advisory one is kept by the full one too.

    Raises:
        SandboxUnavailable: one is not kept.
    """
    for promise in require:
        if promise not in promises and promise.removesuffix(": advisory") not in promises:
            raise SandboxUnavailable(
                f"sandbox {rung}: sandbox.require asks for {promise}, which this machine does not promise; "
                f"it promises: {', '.join(promises)}"
            )
