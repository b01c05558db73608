"""`mlesearch grim`: with which numbers of seeds a published mean ± SEM over tasks is possible."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from dataclasses import asdict

from mlesearch.analysis.statistics.published import published_rate
from mlesearch.analysis.text import plural
from mlesearch.study.output import say
from mlesearch.types import ConfigError

SEEDS = range(1, 21)


def grim(args: Namespace) -> int:
    """Say it; the digits that were typed are those that were published.

    Args:
        args: the command's options.

    Raises:
        ConfigError: a figure is none.
    """
    mean = _figure("MEAN", args.mean, 100.0)
    sem = None if args.sem is None else _figure("SEM", args.sem, 100.0)
    if args.tasks < 1:
        raise ConfigError(f"--tasks: {args.tasks}; at least 1 is needed")
    decimals = min(_decimals(text) for text in (args.mean, args.sem) if text is not None)
    found = published_rate(mean, sem, args.tasks, decimals, SEEDS)
    if args.json:
        say(json.dumps({**asdict(found), "tasks": args.tasks, "tried": [SEEDS[0], SEEDS[-1]]}))
        return 0
    shown = args.mean if args.sem is None else f"{args.mean} ± {args.sem}"
    say(f"{shown} % over {plural(args.tasks, 'task')}: {found.words} ({SEEDS[0]} to {SEEDS[-1]} were tried)")
    if sem is not None and not found.by_both and found.by_mean:
        say(f"the mean alone is possible with {', '.join(map(str, found.by_mean))} seeds")
    return 0


def _figure(name: str, text: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= most:
        raise ConfigError(
            f"{name}: {text!r} is no figure in percent; from 0 to {most:g}, with the digits published: 8.7"
        )
    return value


def _decimals(text: str) -> int:
    """Digits behind the point, as typed."""
    return len(text.partition(".")[2])
