"""Runs on a virtual clock in this process: planned as a launch plans them, and carried out on either path."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlesearch.config.assemble import assemble
from mlesearch.config.loading.plain import Given, cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan, plan
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import EngineParts
from mlesearch.engine.scoring import TaskScorer
from mlesearch.models.price import Price
from mlesearch.models.protocol import Message, Model, Reply, Request
from mlesearch.sandbox.protocol import Job, Sandbox, Slot, Spec
from mlesearch.study.launches.launch import begin, run_cell
from mlesearch.study.runs.execute import RunReport
from mlesearch.types import ExecResult, ExecStatus
from tests.support.presets import PRESETS

TASKS = ("canvas", "rentals", "tickets", "synthetic:easy-03", "synthetic:medium-11", "synthetic:hard-24")

REALLY_S = 60.0
"""What a program may really take."""


@dataclass(frozen=True)
class PlainText:
    """A model that is shown texts alone: nobody tells it of which blocks they are made."""

    inner: Model
    live: bool = False
    simulated: bool = True

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def price(self) -> Price | None:
        return self.inner.price

    def identity(self) -> Mapping[str, object]:
        return self.inner.identity()

    def check(self) -> None:
        self.inner.check()

    def complete(self, request: Request) -> Reply:
        messages = tuple(Message(m.role, m.content) for m in request.messages)
        return self.inner.complete(replace(request, messages=messages))


def planned(folder: Path, resources: ProcessResources, given: Mapping[str, Any]) -> RunPlan:
    """The plan of the one run of these settings."""
    whole: Given = {"clock": "virtual", "study": {"dir": str(folder)}, **given}  # type: ignore[typeddict-item]
    (run,) = plan(cells(whole), resources).runs
    return run


def through_text(parts: EngineParts) -> EngineParts:
    """The same engine whose models read whole texts; with `run.keep_prompts` their replies are read as any are."""
    roles = {op: replace(role, model=PlainText(role.model)) for op, role in parts.context.roles.items()}
    return replace(parts, context=replace(parts.context, roles=roles))


def files(run: RunPlan, resources: ProcessResources, *, text: bool = False) -> dict[str, bytes]:
    """What a run leaves, on the fast path or through text, without the prompts that are kept there."""
    if text:
        run = replace(run, settings=replace(run.settings, run=replace(run.settings.run, keep_prompts=True)))
    parts = assemble(run, resources)
    Engine(through_text(parts) if text else parts).run()
    found: dict[str, bytes] = parts.folder.files()  # type: ignore[attr-defined]
    return without_prompts(found) if text else found


def without_prompts(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a run as they are where no prompts are kept."""
    lines, prompts = [], set()
    for line in files["journal.jsonl"].decode().splitlines():
        event = json.loads(line)
        if "prompt" in event:
            prompts.add(f"blobs/{event['prompt']}")
            line = line.replace(f',"prompt":"{event["prompt"]}"', "")
        lines.append(line)
    kept = {name: data for name, data in files.items() if name not in prompts}
    return {**kept, "journal.jsonl": "".join(f"{line}\n" for line in lines).encode()}


