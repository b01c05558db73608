"""Live progress of a launch, read from the journals on disk: the same under every launcher."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mlesearch.config.plan import RunPlan
from mlesearch.storage.files import read_json

POLL_S = 0.5


class Watched:
    """One run's journal, read on from where it was read last."""

    def __init__(self, run: RunPlan) -> None:
        """Nothing is read yet."""
        self.run = run
        self.steps = 0
        self.bytes_read = 0
        self.finished = False

    def poll(self) -> bool:
        """Read on; returns whether the run ended since the last look."""
        journal = self.run.folder / "journal.jsonl"
        if journal.exists():
            with open(journal, "rb") as f:
                f.seek(self.bytes_read)
                new = f.read()
            whole = new[: new.rfind(b"\n") + 1]
            self.bytes_read += len(whole)
            self.steps += sum(
                line.startswith(b'{"type":"executed"') or b'"status":"reply_unusable"' in line
                for line in whole.split(b"\n")
            )
        if not self.finished and (self.run.folder / "result.json").exists():
            self.finished = True
            return True
        return False


class Progress:
    """Shows how far a launch is: a live bar on a terminal, one line a finished run elsewhere."""

    def __init__(self, runs: Sequence[RunPlan], finished_before: int) -> None:
        """Watch these runs."""
        self._watched = [Watched(r) for r in runs]
        self._before = finished_before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="mlesearch-progress")

    def __enter__(self) -> Progress:
        for w in self._watched:
            w.poll()
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
        total = len(self._watched)
        left = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *left)
        with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
            runs = bars.add_task("runs", total=total)
            programs = bars.add_task("programs", total=self._programs_planned())
            while True:
                stopped = self._stop.wait(POLL_S)
                for w in self._watched:
                    if w.poll():
                        console.print(self._line(w), highlight=False, markup=False, soft_wrap=True)
                bars.update(runs, completed=sum(w.finished for w in self._watched))
                bars.update(programs, completed=sum(w.steps for w in self._watched))
                if stopped:
                    return

    def _programs_planned(self) -> int | None:
        steps = [w.run.settings.budget.steps for w in self._watched]
        return None if None in steps else sum(s for s in steps if s is not None)

    def _line(self, w: Watched) -> str:
        done = sum(x.finished for x in self._watched)
        return f"[{done}/{len(self._watched)}] {w.run.key.id}: {describe(w.run.folder)}"


def describe(folder: Path) -> str:
    """A run's result in a few words."""
    result = read_json(folder / "result.json")
    if result["status"] == "failed":
        return f"failed: {result['reason']}"
    if not result["valid"]:
        return "no valid program"
    medal = next((m for m in ("gold", "silver", "bronze") if result[m]), "no medal")
    return f"{medal}, test {result['score']:.5g}, validation {result['val_selected']:.5g}"
