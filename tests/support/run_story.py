"""Writes a run's folder by hand, step by step: journal, grades, run.json and, where it ended, result.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlesearch.storage.documents import read_run, write_result
from mlesearch.storage.layout import RunKey
from mlesearch.study.runs.fold import FoldedRun, fold
from mlesearch.study.runs.summary import summarise

KEY = RunKey("m", "s", "base", "t", 0)


class Story:
    """A run's folder, event by event; nothing is written before `write`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[dict[str, Any]] = [{"type": "journal", "format": 1, "mlesearch": "test", "run": "r"}]
        self.grades: list[dict[str, Any]] = []
        self.t = 0

    def step(
        self,
        id: int,
        op: str,
        score: float | None = None,
        *,
        base: int | None = None,
        test: float | None = None,
        trace: int = 0,
        says: str | None = None,
        impacts: dict[str, int] | None = None,
        verdicts: tuple[tuple[int, str], ...] = (),
        tokens: int = 10,
        real_us: int = 0,
    ) -> Story:
        """One proposal from asking to telling; with a score, a valid node and its grade."""
        p: dict[str, Any] = {"id": id, "op": op, "trace": trace}
        if base is not None:
            p["base"] = base
        if says is not None:
            p["guidance"] = [{"kind": "hypothesis", "text": says}]
        self.t += 1_000_000
        usage = {"calls": 1, "input_tokens": tokens, "cost_nusd": 1000 * tokens}
        status = "ok" if score is not None or impacts else "error"
        outcome: dict[str, Any] = {"op": op, "status": status, "usage": usage}
        if score is not None:
            outcome["score"] = score
        if impacts:
            outcome["hypotheses"] = [{"text": k, "scores": [5, v, 5, 5, 5]} for k, v in impacts.items()]
        self.events += [
            {"type": "asked", "worker": 0, "t": self.t, "used": 0.0, "p": p},
            {"type": "reply", "id": id, "op": op, "attempt": 0, "t": self.t, "usage": usage, "model": "m"},
            {
                "type": "told",
                "id": id,
                "t": self.t,
                "real_us": real_us,
                "outcome": outcome,
                "verdicts": [{"node": n, "kind": k, "reason": ""} for n, k in verdicts],
            },
        ]
        if score is not None:
            grade = {"score": score if test is None else test, "medal": "none", "valid": True, "above_median": False}
            self.grades.append({"id": id, **grade, "problem": "", "percentile": None})
        return self

    def executed(self, id: int, **result: int) -> Story:
        """A program of a proposal ended."""
        measured = {"wall_us": 500_000, "cpu_us": 250_000, "peak_bytes": 0, **result}
        event = {"type": "executed", "id": id, "t": self.t, "program": "0" * 64, "result": {"status": "ok", **measured}}
        self.events.append(event)
        return self

    def ended(self, selected: int | None, status: str = "completed") -> Story:
        """The run is over."""
        self.events.append({"type": "ended", "status": status, "selected": selected, "t": self.t, "real_us": self.t})
        return self

    def write(self, key: RunKey = KEY, *, result: bool = False) -> Story:
        """Write everything; `result`: result.json too."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in self.events))
        (self.folder / "grades.jsonl").write_text("".join(json.dumps(g) + "\n" for g in self.grades))
        unknown = dict.fromkeys(("tier", "capability", "capability_source"))
        labels = {"suite": "own", "simulated": True, "lower_is_better": False, "validation": "harness"}
        run = {
            "id": key.id,
            "key": key.to_json(),
            "digest": "d",
            "identity": {"sandbox": {}, "limits": {"cpu_count": 1, "memory_bytes": 2**30}},
            "labels": {**unknown, **labels},
        }
        (self.folder / "run.json").write_text(json.dumps(run))
        if result:
            write_result(self.folder, summarise(read_run(self.folder), fold(self.folder)))
        return self

    def fold(self) -> FoldedRun:
        """What the folder tells, once it is written."""
        self.write()
        return fold(self.folder)
