"""Evidence: what texts say about the hidden part of steps, and how much of it each kind of text may carry.

A share of every step's gain is hidden until a program has run (`evidence_share`, see beliefs.py). What a run has shown
of it exists as text alone: the program's output, and *items* that reviews and diagnoses write down, as in
"Evidence: model=kernel +1.32, cleaning=none -0.40." Whoever prints such a text, and for whatever strategy, its reader
gets the same out of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlesearch.models.simulated.reading import Hint, Prompt, ShownProgram
from mlesearch.models.simulated.spaces import TEXTS, Edit, Pipeline, Space, space
from mlesearch.types import Status

CARRIES: Mapping[str, int] = {
    "output": 1,
    "lesson": 1,
    "diagnosis": 4,
    "finding": 4,
    "gain": 1,
}
"""How many items a text may carry, by its kind; the same for every strategy, and an assumption of this world.

An *output* is what a program printed: its reader gets one item out of it. A *lesson* is a review's and holds one. A
*diagnosis* holds three, and a fourth that is its verdict on the change that it judged. The *finding* of an entry of a
memory or a history repeats a lesson or a diagnosis. The *gain* of such an entry tells of the change that it names.
"""

VERDICTS = 1
"""Of the items of a diagnosis, those about the change that it judged."""

USUAL_SIZE = math.sqrt(2.0 / math.pi)
"""The mean size of a standard normal number: what its sign alone says of it."""

_LESSON = "\nLesson: "
_STATED = re.compile(r"\bEvidence: ((?:\w+=\w+ [+-]\d+\.\d\d, )*\w+=\w+ [+-]\d+\.\d\d)\.")
_ITEM = re.compile(r"(\w+)=(\w+) ([+-]\d+\.\d\d)")
_RAN = "pipeline: "


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """What is said of the hidden part of one step: positive, it is worth more than is known without evidence.

    `value` is on the scale of a standard normal number.
    """

    edit: Edit
    value: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a prompt holds of it, each text once.

    Attributes:
        items: stated in words.
        gains: changes of one step with the sign of the gain that was measured for them, each with a key of its own.
        outputs: what programs printed that ran: pipelines, by the program's role in the prompt.
    """

    items: tuple[EvidenceItem, ...]
    gains: tuple[tuple[str, Edit, int], ...]
    outputs: tuple[tuple[str, Pipeline], ...]


def sentence(items: Sequence[EvidenceItem], where: Space) -> str:
    """Items in words that `read` finds again; empty where there are none."""
    if not items:
        return ""
    told = ", ".join(f"{where.choices[f.edit.choice].name}={f.edit.option} {f.value:+.2f}" for f in items)
    return f"Evidence: {told}."


def read(prompt: Prompt, where: Space) -> Evidence:
    """All evidence of a prompt. A text that is printed twice counts once."""
    texts = [("lesson", body.partition(_LESSON)[2]) for body in prompt.attempts]
    texts += [("diagnosis", hint.body) for hint in prompt.hints("diagnosis")]
    entries = [hint for kind in ("memory", "history") for hint in prompt.hints(kind)]
    texts += [("finding", hint.finding) for hint in entries]
    stated = dict.fromkeys(found for kind, text in texts for found in _stated(text, where.task)[: CARRIES[kind]])
    gains = {gain[0]: gain for hint in entries for gain in _gain(hint, where)[: CARRIES["gain"]]}
    shown = (("base", prompt.base), ("subject", prompt.subject))
    outputs = [(role, ran) for role, program in shown for ran in printed(prompt, role, program, where)]
    return Evidence(tuple(stated), tuple(gains.values()), tuple(outputs))


def printed(prompt: Prompt, role: str, program: ShownProgram | None, where: Space) -> list[Pipeline]:
    """The pipeline whose run printed the output of a role; none where it failed, is unknown or printed nothing."""
    known = program.known if program is not None and program.status == Status.OK.value else None
    if known is None or known.task != where.task:
        return []
    said = _pipelines_printed(prompt.outputs.get(role, ""), where.task)
    return [known.pipeline] if known.pipeline in said else []


@lru_cache(maxsize=TEXTS)
def _pipelines_printed(text: str, task: str) -> tuple[Pipeline | None, ...]:
    """The pipelines of a task that an output names."""
    described = space(task).described
    return tuple(described(line[len(_RAN) :]) for line in text.split("\n") if line.startswith(_RAN))


def combined(items: Iterable[EvidenceItem], capability: float, persistence: float) -> dict[Edit, float]:
    """What several items say together of each step's hidden part, weighed as those of an engineer like oneself.

    An item is c·h + sqrt(1 − c²)·(sqrt(k)·misbelief + sqrt(1 − k)·fresh) with h the truth. The mean of r of them has
    variance v = c² + (1 − c²)·(k + (1 − k)/r) and covariance c with h, so the best guess of h from it is c·mean/v. The
    factor c is left out, because it is left out of what is known without evidence, too.
    """
    said: dict[Edit, list[float]] = {}
    for item in items:
        said.setdefault(item.edit, []).append(item.value)
    signal, noise = capability**2, 1.0 - capability**2
    return {
        edit: sum(values) / len(values) / (signal + noise * (persistence + (1.0 - persistence) / len(values)))
        for edit, values in said.items()
    }


@lru_cache(maxsize=TEXTS)
def _stated(text: str, task: str) -> tuple[EvidenceItem, ...]:
    named = (m.groups() for stated in _STATED.finditer(text) for m in _ITEM.finditer(stated[1]))
    edits = ((space(task).edit(choice, option), float(value)) for choice, option, value in named)
    return tuple(EvidenceItem(edit, value) for edit, value in edits if edit is not None)


def _gain(hint: Hint, where: Space) -> list[tuple[str, Edit, int]]:
    """The gain of an entry, where it names one step: a gain of several says nothing about each of them."""
    steps = where.instructions(hint.text)
    gain = float(hint.gain) if hint.gain else 0.0
    if len(steps) != 1 or gain == 0.0:
        return []
    return [(f"{hint.node} {hint.gain} {steps[0].choice} {steps[0].option}", steps[0], 1 if gain > 0 else -1)]
