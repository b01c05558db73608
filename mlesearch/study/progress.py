"""Live progress of a launch, read from the journals on disk: the same under every launcher."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mlesearch.analysis.data.reasons import UNUSABLE, head, of_program, ordered, reasons_text
from mlesearch.config.plan import RunPlan
from mlesearch.config.virtual import is_virtual
from mlesearch.storage.cell_store import finished_of
from mlesearch.storage.columns import MEDALS
from mlesearch.storage.documents import RESULT, read_result, read_run
from mlesearch.storage.entry import StoreError
from mlesearch.storage.events import Event, not_passed
from mlesearch.storage.journal import JOURNAL, JournalError, follow
from mlesearch.study.fold import PROGRAMS, fold
from mlesearch.study.output import above_bars
from mlesearch.study.rounds import rounds_of
from mlesearch.study.summary import direction_of, node_rows
from mlesearch.study.waiting import CallsUnderWay, NotesOnce, notes_of
from mlesearch.types import ConfigError, Status

POLL_S = 0.5


class Watched:
    """One run's journal, read on from where it was read last."""

    def __init__(self, run: RunPlan) -> None:
        """Nothing is read yet."""
        self.run = run
        self.steps = 0
        self.finished = False
        self.notes: list[str] = []  # of replies, since they were last taken
        self._offset = 0

    def poll(self) -> bool:
        """Read on; returns whether the run ended since the last look."""
        with contextlib.suppress(FileNotFoundError, JournalError):  # a corrupt journal ends its own run, which says so
            events, self._offset = follow(self.run.folder / JOURNAL, self._offset)
            self.steps += sum(map(_ends_step, events))
            self.notes += notes_of(events)
        if not self.finished and (self.run.folder / RESULT).exists():
            self.finished = True
            return True
        return False


class WatchedCell:
    """How many runs of a cell are in its store: those on a virtual clock."""

    def __init__(self, folder: Path, names: frozenset[str]) -> None:
        """Nothing is read yet."""
        self.name = "/".join(folder.parts[-3:])
        self.asked = len(names)
        self.finished = 0
        self._folder = folder
        self._names = names

    def poll(self) -> bool:
        """Count anew; returns whether all have ended since the last look."""
        before = self.finished
        with contextlib.suppress(StoreError):  # whoever writes it says so
            self.finished = len(self._names & finished_of(self._folder))
        return before < self.finished == self.asked


def _names_by_cell(runs: Sequence[RunPlan]) -> dict[Path, frozenset[str]]:
    """Of the runs on a virtual clock: their names within the store of each cell."""
    found: dict[Path, set[str]] = {}
    for r in runs:
        if is_virtual(r.settings):
            found.setdefault(r.folder.parent.parent, set()).add(f"{r.folder.parent.name}/{r.folder.name}")
    return {cell: frozenset(names) for cell, names in found.items()}


def _ends_step(event: Event) -> bool:
    """Whether a program ended, or was given up: in its trial run, or for want of a usable reply."""
    if event["type"] == "told":
        return event["outcome"]["status"] == Status.REPLY_UNUSABLE and event["outcome"]["op"] in PROGRAMS
    if event["type"] == "sample_run":
        return not_passed(event)
    return event["type"] == "executed"


class Progress:
    """Shows how far a launch is: a live bar on a terminal, one line a finished run elsewhere."""

    def __init__(self, runs: Sequence[RunPlan]) -> None:
        """Watch these runs."""
        self._watched = [Watched(r) for r in runs if not is_virtual(r.settings)]
        self._rounds = rounds_of([w.run.key for w in self._watched])
        self._cells = [WatchedCell(cell, names) for cell, names in _names_by_cell(runs).items()]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="mlesearch-progress")

    def __enter__(self) -> Progress:
        for w in self._watched:
            w.poll()
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
        total = len(self._watched) + sum(c.asked for c in self._cells)
        left = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *left)
        with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
            runs = bars.add_task("runs", total=total)
            notes = NotesOnce()
            waiting = CallsUnderWay([w.run.folder for w in self._watched])
            programs = bars.add_task("programs", total=self._programs_planned(), visible=bool(self._watched))
            while True:
                stopped = self._stop.wait(POLL_S)
                for w in self._watched:
                    if w.poll():
                        above_bars(self._line(w), console)
                    for line in notes.new(w.run.key.id, w.notes):
                        above_bars(line, console)
                for c in self._cells:
                    if c.poll():
                        above_bars(f"[{self._cells_done()}/{len(self._cells)} cells] {c.name}: {c.asked} runs", console)
                waiting.say(bars, runs, console)
                in_cells = sum(c.finished for c in self._cells)
                bars.update(runs, completed=sum(w.finished for w in self._watched) + in_cells)
                bars.update(programs, completed=sum(w.steps for w in self._watched))
                if stopped:
                    return

    def _programs_planned(self) -> int | None:
        steps = [w.run.settings.budget.steps for w in self._watched]
        return None if None in steps else sum(s for s in steps if s is not None)

    def _cells_done(self) -> int:
        return sum(c.finished == c.asked for c in self._cells)

    def _line(self, w: Watched) -> str:
        done = sum(x.finished for x in self._watched)
        return f"[{done}/{len(self._watched)}] {w.run.key.id}: {describe(w.run.folder)}{self._awaited()}"

    def _awaited(self) -> str:
        """What comes next, and after how many runs: the end of a round of seeds, or of the launch."""
        left = Counter(r for r, w in zip(self._rounds, self._watched, strict=True) if not w.finished)
        if not left:
            return ""
        now, last = min(left), max(self._rounds)
        what = "the report" if now == last else f"the table of {now + 1} of {last + 1} seeds"
        return f"; {left[now]} more to {what}"


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
        return f"no program: 0 of {len(rows)} steps gave one, {why}"
    failed = ordered(Counter(of_program(row["reason"] or row["status"]) for row in programs if not row["valid"]))
    none = len(rows) - len(programs)
    beside = f"; {none} of {len(rows)} steps gave none" if none else ""
    return f"no valid program, {len(programs)} failed: {reasons_text(failed)}{beside}"
