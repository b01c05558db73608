"""The simulated engineer: a model with a capability dial that writes real scikit-learn programs.

It is a model like any other: it sees the messages of a request and nothing else, and answers in text. What it knows
of the world is in its beliefs (beliefs.py), whose only tie to the truth is the dial. See docs/simulation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlesearch.models.price import Price
from mlesearch.models.protocol import FatalModelError, Reply, Request
from mlesearch.models.simulated import beliefs, evidence
from mlesearch.models.simulated.beliefs import Faculties, Mind, World
from mlesearch.models.simulated.judge import Judge
from mlesearch.models.simulated.programmer import Habits, Programmer
from mlesearch.models.simulated.reading import Prompt, read
from mlesearch.models.simulated.spaces import TASKS
from mlesearch.types import MICROSECONDS, ConfigError, Op, Usage

VERSION = 3
"""Changes whenever the same request would get another reply."""

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Dial:
    """What an engineer is like. Prices and speeds are virtual.

    Attributes:
        capability: c from 0 (knows nothing) to 1 (knows the truth).
        breadth: how many steps it thinks of at a time, at least 1.
        bug_rate: b, chance of a bug per step of a change, from 0 to below 1.
        debug_skill: d, chance that it repairs a bug, from 0 to 1.
        persistence: k, from 0 (misjudges afresh each time) to 1 (the same misconceptions always).
        evidence_share: f, share of what a step is worth that only evidence shows, from 0 to 1. It belongs to the world
            rather than to the engineer: give all engineers of a study the same.
        input_usd_per_mtok: US dollars per million input tokens.
        output_usd_per_mtok: US dollars per million output tokens.
        latency_s: seconds before the first token.
        input_tokens_per_s: reading speed.
        output_tokens_per_s: writing speed.
    """

    capability: float = 0.5
    breadth: int = 6
    bug_rate: float = 0.15
    debug_skill: float = 0.6
    persistence: float = 0.5
    evidence_share: float = 0.4
    input_usd_per_mtok: float = 1.0
    output_usd_per_mtok: float = 4.0
    latency_s: float = 1.0
    input_tokens_per_s: float = 5000.0
    output_tokens_per_s: float = 100.0


_RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    "capability": (lambda v: 0.0 <= v <= 1.0, "a number from 0 to 1"),
    "breadth": (lambda v: v >= 1 and v == int(v), "a whole number from 1"),
    "bug_rate": (lambda v: 0.0 <= v < 1.0, "a number from 0 to below 1"),
    "debug_skill": (lambda v: 0.0 <= v <= 1.0, "a number from 0 to 1"),
    "persistence": (lambda v: 0.0 <= v <= 1.0, "a number from 0 to 1"),
    "evidence_share": (lambda v: 0.0 <= v <= 1.0, "a number from 0 to 1"),
    "input_usd_per_mtok": (lambda v: v >= 0.0, "a number from 0"),
    "output_usd_per_mtok": (lambda v: v >= 0.0, "a number from 0"),
    "latency_s": (lambda v: v >= 0.0, "a number from 0"),
    "input_tokens_per_s": (lambda v: v > 0.0, "a number above 0"),
    "output_tokens_per_s": (lambda v: v > 0.0, "a number above 0"),
}


def _dial(name: str, params: Mapping[str, object]) -> Dial:
    known = [f.name for f in fields(Dial)]
    values: dict[str, Any] = {}
    for key, value in params.items():
        if key not in known:
            raise ConfigError(
                f"model {name}: params.{key}: a simulated engineer has no such parameter; it has: {', '.join(known)}"
            )
        right, allowed = _RANGES[key]
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
        if not math.isfinite(number) or not right(number):
            raise ConfigError(f"model {name}: params.{key} is {value!r}; expected {allowed}")
        values[key] = int(number) if key == "breadth" else number
    return Dial(**values)


class Engineer:
    """A simulated model. Holds no state between calls, so it may be called from several threads.

    Args:
        name: logical name; part of its randomness, so that two engineers have their own misconceptions.
        dial: what it is like.
        world: the truth of a task by its id; raises KeyError for a task that it does not know.
    """

    live = False
    simulated = True

    def __init__(self, name: str, dial: Dial, world: World = beliefs.shipped) -> None:
        self._name, self._dial, self._world = name, dial, world
        self._price = Price(dial.input_usd_per_mtok, dial.output_usd_per_mtok)

    @property
    def name(self) -> str:
        """Its logical name."""
        return self._name

    @property
    def price(self) -> Price:
        """Its declared, virtual price."""
        return self._price

    def identity(self) -> Mapping[str, object]:
        """Dial, version, and digests of the tables that it knows."""
        tables = {task: beliefs.digest(task) for task in TASKS}
        return {
            "kind": "simulated",
            "version": VERSION,
            "tables": tables,
            "worlds": beliefs.worlds_version(),
            **asdict(self._dial),
        }

    def check(self) -> None:
        """Nothing can be missing: the tables are part of the package, and any dial that exists is valid."""

    def complete(self, request: Request) -> Reply:
        """Answer a prompt.

        Raises:
            FatalModelError: the prompt is about a task of which it knows nothing.
        """
        at = request.address
        call = (self._name, request.entropy, at.proposal, at.op.value, at.attempt)
        text = self._answer(read(request.messages), call)
        finish = "stop"
        if len(text) > request.sampling.max_tokens * CHARS_PER_TOKEN:
            text, finish = text[: request.sampling.max_tokens * CHARS_PER_TOKEN], "length"
        return Reply(text, finish, self._usage(sum(len(m.content) for m in request.messages), len(text)), self._name)

    def _answer(self, prompt: Prompt, call: tuple[object, ...]) -> str:
        if prompt.op is None:
            return "I find no job in this message, so there is nothing that I could do."
        try:
            task = self._world(prompt.task)
        except KeyError:
            raise FatalModelError(
                f"model {self._name}: the simulated engineer knows nothing of task {prompt.task!r}; "
                f"it knows {', '.join(TASKS)} and the synthetic tasks: choose one of these, or another model"
            ) from None
        dial = self._dial
        faculties = Faculties(dial.capability, dial.persistence, dial.breadth, dial.evidence_share)
        mind = Mind(self._name, task, faculties, call)
        mind.learn(evidence.read(prompt, task.space))
        programmer = Programmer(prompt, mind, Habits(dial.bug_rate, dial.debug_skill))
        judge = Judge(prompt, mind, dial.debug_skill)
        jobs: dict[Op, Callable[[], str]] = {
            Op.DRAFT: programmer.draft,
            Op.IMPROVE: programmer.improve,
            Op.MERGE: programmer.merge,
            Op.DEBUG: programmer.debug,
            Op.DIAGNOSE: judge.diagnose,
            Op.HYPOTHESIZE: judge.hypothesize,
            Op.SELECT: judge.select,
            Op.REVIEW: judge.review,
        }
        return jobs[prompt.op]()

    def _usage(self, chars_in: int, chars_out: int) -> Usage:
        read_, written = -(-chars_in // CHARS_PER_TOKEN), -(-chars_out // CHARS_PER_TOKEN)
        seconds = (
            self._dial.latency_s + read_ / self._dial.input_tokens_per_s + written / self._dial.output_tokens_per_s
        )
        return Usage(
            calls=1,
            input_tokens=read_,
            output_tokens=written,
            cost_nusd=self._price.cost_nusd(read_, written),
            service_us=round(seconds * MICROSECONDS),
        )


def make(name: str, params: Mapping[str, object]) -> Engineer:
    """A simulated engineer.

    Args:
        name: its logical name.
        params: any of the attributes of `Dial`.

    Raises:
        ConfigError: an unknown parameter, or a value outside its range.
    """
    return Engineer(name, _dial(name, params))
