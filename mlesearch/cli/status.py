"""`mlesearch status`: where a study stands, as one table and some lines, once or again and again, or as JSON."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from mlesearch.analysis.text import plural
from mlesearch.cli.show_study import find_study
from mlesearch.cli.terminal import duration, shell_words, shown, table_lines
from mlesearch.study.monitoring.standing import CellCounts, RunStanding, StudyStatus, WorkerStatus
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.output import say, visible

EVERY_S = 2.0
SHARE = 50.0
"""Looking again waits so many times as long as looking took, so that it takes hardly any of a machine."""
EVERY_ELSEWHERE_S = 60.0
"""Where no terminal shows it."""
NAMED = 3
"""So many runs or workers of a kind are named."""


def status(folder: Path, *, watch: bool, as_json: bool) -> int:
    """Say where a study stands.

    Args:
        folder: of the study, or within it.
        watch: again and again, until nothing is left to do or the user stops it.
        as_json: one object a look, in place of words.

    Raises:
        ConfigError: there is no study in this folder.
    """
    study = find_study(folder)
    if not watch:
        found = read_status(study)
        say(_json(found) if as_json else "\n".join(lines(found)))
        return 0
    with contextlib.suppress(KeyboardInterrupt):  # this is how one leaves
        _watch(study, as_json=as_json)
    return 0


def _watch(study: Path, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    on_terminal = console.is_terminal and not as_json
    with Live(console=console, screen=True, auto_refresh=False) if on_terminal else _Nothing() as live:
        while True:
            began_s = time.monotonic()
            found = read_status(study)
            text = _json(found) if as_json else "\n".join(lines(found))
            if isinstance(live, Live):
                live.update(Text(visible(text)), refresh=True)
            else:
                say(text)
            if not found.missing:
                break
            took_s = time.monotonic() - began_s
            time.sleep(max(EVERY_S if on_terminal or as_json else EVERY_ELSEWHERE_S, SHARE * took_s))
    if on_terminal:
        say(text)


class _Nothing:
    """In place of a live screen."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        return None


def lines(found: StudyStatus) -> Iterator[str]:
    """Where a study stands, for people: the runs that are missing first."""
    yield _head(found)
    if found.cells:
        yield from table_lines([*(_row(found, cell) for cell in found.cells), *_sums(found)])
    if found.simulated:
        yield "simulated engineers, not language models: this says nothing about any language model"
    if found.paused:
        yield f"paused: {found.paused}; nothing new begins until: {shell_words('pause', found.folder, '--off')}"
    yield from _workers(found)
    yield from _left(found)
    for failed in found.failures:
        first, others = failed.run_ids[0], len(failed.run_ids) - 1
        where = [f"on {failed.host}" if failed.host else "", f"job {failed.job}" if failed.job else ""]
        where += [f"log: {shown(failed.log)}" if failed.log else ""]
        known = "; ".join(part for part in where if part)
        kind = f" ({failed.error_class})" if failed.error_class else ""
        more = f" and {others} more" if others else ""
        yield f"failed{kind}: {first}{more}: {failed.reason}{f' [{known}]' if known else ''}"
    for budget in found.budgets:
        if budget.nearly_spent:
            whose = f" of {budget.cell}" if budget.cell else ""
            usd = f"USD {budget.usd:,.4f} of {budget.limit_usd:,.4f}"
            yield f"nearly spent: {budget.setting}{whose}: {usd}, by journals"
    for reason, n in found.unpaid.items():
        yield f"waiting for money: {plural(n, 'run')}: {reason}"
    yield from _time(found)
    yield from _next(found)


def _head(found: StudyStatus) -> str:
    ended, verb = found.count("ended"), "has" if len(found.runs) == 1 else "have"
    parts = [f"{ended:,} of {plural(len(found.runs), 'run')} {verb} ended"]
    parts += [f"{n:,} failed"] if (n := found.count("failed")) else []
    parts += (
        [f"{found.missing:,} {'is' if found.missing == 1 else 'are'} missing"] if found.missing else ["none is missing"]
    )
    counts = ", ".join(parts) if found.runs else "no run was asked for yet"
    return f"study {found.name} in {shown(found.folder)}: {counts}"


def _row(found: StudyStatus, cell: CellCounts) -> dict[str, str]:
    usd = f"{'at least ' if cell.usd_unknown else ''}{cell.usd:,.4f}{' virtual' if found.simulated else ''}"
    return {
        "cell": cell.cell,
        "runs": str(cell.planned),
        "ended": str(cell.ended),
        "failed": str(cell.failed),
        "under way": str(cell.under_way),
        "begun": str(cell.begun),
        "to begin": str(cell.waiting),
        "any medal so far": f"{cell.medals} of {cell.rated}" if cell.rated else "-",
        "USD so far": usd,
        "left": "-" if not cell.left_s else duration(cell.left_s),
    }


def _sums(found: StudyStatus) -> Iterator[dict[str, str]]:
    """A last line, of all cells."""
    if len(found.cells) < 2:
        return
    counts = {
        name: sum(getattr(c, name) for c in found.cells)
        for name in ("planned", "ended", "failed", "under_way", "begun", "waiting", "rated", "medals", "usd_unknown")
    }
    yield _row(found, CellCounts(cell="all", usd=found.usd, left_s=found.left_s, **counts))


