"""Simulated engineers, and prompts for them, written block by block as the operators write them."""

from __future__ import annotations

from typing import Any

from mlesearch.models.markup import block, python_fence
from mlesearch.models.protocol import Address, Message, Reply, Request, Sampling
from mlesearch.models.simulated.engineer import Engineer, make
from mlesearch.models.simulated.spaces import Pipeline, Recognised, recognise, render, space
from mlesearch.types import Op


def program(
    task: str,
    pipeline: Pipeline,
    role: str = "base",
    status: str = "ok",
    score: str = "0.5",
    bugs: tuple[str, ...] = (),
) -> str:
    return block("program", python_fence(render(task, pipeline, bugs)), role=role, node=1, status=status, score=score)


def output(task: str, pipeline: Pipeline, role: str = "base") -> str:
    """What the program of a pipeline prints."""
    settings = ", ".join(f"{choice}={option}" for choice, option in space(task).settings(pipeline).items())
    return block("output", f"pipeline: {settings}\nfitted 900 rows with 30 features", role=role, node=1, status="ok")


def lesson(text: str, node: int = 1) -> str:
    """An attempt with this lesson."""
    return block("attempt", f"A plan.\nLesson: {text}", node=node, op="improve", status="ok", score="0.5")


def guidance(kind: str, text: str, finding: str = "", **attrs: object) -> str:
    """A piece of guidance; of an experiment with what it taught."""
    return block("guidance", f"Hypothesis: {text}\nFinding: {finding}" if finding else text, kind=kind, **attrs)


def ask(task: str, op: Op, *parts: str) -> tuple[Message, ...]:
    text = "\n\n".join([block("task", "What to do.", id=task), *parts, block("job", "Do it.", op=op.value)])
    return (Message("system", "You are an engineer."), Message("user", text))


def request(
    messages: tuple[Message, ...], op: Op, proposal: int = 0, entropy: int = 1, run: str = "r", attempt: int = 0
) -> Request:
    return Request(messages, Sampling(), Address(run, 0, proposal, op, attempt), entropy, 60.0)


def call(model: Engineer, task: str, op: Op, *parts: str, **address: Any) -> Reply:
    return model.complete(request(ask(task, op, *parts), op, **address))


def written(reply: Reply) -> Recognised:
    """The program of a reply, recognised."""
    plan, _, rest = reply.text.partition("\n\n```python\n")
    assert plan
    assert rest.endswith("\n```")
    found = recognise(rest.removesuffix("```"))
    assert found is not None
    return found


FULL = 10_000
"""Breadth: more than any space has steps."""


def engineer(c: float, name: str = "sim", **more: object) -> Engineer:
    """Of this capability, without bugs, with every step open to it and nothing hidden."""
    return make(name, {"capability": c, "bug_rate": 0.0, "breadth": FULL, "evidence_share": 0.0, **more})


def improve(model: Engineer, task: str, pipeline: Pipeline, *parts: str, **address: Any) -> Pipeline:
    """What it makes of a program."""
    return written(call(model, task, Op.IMPROVE, program(task, pipeline), *parts, **address)).pipeline
