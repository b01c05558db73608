"""The grammar of `mlesearch submit`, and the way to what it does, which is imported only to be done."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlesearch.cli.usage import OneLineParser

_HELP = """\
leave a study to a cluster: check it here, queue its workers there, and return at once

  mlesearch submit --slurm --workers 8 --time 12:00:00 crossover
  mlesearch submit --slurm --workers 8 --time 12:00:00 --partition gpu --gpus 1 -m model=gpt-5 strategy=greedy,mcts
  mlesearch submit --slurm --workers 4 studies/crossover        more workers for a study that was launched
  mlesearch submit --list crossover                             workers are started by another system

A worker is a chain of jobs: each queues the next one before it works, and the last one cancels what follows, so that
time limits, preemption and lost nodes end nothing. What this machine lacks (a GPU, docker, processors) is checked on
the workers' nodes. docs/clusters.md says what a cluster has to offer.

Exit codes: 0 queued, listed or checked; 1 not all of it was queued, or nothing could be from here; 2 wrong input, or
the study can't be changed; 130 stopped by Ctrl-C: what was queued is named.
"""


def add_to(commands: argparse._SubParsersAction[OneLineParser]) -> None:
    """Add the command."""
    submit = commands.add_parser(
        "submit",
        help="leave a study to a cluster: queue its workers, and return at once",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = submit.add_argument
    where = submit.add_mutually_exclusive_group()
    where.add_argument("--slurm", action="store_true", help="to Slurm, which this machine's sbatch speaks to")
    where.add_argument("--list", action="store_true", help="to nobody: write the list of runs, for `mlesearch work`")
    add("--workers", type=int, default=1, metavar="N", help="jobs at work at one time (default: 1)")
    add("--time", metavar="LIMIT", help="of one job, as 12:00:00 or 2-12 (default: the partition's)")
    add("--partition", metavar="NAME", help="of the cluster (default: its default one)")
    add("--gpus", metavar="N", help="of one job, as sbatch takes them: 1, or TYPE:1")
    add("--cpus", type=int, metavar="N", help="processors of one job (default: launcher.n_jobs * sandbox.cpu_count)")
    add("--sbatch", default="", metavar="OPTIONS", help="further options of sbatch, as '--account=lab --mem=64G'")
    add("-m", "--multirun", action="store_true", help="sweep over several values (a,b,c)")
    add("--check", action="store_true", help="check everything that can be checked here, queue and write nothing")
    add("--yes", action="store_true", help="don't ask, whatever it is estimated to cost")
    add("overrides", nargs="*", metavar="EXPERIMENT | KEY=VALUE | STUDY")


def joined(words: Sequence[str]) -> list[str]:
    """A command line in which the options of sbatch, which begin with dashes, stand in one word with `--sbatch`."""
    found: list[str] = []
    for word in words:
        if found and found[-1] == "--sbatch" and found[0] == "submit":
            found[-1] = f"--sbatch={word}"
        else:
            found.append(word)
    return found


def submit(args: argparse.Namespace) -> int:
    """Leave a study to a cluster."""
    from mlesearch.cli.submit import submit as queue

    return queue(args)
