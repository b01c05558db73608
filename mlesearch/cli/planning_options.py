"""The grammar of `mlesearch power`, `next` and `grim`, and the way to what they do, imported only to be done."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlesearch.cli.usage import OneLineParser

_POWER = """\
what a study can detect before it is paid for: smallest gaps, power of a crossover, seeds, tasks and costs

  mlesearch power --models 10 --tasks 75 --seeds 3 --gap 3      with assumed variances
  mlesearch power --from studies/pilot --tasks 75 --gap 3       with those that a pilot study shows
  mlesearch power --from studies/pilot --crossover -6 9 paradigms    at the prices of a planned experiment

Figures are percentage points of the rate of success; docs/planning.md says how they are computed.
"""


def add_to(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the commands."""
    power = commands.add_parser(
        "power",
        help="what a study can detect, and what that takes: gaps, crossover, seeds, tasks, USD",
        description=_POWER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = power.add_argument
    add("-m", "--multirun", action="store_true", help="sweep over several values (a,b,c)")
    add("--from", dest="source", metavar="STUDY", help="a pilot study: its variances and costs")
    add("--models", type=int, metavar="N", help="how many are compared: the family of tests")
    add("--tasks", type=int, metavar="N", help="how many")
    add("--seeds", type=int, metavar="N", help="of each strategy on each task")
    add("--gap", type=float, metavar="POINTS", help="say how many seeds and tasks this gap needs")
    add("--crossover", type=float, nargs=2, metavar=("LOW", "HIGH"), help="gaps at the two ends, in points: -6 9")
    add("--rate", type=float, metavar="PERCENT", help="of the baseline's runs that succeed, assumed (default: 30)")
    add("--json", action="store_true", help="the same as JSON, fractions in place of points")
    add("overrides", nargs="*", metavar="EXPERIMENT | KEY=VALUE", help="the planned launch: its numbers and prices")
    after = commands.add_parser(
        "next",
        help="a study with declared looks: what was shown so far, and what has to be run next",
        description="Take the looks that a study declared (claim.sequential.looks) and say what has to be run next.",
    )
    after.add_argument("study", metavar="STUDY")
    after.add_argument("--after", type=int, metavar="SEEDS", help="this look alone; refused where it was not declared")
    after.add_argument("--json", action="store_true", help="the same as JSON")
    rate = commands.add_parser(
        "grim",
        help="can a published rate be one? numbers of seeds that a mean ± SEM over tasks can come from",
        description="With K seeds of T tasks a rate is a multiple of 1/(T K): the granularity test of means (GRIM).",
    )
    rate.add_argument("mean", metavar="MEAN", help="percent, with the digits that were published: 8.7")
    rate.add_argument("sem", metavar="SEM", nargs="?", help="standard error over seeds, percent, likewise")
    rate.add_argument("--tasks", type=int, metavar="N", required=True, help="how many the rate is over")
    rate.add_argument("--json", action="store_true", help="the same as JSON")


def grim(args: argparse.Namespace) -> int:
    """Say with which numbers of seeds a published rate is possible."""
    from mlesearch.cli.grim import grim as say_grim

    return say_grim(args)


def next_round(args: argparse.Namespace) -> int:
    """Say what a study with declared looks has to run next."""
    from pathlib import Path

    from mlesearch.cli.next_round import next_round as say_next

    return say_next(Path(args.study), args.after, as_json=args.json)
