"""The final choice of `selection: revalidate`: the best candidates are run again on fresh validation splits.

The score that a search climbed on flatters what it found. Here the candidates (`Selection.candidates`) are trained
and scored once more on splits that no prompt has seen, the same ones for every run of a task, and the best mean wins.
It comes after the search: it costs no step and no model call, its time is charged, and with a time budget it lives
on what `budget.reserve_s` kept back and the search left over. A round (one split, all candidates) counts only when it
is whole. Every rerun is journaled, so a killed run goes on where it stood.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from mlesearch.engine.clock import Timelines
from mlesearch.engine.parts import EngineParts, RunStatus
from mlesearch.engine.scoring import Scorer, judge
from mlesearch.engine.selection import Selection
from mlesearch.engine.workers import Workers
from mlesearch.sandbox.protocol import Job, Spec, execute
from mlesearch.storage.events import Closing, Revalidated
from mlesearch.types import MICROSECONDS, Direction, ExecResult, Node

Rerun = tuple[int, int]
"""A node, and the seed of the fresh split that it is run on."""


class Rounds:
    """The scores of the candidates, split by split."""

    def __init__(self, candidates: Sequence[int], splits: int, direction: Direction) -> None:
        """`candidates`: the best on validation first; equal means go to the one before."""
        self.candidates = tuple(candidates)
        self._seeds = range(1, splits + 1)
        self._sign = direction.sign
        self._scores: dict[Rerun, float | None] = {}

    def add(self, rerun: Rerun, score: float | None) -> None:
        """One rerun ended; None: it failed on that split."""
        self._scores[rerun] = score

    def left(self) -> Iterator[Rerun]:
        """What was not run yet, round by round."""
        return (r for s in self._seeds for n in self.candidates if (r := (n, s)) not in self._scores)

    @property
    def winner(self) -> int | None:
        """The best mean over the whole rounds, of those that failed in none of them; None where there is none."""
        whole = [s for s in self._seeds if all((n, s) in self._scores for n in self.candidates)]
        best: tuple[float, int] | None = None
        for node in self.candidates:
            scores = [x for s in whole if (x := self._scores[node, s]) is not None]
            if scores and len(scores) == len(whole):
                value = self._sign * math.fsum(x / len(whole) for x in scores)
                if best is None or value > best[0]:
                    best = (value, node)
        return None if best is None else best[1]


class Revalidation:
    """The reruns of one run; all it knows of an earlier process comes from the journal, through `recall`."""

    def __init__(self, parts: EngineParts, time: Timelines, workers: Workers, should_stop: Callable[[], bool]) -> None:
        """Nothing runs before `choose`."""
        self._p = parts
        self._time = time
        self._workers = workers
        self._should_stop = should_stop
        self._rounds: Rounds | None = None

    def recall(self, event: Closing | Revalidated) -> RunStatus | None:
        """Take up an event of an earlier process; returns how the search had ended where the event says it."""
        if event["type"] == "closing":
            self._begin(event["candidates"], event["t"])
            return RunStatus(event["status"])
        if self._rounds is not None:
            self._rounds.add((event["id"], event["split"]), event["score"])
            self._time.restore(event["worker"], event["t"])
        return None

    def choose(self, status: RunStatus, selection: Selection, nodes: Mapping[int, Node]) -> tuple[bool, int | None]:
        """Run what is left to run.

        Args:
            status: how the search ended.
            selection: of the run.
            nodes: its finished programs.

        Returns:
            Whether it came to its end (it was not asked to stop), and the node that is submitted: by validation alone
            where no candidate ran on every fresh split.

        Raises:
            SandboxUnavailable: run again to go on.
        """
        if self._rounds is None:
            candidates, t = selection.candidates(self._p.revalidate_k), self._time.furthest
            self._p.folder.closing(status, candidates, t)
            self._begin(candidates, t)
        done = self._run(self._rounds, nodes) if self._rounds else True
        winner = self._rounds.winner if self._rounds else None
        return done, selection.best if winner is None else winner

    def _begin(self, candidates: Sequence[int], t: int) -> None:
        self._rounds = Rounds(candidates, self._p.revalidate_splits, self._p.direction)
        for worker in range(self._p.workers):
            self._time.start(worker, t)

    def _run(self, rounds: Rounds, nodes: Mapping[int, Node]) -> bool:
        """Keep all workers busy until nothing is left, time is spent, or it is asked to stop (False)."""
        splits = self._p.splits
        if splits is None:
            raise ValueError("selection is revalidate, and there are no fresh splits to run on")
        left, idle = rounds.left(), set(range(self._p.workers))
        flying: dict[int, tuple[Rerun, Scorer]] = {}
        go_on, error = True, None
        try:
            while True:
                while idle and go_on and error is None:
                    worker = self._time.next_idle(idle)
                    deadline_s = self._deadline_s(worker)
                    go_on = not self._should_stop()
                    rerun = next(left, None) if go_on and deadline_s > 0 else None
                    if rerun is None:
                        break
                    spec, scorer = splits.make(rerun[1])
                    idle.discard(worker)
                    flying[worker] = (rerun, scorer)
                    work = partial(self._do, rerun, nodes[rerun[0]].code, spec, deadline_s)
                    self._workers.submit(worker, work, (rerun[1], rerun[0]))
                if not flying:
                    break
                done = self._workers.next()
                idle.add(done.worker)
                rerun, scorer = flying.pop(done.worker)
                if isinstance(done.result, ExecResult):
                    self._finish(rounds, rerun, scorer, done.worker, done.result)
                error = error or done.error
        finally:
            splits.close()
        if error is not None:
            raise error
        return go_on

    def _do(self, rerun: Rerun, program: str, spec: Spec, deadline_s: float) -> ExecResult:
        """Blocking; runs in a worker."""
        address = f"{self._p.context.run_id}/{rerun[0]}/split-{rerun[1]}"
        return execute(self._p.sandbox, spec, Job(address, program, deadline_s, self._p.folder.rerun_outbox(*rerun)))

    def _finish(self, rounds: Rounds, rerun: Rerun, scorer: Scorer, worker: int, result: ExecResult) -> None:
        judged = judge(result, scorer)
        t = self._time.charge(worker, result.charged_us)
        self._p.folder.revalidated(*rerun, worker, t, judged.score, judged.problem, result)
        rounds.add(rerun, judged.score)

    def _deadline_s(self, worker: int) -> float:
        """What a program may take: its limit, or what is left of the whole time budget, the reserve included."""
        limit_s, time_s = self._p.spec.limits.time_s, self._p.budget.time_s
        return limit_s if time_s is None else min(limit_s, time_s - self._time.at(worker) / MICROSECONDS)
