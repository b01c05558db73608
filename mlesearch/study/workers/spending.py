"""What a study has spent and may spend; and another limit for workers that are at work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.budgets.place import DatabasePlace, LedgerPlace
from mlesearch.budgets.shared import Account, SpendingCaps
from mlesearch.config.parts.build import CellParts, make_embedder, make_model, make_roles
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.checks import check_prices
from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.requests import forget_study_usd, set_study_usd, study_usd_in_force
from mlesearch.study.monitoring.status import read_worker_statuses
from mlesearch.study.workers.work import runs_to_work_on
from mlesearch.types import MOST_USD, NANODOLLARS, ConfigError


@dataclass(frozen=True, slots=True)
class Spending:
    """What a study has spent, and may, in USD.

    Attributes:
        spent_usd: for calls that ended or were cut off, as far as its processes have told.
        lost_usd: of that, for calls that were cut off.
        reserved_usd: held for calls in flight, and taken by processes that are at work.
        study_usd: its limit; None: there is none.
    """

    spent_usd: float
    lost_usd: float
    reserved_usd: float
    study_usd: float | None


def spending(study: Path) -> Spending:
    """What a launched study has spent and may.

    Raises:
        ConfigError: no list of its runs is here, or its limit can't be read.
        SharedBudgetError: what was spent can't be read.
    """
    found = _account(study) or Account(0, 0, 0)
    spent, lost, held = (n / NANODOLLARS for n in (found.spent_nusd, found.lost_nusd, found.reserved_nusd))
    return Spending(spent, lost, held, study_usd_in_force(study, _launched_usd(study)))


def check_limit(option: str, study_usd: float) -> None:
    """Refuse what is no limit.

    Raises:
        ConfigError: says why.
    """
    if not 0 < study_usd <= MOST_USD:  # nan is not
        raise ConfigError(f"{option}: {study_usd:g}; more than 0 is needed, and at most {MOST_USD:g}")


def check_priced(runs: Sequence[RunPlan], resources: ProcessResources) -> None:
    """Refuse runs of a list whose models have no known price, for a limit that their launch did not know of.

    Raises:
        ConfigError: as `check_prices`.
    """
    settings = {id(run.settings): run for run in runs}
    for run in settings.values():
        s = run.settings
        made = make_model(s, resources), make_roles(s, resources), make_embedder(s, resources)
        check_prices(CellParts(s, run.budget, *made, None), run.study_dir)


def set_limit(study: Path, study_usd: float, *, listed: bool = False) -> int:
    """Set what a study may cost; returns how many workers are at work, which hear of it before their next call.

    Args:
        study: its folder.
        study_usd: the limit.
        listed: a list of runs with this limit is written, too: workers that start from now on count what they spend.

    Raises:
        ConfigError: no list of its runs is here; or it was launched without a limit, so nobody counts what it spends.
        OSError: nothing can be written in the study.
    """
    working = _at_work(study)
    if not _is_counted(study) and (working or not listed):
        stop = f"stop its {plural(working, 'worker')}, then" if working else "give it one by"
        raise ConfigError(
            f"{study}: it was launched without budget.study_usd, so nobody counts what it spends; {stop}: "
            f"mlesearch resume {study} --study-usd {study_usd:g}"
        )
    set_study_usd(study, study_usd)
    return working


def check_counted(study: Path, runs: Sequence[RunPlan]) -> None:
    """Refuse to limit a study some of whose workers count nothing, since they were launched without a limit.

    Args:
        study: its folder.
        runs: of a launch that has not begun.

    Raises:
        ConfigError: its limit can't be kept.
    """
    limited = any(_has_limit(r) and r.settings.cassette != "replay" for r in runs)
    if limited and (working := _at_work(study)) and not _is_counted(study):
        raise ConfigError(
            f"budget: {plural(working, 'worker')} at work on {study} began without a limit, so nobody counts what "
            f"{'it spends' if working == 1 else 'they spend'}; stop {'it' if working == 1 else 'them'}, or wait for "
            "the end, then give this command again"
        )


def note_launched_limit(study: Path, runs: Sequence[RunPlan]) -> None:
    """Let the limit of a launch be that of the study, for all that are at work; one that sets none changes nothing."""
    said = {r.settings.budget.study_usd for r in runs if r.settings.cassette != "replay"} - {None}
    if len(said) == 1:
        set_study_usd(study, said.pop())
    elif said:  # each cell has one of its own
        forget_study_usd(study)


def _at_work(study: Path) -> int:
    """How many workers are at work on a study."""
    return sum(w.standing in ("working", "paused", "stopping") for w in read_worker_statuses(study))


def _is_counted(study: Path) -> bool:
    """Whether the workers of a launched study count what they spend: it was limited once, or is by one of its lists."""
    caps = SpendingCaps()
    if LedgerPlace(study, caps).exists or DatabasePlace(study, caps).exists:
        return True
    return any(_has_limit(run) for run in runs_to_work_on(study)[0])


def _has_limit(run: RunPlan) -> bool:
    limits = run.settings.budget
    return limits.study_usd is not None or limits.cell_usd is not None


def _launched_usd(study: Path) -> float | None:
    """The largest limit that its lists say; None where they say none."""
    runs, _ = runs_to_work_on(study)
    return max((r.settings.budget.study_usd or 0.0 for r in runs), default=0.0) or None


def _account(study: Path) -> Account | None:
    """What its processes have told of; None where they count nothing."""
    caps = SpendingCaps()
    for place in (LedgerPlace(study, caps), DatabasePlace(study, caps)):
        if place.exists:
            with closing(place.open()) as budget:
                return budget.account()
    return None