def some_settings(number: int) -> dict[str, Any]:
    """Settings of a run, drawn by a number: strategy, task, engineer, budget, workers and the limits of texts."""
    rng = random.Random(f"virtual run {number}")
    preset = sorted(PRESETS)[number % len(PRESETS)]
    kind, params = PRESETS[preset]
    dial = {
        "capability": rng.choice([0.0, 0.3, 0.5, 0.8, 1.0]),
        "evidence_share": rng.choice([0.0, 0.4, 1.0]),
        "bug_rate": rng.choice([0.0, 0.15, 0.6]),
        "debug_skill": rng.choice([0.2, 0.6, 1.0]),
        "breadth": rng.choice([1, 6, 50]),
    }
    budgets: dict[str, dict[str, Any]] = {
        "steps": {"steps": rng.choice([4, 8, 12])},
        "time": {"steps": None, "time_s": rng.choice([120.0, 300.0])},
        "usd": {"steps": None, "cost_usd": rng.choice([0.05, 0.12])},
        "tokens": {"steps": None, "tokens": rng.choice([20_000, 60_000])},
    }
    budget = budgets[rng.choice(["steps", "steps", "steps", "time", "usd", "tokens"])]
    return {
        "tasks": [rng.choice(TASKS)],
        "seeds": [rng.randrange(5)],
        "model": {
            "name": "engineer",
            "kind": "simulated",
            "params": dial,
            "sampling": {"max_tokens": rng.choice([8192, 8192, 900, 250])},
        },
        "strategy": {"name": preset, "kind": kind, "params": params, "review": kind != "gome" and rng.random() < 0.8},
        "budget": budget,
        "run": {
            "workers": rng.choice([1, 1, 3]),
            "operators": rng.choice(["aide", "aira"]),
            "context_tokens": rng.choice([4000, 300]),
            "context": rng.choice(["shared", "native"]),
            "audit": rng.choice(["reported", "always"]),
        },
    }


@dataclass
class RealPrograms:
    """A sandbox that really runs programs, and says of each that it took what the table says.

    A program that takes longer than its limit by the table, or never ends, is not run.
    """

    table: Sandbox
    real: Sandbox

    name = "table"

    def identity(self) -> Mapping[str, object]:
        return self.table.identity()

    def packages(self) -> Mapping[str, str]:
        return self.table.packages()

    def check(self) -> None:
        self.real.check()

    def prepare(self, spec: Spec) -> Slot:
        return self.real.prepare(replace(spec, limits=replace(spec.limits, time_s=REALLY_S)))

    def run(self, slot: Slot, job: Job) -> ExecResult:
        told = self.table.run(slot, job)
        if told.status is ExecStatus.TIMEOUT:
            return replace(told, artefacts={})
        return replace(self.real.run(slot, replace(job, deadline_s=REALLY_S)), wall_us=told.wall_us)

    def close(self) -> None:
        self.real.close()

    def reap_orphans(self) -> int:
        return 0


def really_executed(run: RunPlan, resources: ProcessResources, real: Sandbox) -> dict[str, bytes]:
    """What a run leaves whose programs are really run in a sandbox, and graded from what they submit."""
    parts = assemble(run, resources)
    task = resources.task(run.task, run.settings)
    context = replace(parts.context, scorer=TaskScorer(task))
    Engine(through_text(replace(parts, context=context, sandbox=RealPrograms(parts.sandbox, real)))).run()
    found: dict[str, bytes] = parts.folder.files()  # type: ignore[attr-defined]
    return found


_MEASURED = re.compile(r'"cpu_us":\d+,"peak_bytes":\d+|,"artefacts":\[.*?\]\]|"bytes_seen":\d+')
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def without_measures(files: Mapping[str, bytes]) -> dict[str, str]:
    """Files of a run as text, without processor time, memory and sizes; numbers with six decimals."""
    texts = {name: data.decode() for name, data in files.items()}
    return {n: _NUMBER.sub(lambda m: f"{float(m[0]):.6f}", _MEASURED.sub("", text)) for n, text in texts.items()}


GIVEN: dict[str, Any] = {
    "clock": "virtual",
    "model": ["sim_03", "sim_09"],
    "strategy": ["random", "gome"],
    "tasks": ["tickets", "synthetic:easy-07"],
    "seeds": list(range(4)),
    "budget": {"steps": 4},
}
"""A study of 32 short runs in four cells."""


def launch(folder: Path, jobs: int, **given: Any) -> list[RunReport]:
    """Launch that study, with some settings changed; returns what became of its runs."""
    whole: Given = {**GIVEN, "study": {"dir": str(folder)}, **given}  # type: ignore[typeddict-item]
    with ProcessResources() as resources:
        made = plan(cells(whole), resources)
        begin(made, resources)
        return run_cell(made.runs, jobs, folder / "stop", resources)
