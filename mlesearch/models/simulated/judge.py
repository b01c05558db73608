"""The jobs that end in a judgement: diagnose, hypothesize, select, review. All answer in JSON."""

from __future__ import annotations

import json
import re

from mlesearch.models.simulated.beliefs import Mind
from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.evidence import CARRIES, VERDICTS, EvidenceItem, printed, sentence
from mlesearch.models.simulated.reading import Prompt, ShownProgram, refused, tried
from mlesearch.models.simulated.spaces import Edit, Pipeline, Recognised, steps_to
from mlesearch.types import ProblemKind, Status

MOST_HYPOTHESES = 5
MOST_FIRST_HYPOTHESES = 3
"""Hypotheses for a first program are all implemented together, so they are few and about different choices."""

FALSE_ALARM = 0.1
"""A sound program is called leaky with this probability times that of a misjudgement."""

_SCENARIO = re.compile(r"scenario: (\d+)|(\d+) scenario")
_FEEDBACK = re.compile(r"feedback: (\d+)|(\d+) feedback")


def _impact(belief: float) -> float:
    """A believed normal score on the scale from 1 to 10."""
    return round(min(10.0, max(1.0, 5.5 + 2.0 * belief)), 1)


def _joined(*sentences: str) -> str:
    return " ".join(part for part in sentences if part)


