"""The jobs that end in a program: draft, improve, merge, debug."""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.models import markup
from mlesearch.models.simulated.beliefs import Mind
from mlesearch.models.simulated.bugs import BUGS, compatible, ordered
from mlesearch.models.simulated.reading import Prompt, refused, tried
from mlesearch.models.simulated.spaces import Edit, Pipeline, Recognised, apply, apply_all, render, steps_to
from mlesearch.tasks.synthetic.names import ID_PREFIX
from mlesearch.types import Status

DRAFT_STEPS = {"simple": 2, "normal": 3, "complex": 4}
IMPROVE_STEPS = {"simple": 1, "normal": 1, "complex": 2}
"""Steps that a program takes, by the cue of its prompt; without a cue as for "simple"."""

PLAIN_START = 0.5
"""Chance that a draft takes the baseline's option for a choice before it starts to think; else any option."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How often an engineer errs: bug rate b of a step, skill d at repairing."""

    bug_rate: float
    debug_skill: float


class Programmer:
    """Writes the program that one prompt asks for."""

    def __init__(self, prompt: Prompt, mind: Mind, habits: Habits) -> None:
        self._prompt, self._mind, self._habits, self._stream = prompt, mind, habits, mind.stream
        self._space = mind.space
        self._tried = tried(prompt, mind.space)
        self._refused = refused(prompt, mind.space)

    def draft(self) -> str:
        """A new program: a half plain, half random start, then the steps believed best."""
        start = tuple(
            plain if self._stream.uniform() < PLAIN_START else self._stream.pick([o.name for o in choice.options])
            for plain, choice in zip(self._space.baseline, self._space.choices, strict=True)
        )
        steps = self._asked() or self._chosen(start, DRAFT_STEPS.get(self._prompt.cue, DRAFT_STEPS["simple"]))
        pipeline = apply_all(start, steps)
        bugs = self._mistake(1 + len(steps), ())
        return self._reply("Write a first program from a plain start.", steps, pipeline, bugs)

    def improve(self) -> str:
        """The base program with the steps that a hypothesis asks for, or those believed best."""
        base = self._base()
        if base is None:
            return self.draft()
        steps = [e for e in self._asked() if base.pipeline[e.choice] != e.option]
        steps = steps or self._chosen(base.pipeline, IMPROVE_STEPS.get(self._prompt.cue, IMPROVE_STEPS["simple"]))
        pipeline = apply_all(base.pipeline, steps)
        bugs = self._mistake(len(steps), self._left(base))
        return self._reply("Change the base program in one respect.", steps, pipeline, bugs)

    def merge(self) -> str:
        """The best believed mixture of the programs shown, with the steps that a hypothesis asks for.

        An improvement where they are all the same.
        """
        base = self._base()
        others = [s.known.pipeline for s in self._prompt.others if s.known and s.known.task == self._space.task]
        if base is None:
            return self.draft()
        merged = self._mind.merge(base.pipeline, others, self._tried) if others else None
        if merged is None:
            return self.improve()
        merged = apply_all(merged, self._asked())
        steps = [Edit(i, option) for i, option in enumerate(merged) if option != base.pipeline[i]]
        bugs = self._mistake(len(steps), self._left(base))
        return self._reply("Bring together what the programs do well.", steps, merged, bugs)

    def debug(self) -> str:
        """The base program without its fault, where that is found; else with the same or another one."""
        base = self._base()
        if base is None:
            return self.draft()
        judged = self._prompt.base is not None and self._prompt.base.status == Status.JUDGED_BUG.value
        faults = [name for name in base.bugs if judged or not BUGS[name].silent]
        if not faults:  # it failed by itself, for instance by taking too long: do something else
            return self.improve()
        silent = tuple(name for name in base.bugs if name not in faults)
        if self._stream.uniform() < self._habits.debug_skill:
            symptoms = " ".join(BUGS[name].symptom for name in faults)
            return self._reply(f"{symptoms} Repair exactly that.", [], base.pipeline, silent)
        bugs = base.bugs
        if self._stream.uniform() < 0.5:
            bugs = self._mistake(1, silent, surely=True)
        return self._reply("Rewrite the part where the program stopped.", [], base.pipeline, bugs)

    def _base(self) -> Recognised | None:
        base = self._prompt.base
        known = base.known if base else None
        return known if known and known.task == self._space.task else None

    def _asked(self) -> list[Edit]:
        """The steps that the hypotheses of the prompt name; the last word on a choice counts."""
        named = {e.choice: e for hint in self._prompt.hints("hypothesis") for e in self._space.instructions(hint.text)}
        return list(named.values())

    def _chosen(self, start: Pipeline, count: int) -> list[Edit]:
        """Steps one after another, each the best believed one from where the last one led, on different choices."""
        steps: list[Edit] = []
        at = start
        for left in range(count, 0, -1):
            taken = {e.choice for e in steps}
            steps.append(self._step(at, taken, last=left == 1))
            at = apply(at, steps[-1])
        return steps

    def _step(self, at: Pipeline, taken: set[int], *, last: bool) -> Edit:
        closed = self._space.edits_of(taken) if taken else set()
        repeats = closed | self._refused | (steps_to(at, self._tried) if last else set())
        return (self._mind.steps(at, repeats) or self._mind.steps(at, closed) or self._mind.steps(at))[0].step

    def _left(self, base: Recognised) -> tuple[str, ...]:
        """The bugs of the base program that are overlooked while it is changed."""
        return tuple(name for name in base.bugs if self._stream.uniform() >= self._habits.debug_skill)

    def _mistake(self, size: int, bugs: tuple[str, ...], *, surely: bool = False) -> tuple[str, ...]:
        """The bugs of a program after a change of some size: one more with probability 1 − (1 − b)^size."""
        happens = self._stream.uniform() >= (1.0 - self._habits.bug_rate) ** size
        names = compatible(bugs)
        if not (happens or surely) or not names:
            return bugs
        if surely:
            names = [name for name in names if not BUGS[name].silent]
        made = self._stream.pick(names, [BUGS[name].weight for name in names])
        return ordered((*bugs, made))

    def _reply(self, opening: str, steps: list[Edit], pipeline: Pipeline, bugs: tuple[str, ...]) -> str:
        where = self._space
        told = " ".join(where.instruct(e) for e in steps)
        state = self._mind.random_state() if where.task.startswith(ID_PREFIX) else 0
        plan = " ".join(part for part in (opening, told, where.describe(pipeline), "All else stays simple.") if part)
        return f"{plan}\n\n{markup.python_fence(render(where.task, pipeline, bugs, state))}"
