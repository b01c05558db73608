"""Trial runs (`run.trial`): before a program runs on the full data it runs on a sample of it, under a short limit.

Most programs that fail do so for a reason that a tenth of the data shows as well, in a fraction of the time. A program
passes its trial run if it ends well and leaves a submission of the right form, for all rows that are asked for; what
that submission is worth counts for nothing. One that does not pass is not run on the full data: how its trial run ended
is how the proposal ended.

In code and in journals this is a *sample run*: a *trial* is the life of a proposal there (`mlesearch.engine.trial`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.scratch import Owned
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.row_sample import RULE_VERSION, SampleRule, write_sample


class SampleFolder:
    """The public folder of a task's sample, in a scratch folder that is removed by `close`, or once its process died.

    Runs of one process share it, from several threads.
    """

    def __init__(self, task: Task, rule: SampleRule) -> None:
        """Nothing is written before `path`."""
        self._task = task
        self._rule = rule
        self._lock = threading.Lock()
        self._owned: Owned | None = None

    def path(self) -> Path:
        """The folder, written when it is asked for first.

        Raises:
            ConfigError: a file can't be read, or the sample would be all of it.
            SandboxUnavailable: there is no scratch folder.
        """
        with self._lock:
            if self._owned is None:
                owned = Owned()
                try:
                    write_sample(self._task, self._rule, owned.path / "public")
                except BaseException:
                    owned.remove()
                    raise
                self._owned = owned
            return self._owned.path / "public"

    def close(self) -> None:
        """Remove it."""
        with self._lock:
            if self._owned is not None:
                self._owned.remove()
                self._owned = None


@dataclass(frozen=True, slots=True)
class SampleRuns:
    """What the sample runs of a search are.

    Attributes:
        rule: of the sample.
        time_s: limit of one.
        full: what the full runs are prepared for.
        input_dir: the public folder of the sample; written when it is asked for first.
    """

    rule: SampleRule
    time_s: float
    full: Spec
    input_dir: Callable[[], Path]

    def spec(self) -> Spec:
        """What a sample run is prepared for: the full run's, but for data and time limit."""
        task = f"{self.full.task}+sample{RULE_VERSION}({self.rule.share:g},{self.rule.rows})"
        limits = replace(self.full.limits, time_s=self.time_s)
        return replace(self.full, task=task, input_dir=self.input_dir(), limits=limits)

    def limit_s(self, full_s: float) -> float:
        """The time limit of the sample run of a program whose full run has so many seconds."""
        return min(self.time_s, full_s)

    def failed(self, problem: str, limit_s: float) -> str:
        """What a program's output opens with where its sample run did not pass: nothing of it was run in full.

        Args:
            problem: why it did not pass.
            limit_s: the time limit that it ran under.
        """
        rule = self.rule
        return (
            f"Trial run on a sample of the labelled rows (share {rule.share:g}, at least {rule.rows} rows; time limit "
            f"{limit_s:g} s), not passed, so there was no full run: {problem}"
        )
