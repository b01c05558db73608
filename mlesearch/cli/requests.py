"""`mlesearch pause` and `mlesearch requeue`: what is asked of the workers of a study while they are at work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.show_study import find_study_to_change
from mlesearch.cli.terminal import shell_words, shown
from mlesearch.storage.layout import remove_failure
from mlesearch.storage.leases import Leases
from mlesearch.storage.requests import ask_again, end_pause
from mlesearch.storage.requests import pause as ask_to_pause
from mlesearch.study.monitoring.standing import RunProgress, StudyStatus
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.output import say
from mlesearch.types import ConfigError, did_you_mean

PAUSED_BY = "by the user"
"""Why a study is paused, where nobody says more."""


def pause(folder: Path, why: str, *, over: bool) -> int:
    """Have the workers of a study begin nothing new, or let them begin runs again.

    Args:
        folder: of the study, or within it.
        why: what workers and `status` say.
        over: end the pause.

    Raises:
        ConfigError: there is no study here.
        OSError: nothing can be written in it.
    """
    study = find_study_to_change(folder)
    if over:
        say("workers begin runs again" if end_pause(study) else f"{shown(study)} is not paused")
        return 0
    ask_to_pause(study, why.strip() or PAUSED_BY)
    off = shell_words("pause", study, "--off")
    say(f"nothing new begins in {shown(study)}; what is in flight ends; to go on: {off}")
    return 0


def requeue(folder: Path, run_ids: Sequence[str], error_class: str | None) -> int:
    """Let runs that failed, were set aside or found no money be tried again by the workers that are at work.

    Their journals stay: they go on from there.

    Args:
        folder: of the study, or within it.
        run_ids: the runs, as `status` names them; none: all of them.
        error_class: only those that failed so; None: whatever they failed by.

    Raises:
        ConfigError: there is no study here, or a named run did not fail.
        OSError: nothing can be written in it.
    """
    study = find_study_to_change(folder)
    found = read_status(study)
    chosen = _chosen(found, run_ids)
    if error_class is not None:
        chosen = [i for i in chosen if (last := found.runs[i].last) is not None and last.error_class == error_class]
    for run_id in chosen:
        remove_failure(study / run_id)
    if not chosen:
        kind = "" if error_class is None else f" as {error_class}"
        say(f"nothing to try again: no run of {shown(study)} has failed{kind}, was set aside or waits for money")
        return 0
    Leases(study).forget_deaths(chosen)
    ask_again(study, chosen)
    working = any(w.standing in ("working", "paused") for w in found.workers)
    then = "" if working else f"; no worker is at work: {shell_words('resume', study)}"
    say(f"{plural(len(chosen), 'run')} of {shown(study)} to be tried again{then}")
    return 0


def _chosen(found: StudyStatus, run_ids: Sequence[str]) -> list[str]:
    """The runs that are meant, all of which failed or found no money."""
    able = [run_id for run_id, run in found.runs.items() if _may_be_tried(run)]
    if not run_ids:
        return able
    prefix = f"{found.folder}/"
    named = [run_id.removeprefix(prefix).strip("/") for run_id in run_ids]
    for run_id in named:
        if run_id not in found.runs:
            raise ConfigError(f"{run_id}: the study has no such run{did_you_mean(run_id, found.runs)}")
        if run_id not in able:
            raise ConfigError(f"{run_id}: it did not fail ({found.runs[run_id].state.replace('_', ' ')})")
    return named


def _may_be_tried(run: RunProgress) -> bool:
    unpaid = run.last is not None and run.last.status == "unpaid"
    return run.state == "failed" or (unpaid and run.state in ("begun", "waiting"))