def _workers(found: StudyStatus) -> Iterator[str]:
    at_work = [w for w in found.workers if w.standing in ("working", "paused", "stopping")]
    if at_work:
        slots = sum(len(w.state.slots) for w in at_work)
        places = ", ".join(dict.fromkeys(_place(w) for w in at_work))
        yield f"workers: {len(at_work):,} with {plural(slots, 'slot')} on {places}"
    for w in at_work:
        if w.standing != "working":
            doing = {"paused": "waiting"}.get(w.standing, w.standing)
            first = f", once {_named(w.state.run_ids)} is over" if w.state.run_ids else ""
            yield f"{doing}: worker {w.state.id}{first}{f': {w.state.why}' if w.state.why else ''}"
    for w in found.stalled:
        runs = found.left_by(w)
        taken = "; others have taken its runs over" if w.state.run_ids else ""
        busy = f", at work on {_named(runs)}; others take its runs over" if runs else taken
        yield f"stalled: worker {w.state.id} on {_place(w)} was last heard of {duration(w.heard_s)} ago{busy}"
    for w in found.broken_off[:NAMED]:
        runs = found.left_by(w)
        goes_on = "it goes on from its journal" if len(runs) == 1 else "they go on from their journals"
        yield f"ended abruptly: worker {w.state.id} on {_place(w)}, at work on {_named(runs)}; {goes_on}"
    if (more := len(found.broken_off) - NAMED) > 0:
        yield f"ended abruptly: {plural(more, 'other worker')}"


def _named(run_ids: Sequence[str]) -> str:
    """Some runs: the first few by name."""
    more = len(run_ids) - NAMED
    return ", ".join(run_ids[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _left(found: StudyStatus) -> Iterator[str]:
    """What workers have left to other machines, of the runs that are missing; one line a reason."""
    missing = [run_id for run_id, run in found.runs.items() if run.state in ("begun", "waiting")]
    hosts: dict[str, list[str]] = {}
    for worker in found.workers:
        for left in worker.state.left:
            if any(left.has(run_id) for run_id in missing):
                hosts.setdefault(left.why, []).append(worker.state.host)
    for why, named in hosts.items():
        names = list(dict.fromkeys(named))
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield f"left to other machines by {', '.join(names[:NAMED])}{more}: {why}"


def _place(worker: WorkerStatus) -> str:
    job = f" (job {worker.state.job})" if worker.state.job else ""
    return f"{worker.state.host or 'an unknown machine'}{job}"


def _time(found: StudyStatus) -> Iterator[str]:
    under_way = [run for run in found.runs.values() if run.state == "under_way" and run.since_s > 0]
    if under_way:
        oldest = min(under_way, key=lambda run: run.since_s)
        took = duration(max(0.0, found.now_s - oldest.since_s))
        yield f"longest under way: {oldest.key.id}, for {took}, after {plural(oldest.steps, 'step')}"
    if found.missing and found.left_s is not None:
        runs = "missing run takes" if found.missing == 1 else f"{found.missing:,} missing runs take"
        basis = f"if the {runs} as long as the {found.measured:,} that ended, cell by cell"
        if found.eta_s is not None:
            yield f"about {duration(found.eta_s)} left with {plural(found.slots, 'slot')}, {basis}"
        else:
            yield f"about {duration(found.left_s)} of one slot's work are left, {basis}"


def _next(found: StudyStatus) -> Iterator[str]:
    working = any(w.standing in ("working", "paused", "stopping") for w in found.workers)
    if found.missing and not working:
        yield f"no worker is at work; to go on: {shell_words('resume', found.folder)}"
    elif found.failures and not found.missing:
        yield f"to try failed runs again: {shell_words('resume', found.folder)}"


def _json(found: StudyStatus) -> str:
    """The same as data: seconds, USD, counts; runs that are under way or failed by name."""
    content = {
        "study": found.name,
        "folder": str(found.folder.absolute()),
        "simulated": found.simulated,
        "planned": len(found.runs),
        **{state: found.count(state) for state in get_args(RunStanding)},
        "missing": found.missing,
        "paused": found.paused,
        "usd": found.usd,
        "left_slot_s": found.left_s,
        "eta_s": found.eta_s,
        "measured_runs": found.measured,
        "cells": [asdict(cell) for cell in found.cells],
        "workers": [{**asdict(w.state), "standing": w.standing, "heard_s": round(w.heard_s, 3)} for w in found.workers],
        "runs_under_way": [
            {"run_id": run_id, "worker": run.worker, "since_s": run.since_s, "steps": run.steps, "usd": run.usd}
            for run_id, run in found.runs.items()
            if run.state == "under_way"
        ],
        "failures": [{**asdict(f), "log": None if f.log is None else str(f.log.absolute())} for f in found.failures],
        "unpaid": found.unpaid,
        "budgets": [asdict(budget) for budget in found.budgets],
    }
    return json.dumps(content)