class Judge:
    """Answers the judgement that one prompt asks for."""

    def __init__(self, prompt: Prompt, mind: Mind, debug_skill: float) -> None:
        self._prompt, self._mind, self._skill, self._stream = prompt, mind, debug_skill, mind.stream
        self._space = mind.space

    def _known(self, shown: ShownProgram | None) -> Recognised | None:
        known = shown.known if shown else None
        return known if known and known.task == self._space.task else None

    def _leaks(self, known: Recognised | None) -> bool:
        """Whether it calls the validation misaligned: a leak is noticed, or rarely one is seen that isn't there."""
        noticed, alarm = self._mind.notices(), self._stream.uniform() < FALSE_ALARM
        if known is not None and "leak" in known.bugs:
            return noticed
        return alarm and not noticed

    def diagnose(self) -> str:
        """The verdict on the subject, against the base where there is one."""
        prompt = self._prompt
        subject, base = self._known(prompt.subject), self._known(prompt.base)
        ran = prompt.subject is not None and prompt.subject.status == Status.OK.value
        leaky = ran and self._leaks(subject)
        shown = bool(printed(prompt, "subject", prompt.subject, self._space))
        first, second = (
            self._mind.gain(base.pipeline, subject.pipeline, ran=shown) if subject and base else self._stream.normal()
            for _ in range(2)
        )
        better = first > 0.0
        stated = bool(prompt.hints("hypothesis"))
        replace = ran and not leaky and (better or prompt.base is None)
        return json.dumps(
            {
                "format_valid": ran,
                "severely_misaligned": leaky,
                "changes": self._changes(base, subject),
                "observations": self._observations(),
                "hypothesis_supported": better if stated and ran else None,
                "quality_better": ran and second > 0.0,
                "replace": replace,
                "reason": self._reason(ran, leaky, replace, base, subject),
            }
        )

    def _changes(self, base: Recognised | None, subject: Recognised | None) -> str:
        if subject is None:
            return "The program follows a design of its own."
        if base is None:
            return self._space.describe(subject.pipeline)
        pairs = zip(self._space.choices, base.pipeline, subject.pipeline, strict=True)
        changed = [f"{choice.name} from {old} to {new}" for choice, old, new in pairs if old != new]
        return f"Changes {', '.join(changed)}." if changed else "The pipeline is the same."

    def _observations(self) -> str:
        subject, base = self._prompt.subject, self._prompt.base
        score = subject.score if subject else ""
        if not score:
            lines = self._prompt.outputs.get("subject", "").strip().splitlines()
            return f"No score. The output ends with: {lines[-1].strip()[:200]}" if lines else "No score and no output."
        return f"Validation {score}" + (f" against {base.score} for the base." if base and base.score else ".")

    def _reason(
        self, ran: bool, leaky: bool, replace: bool, base: Recognised | None, subject: Recognised | None
    ) -> str:
        if not ran:
            return self._cause(subject)
        if leaky:
            return BUGS["leak"].symptom
        verdict = "It should generalise better." if replace else "It should not generalise better."
        if self._prompt.base is None:
            verdict = "It ran and its predictions can be scored, so it is a start."
        return _joined(verdict, self._next(subject), self._found(CARRIES["diagnosis"] - VERDICTS, base))

    def _next(self, known: Recognised | None) -> str:
        """What to look at next: the problem behind the step believed best."""
        if known is None:
            return ""
        return self._space.choices[self._mind.steps(known.pipeline)[0].step.choice].problem

    def _found(self, count: int, base: Recognised | None = None) -> str:
        """What the output of the subject shows of steps from there, and of the step that led there from the base."""
        items: list[EvidenceItem] = []
        for pipeline in printed(self._prompt, "subject", self._prompt.subject, self._space):
            items += self._mind.verdict(base.pipeline, pipeline) if base else []
            items += self._mind.items(pipeline, count)
        return sentence(items, self._space)

    def _cause(self, known: Recognised | None) -> str:
        """Why a program failed, where it is understood; else that it is not."""
        faults = [name for name in known.bugs if not BUGS[name].silent] if known else []
        if faults and self._stream.uniform() < self._skill:
            return " ".join(BUGS[name].symptom for name in faults)
        return "It failed, and the cause is not clear from its output."

    def hypothesize(self) -> str:
        """Up to five steps from the base program, or up to three for a first one, the best believed first."""
        base = self._known(self._prompt.base)
        start = base.pipeline if base else self._space.baseline
        old, shut = tried(self._prompt, self._space), refused(self._prompt, self._space)
        beliefs = self._mind.steps(start, shut | steps_to(start, old)) or self._mind.steps(start)
        if base is None:
            best_of_choice = {b.step.choice: b for b in reversed(beliefs)}
            beliefs = [b for b in beliefs if b is best_of_choice[b.step.choice]][:MOST_FIRST_HYPOTHESES]
        kinds = self._problem_kinds()
        return self._hypotheses(
            [
                self._hypothesis(belief.step, belief.score, kinds[i % len(kinds)], start)
                for i, belief in enumerate(beliefs[:MOST_HYPOTHESES])
            ]
        )

    def _problem_kinds(self) -> list[ProblemKind]:
        """Which kind each problem is said to be, by the mix that was asked for; without evidence all scenario."""
        if not (self._prompt.hints("diagnosis") or self._prompt.hints("history")):
            return [ProblemKind.SCENARIO]
        text = " ".join(hint.text for hint in self._prompt.hints("problem_mix"))
        counts = []
        for pattern in (_SCENARIO, _FEEDBACK):
            match = pattern.search(text)
            counts.append(min(MOST_HYPOTHESES, int(match[1] or match[2])) if match else 1)
        kinds = [ProblemKind.SCENARIO] * counts[0] + [ProblemKind.FEEDBACK] * counts[1]
        return kinds or [ProblemKind.SCENARIO]

    def select(self) -> str:
        """The candidate believed best, judged afresh; an experiment from memory may take its place."""
        base = self._known(self._prompt.base)
        start = base.pipeline if base else self._space.baseline
        hints = [*self._prompt.hints("candidate"), *self._prompt.hints("memory")]
        options = [(hint.text, self._space.instructions(hint.text)) for hint in hints]
        judged = [(self._mind.of(start, edits), text, edits) for text, edits in options]
        known = [(worth, text, edits) for worth, text, edits in judged if worth is not None]
        if known:
            worth, text, edits = max(known, key=lambda option: option[0])
            chosen = self._hypothesis(edits[0], worth, self._problem_kinds()[0], start)
            if len(edits) > 1:
                chosen["hypothesis"] = text
        else:
            belief = self._mind.steps(start)[0]
            chosen = self._hypothesis(belief.step, belief.score, ProblemKind.SCENARIO, start)
            texts = [hint.text for hint in self._prompt.hints("candidate")]
            if texts:
                chosen["hypothesis"] = self._stream.pick(texts)
        return self._hypotheses([chosen])

    def _hypothesis(self, step: Edit, belief: float, kind: ProblemKind, start: Pipeline) -> dict[str, object]:
        choice = self._space.choices[step.choice]
        known = [e.choice for hint in self._prompt.hints("history") for e in self._space.instructions(hint.text)]
        return {
            "problem": choice.problem,
            "problem_kind": kind.value,
            "hypothesis": self._space.instruct(step),
            "component": choice.component.value,
            "scores": {
                "alignment": 7.0,
                "impact": _impact(belief),
                "novelty": 4.0 if step.choice in known else 8.0,
                "feasibility": 8.0 if start[step.choice] == self._space.baseline[step.choice] else 7.0,
                "risk": 5.0,
            },
        }

    @staticmethod
    def _hypotheses(items: list[dict[str, object]]) -> str:
        return json.dumps({"hypotheses": items})

    def review(self) -> str:
        """Whether the program that was run has a bug, and what there is to learn."""
        subject = self._known(self._prompt.subject)
        shown = self._prompt.subject
        ran = shown is not None and shown.status == Status.OK.value
        if not ran:
            lesson = _joined(self._observations(), self._cause(subject))
        elif self._leaks(subject):
            return json.dumps({"is_bug": True, "lesson": f"{self._observations()} {BUGS['leak'].symptom}"})
        else:
            changes = self._changes(self._known(self._prompt.base), subject)
            found = self._found(CARRIES["lesson"])  # early, since a prompt cuts long lessons at their end
            lesson = _joined(self._observations(), found, changes, self._next(subject))
        return json.dumps({"is_bug": not ran, "lesson": lesson})
