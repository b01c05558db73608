"""Live progress of a launch, read from the journals on disk: the same under every launcher."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mlesearch.analysis.data.reasons import UNUSABLE, head, of_program, ordered, reasons_text
from mlesearch.analysis.text import plural
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.columns import MEDALS
from mlesearch.storage.documents import read_result, read_run
from mlesearch.study.monitoring.waiting import CallsUnderWay, NotesOnce
from mlesearch.study.monitoring.watching import LaunchWatch, Watched, WatchedCell
from mlesearch.study.output import above_bars
from mlesearch.study.runs.fold import fold
from mlesearch.study.runs.summary import direction_of, node_rows
from mlesearch.types import ConfigError, MlesearchError

POLL_S = 0.5
REFRESHED_PER_S = 2


class Progress:
    """Shows how far a launch is: a live bar on a terminal, one line a finished run elsewhere."""

    def __init__(self, runs: Sequence[RunPlan]) -> None:
        """Watch these runs."""
        self._runs = LaunchWatch([r for r in runs if not is_virtual(r.settings)])
        self._cells = [WatchedCell(cell, names) for cell, names in _names_by_cell(runs).items()]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="mlesearch-progress")

    def __enter__(self) -> Progress:
        self._runs.begin()
        for c in self._cells:
            c.poll()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        console = Console()
        total = len(self._runs) + sum(c.asked for c in self._cells)
        left = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *left)
        shown = console.is_terminal
        with Bars(*columns, console=console, disable=not shown, refresh_per_second=REFRESHED_PER_S) as bars:
            runs = bars.add_task("runs", total=total)
            notes = NotesOnce()
            waiting = CallsUnderWay(lambda: [w.run.folder for w in self._runs.under_way])
            programs = bars.add_task("programs", total=self._runs.programs_to_come, visible=bool(len(self._runs)))
            while True:
                stopped = self._stop.wait(POLL_S)
                self._say_runs(console, notes, last=stopped)
                for c in self._cells:
                    if c.poll():
                        done = f"[{self._cells_done()}/{len(self._cells)} cells]"
                        above_bars(f"{done} {c.name}: {plural(c.asked, 'run')}", console)
                waiting.say(bars, runs, console)
                bars.update(runs, completed=self._runs.ended + sum(c.finished for c in self._cells))
                bars.update(programs, completed=self._runs.steps)
                if stopped:
                    return

    def _say_runs(self, console: Any, notes: NotesOnce, *, last: bool) -> None:
        """What became of runs and workers since the last look; at the last one, of all of them."""
        for w in self._runs.look_at_all() if last else self._runs.look():
            if w.finished:
                above_bars(self._line(w), console)
            for line in notes.new(w.run.key.id, w.notes):
                above_bars(line, console)
        for line in self._runs.news:
            above_bars(line, console)
        self._runs.news.clear()

    def _cells_done(self) -> int:
        return sum(c.finished == c.asked for c in self._cells)

    def _line(self, w: Watched) -> str:
        done = self._runs.ended
        try:
            found = describe(w.run.folder)
        except MlesearchError as e:  # it was damaged or removed meanwhile: nothing that a launch dies of
            found = str(e)
        return f"[{done}/{len(self._runs)}] {w.run.key.id}: {found}{self._runs.awaited}"


def _names_by_cell(runs: Sequence[RunPlan]) -> dict[Path, frozenset[str]]:
    """Of the runs on a virtual clock: their names within the store of each cell."""
    found: dict[Path, set[str]] = {}
    for r in runs:
        if is_virtual(r.settings):
            found.setdefault(r.folder.parent.parent, set()).add(f"{r.folder.parent.name}/{r.folder.name}")
    return {cell: frozenset(names) for cell, names in found.items()}


def describe(folder: Path) -> str:
    """A run's result in a few words."""
    result = read_result(folder)
    if result is None:
        raise ConfigError(f"{folder}: this run has no result yet")
    if result["status"] == "failed":
        return f"failed: {result['reason']}"
    score, validation = result["score"], result["val_selected"]
    if result.get("ungraded", False) and result["valid"] and validation is not None:
        return f"ungraded, validation {validation:.5g}"
    if not result["valid"] or score is None or validation is None:
        return why_nothing(folder)
    scores = f"test {score:.5g}, validation {validation:.5g}"
    if result.get("no_board", False):
        return scores
    return f"{next((m for m in MEDALS if result[m]), 'no medal')}, {scores}"


def why_nothing(folder: Path) -> str:
    """Why a run that ended has no valid program: it never had one, or all of them failed; with counts by reason."""
    f = fold(folder)
    rows = node_rows(f, "", direction_of(read_run(folder)))
    if not rows:
        return f"no program: it ended before its first step ({f.ended['status'] if f.ended else 'not ended'})"
    programs = [row for row in rows if row["status"] != UNUSABLE]
    if not programs:
        why = reasons_text(ordered(Counter(head(row["reason"]) for row in rows)))
        return f"no program: 0 of {plural(len(rows), 'step')} gave one, {why}"
    failed = ordered(Counter(of_program(row["reason"] or row["status"]) for row in programs if not row["valid"]))
    none = len(rows) - len(programs)
    beside = f"; {none} of {plural(len(rows), 'step')} gave none" if none else ""
    return f"no valid program, {len(programs)} failed: {reasons_text(failed)}{beside}"
