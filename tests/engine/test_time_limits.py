"""The time limit that a prompt names is the one that its program runs under, in whole, resumed and equal runs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget, Meter
from mlesearch.engine.loop import Engine
from mlesearch.models.markup import blocks
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import MIB, Limits, Spec
from mlesearch.types import ExecStatus, Status
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import ToyModel, ToySandbox

NAMED = re.compile(r"Time limit of one program: ([0-9.e-]+) s")
LEFT = re.compile(r"Time of the whole search still left: (.*)")


def first_prompts(model: ToyModel) -> dict[int, str]:
    """The user message of the first call of every proposal."""
    return {r.address.proposal: r.messages[1].content for r in model.requests if r.address.attempt == 0}


def named_s(prompt: str) -> float:
    """The limit that a prompt names, seconds."""
    found = NAMED.search(prompt)
    assert found is not None
    return float(found[1])


def enforced_s(sandbox: ToySandbox) -> dict[int, float]:
    """The deadline of each proposal's program."""
    return {int(job.address.rsplit("/", 1)[1]): job.deadline_s for job in sandbox.jobs}


@given(
    time_s=st.floats(0.5, 300),
    service_us=st.integers(0, 9_000_000),
    wall_us=st.integers(100_000, 40_000_000),
    workers=st.integers(1, 3),
    strategy=st.sampled_from(["greedy", "gome", "mcts"]),
)
@example(time_s=200.0, service_us=2_000_000, wall_us=30_000_000, workers=2, strategy="gome")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_limit_named_is_the_limit_enforced(tmp_path_factory, time_s, service_us, wall_us, workers, strategy):
    model, sandbox = ToyModel(service_us=service_us), ToySandbox(wall_us=wall_us)
    folder = tmp_path_factory.mktemp("run")
    end = toy_run.run(
        folder, strategy=strategy, budget=Budget(steps=12, time_s=time_s), model=model, sandbox=sandbox,
        workers=workers, virtual=True,
    )  # fmt: skip
    enforced, prompts = enforced_s(sandbox), first_prompts(model)
    for id, deadline_s in enforced.items():
        assert named_s(prompts[id]) == deadline_s <= 60.0
    calls_us = max((sum(u["service_us"] for u in calls) for calls in calls_of_proposals(folder).values()), default=0)
    if wall_us / 1e6 <= min(enforced.values(), default=0.0):  # every program kept to its limit
        assert end.charged_us <= time_s * 1e6 + calls_us


def calls_of_proposals(folder):
    """What calls took, by proposal."""
    found = {}
    for event in events(folder):
        if "usage" in event:
            found.setdefault(event["id"], []).append({"service_us": 0, **event["usage"]})
    return found


def test_near_its_end_a_run_names_and_sets_what_is_left(tmp_path):
    model, sandbox = ToyModel(service_us=2_000_000), ToySandbox(wall_us=13_000_000)
    toy_run.run(tmp_path, budget=Budget(time_s=100.0), model=model, sandbox=sandbox, review=False)
    assert list(enforced_s(sandbox).values()) == [60.0, 60.0, 60.0, 55.0, 40.0, 25.0, 10.0]
    prompts = first_prompts(model)
    assert [LEFT.findall(p)[0] for p in prompts.values()] == [
        "more than 90 s",
        "more than 60 s",
        "more than 60 s",
        "more than 45 s",
        "more than 30 s",
        "more than 20 s",
        "more than 10 s",
    ]
    shortened = [
        "55 s of wall-clock time, shorter than the usual 60 s" in prompts[3],
        "usual" not in prompts[2],
        re.search(r"ends by itself within 55 s\.", prompts[3]) is not None,
    ]
    assert all(shortened)


def test_without_a_time_budget_no_time_left_is_named(tmp_path):
    model = ToyModel()
    toy_run.run(tmp_path, model=model, budget=Budget(steps=6, tokens=10**9))
    assert model.requests
    assert not any(LEFT.search(r.messages[1].content) for r in model.requests)
    assert {named_s(p) for p in first_prompts(model).values()} == {60.0}


@pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
def test_a_program_is_cut_at_the_limit_that_its_prompt_named(tmp_path):
    """Real programs that never end: the first under the declared limit, the next under what is left."""
    from mlesearch.sandbox.rungs.local import LocalSandbox

    (tmp_path / "public").mkdir()
    model = ToyModel(service_us=100_000, reply=lambda r: "A plan.\n\n```python\nwhile True:\n    pass\n```\n")
    limits = Limits(time_s=2.0, memory_bytes=512 * MIB)
    with closing(LocalSandbox(warm=False)) as rung:
        made = toy_run.parts(
            tmp_path / "run", strategy=Scripted(*drafts(2)), budget=Budget(steps=2, time_s=3.9), model=model,
            review=False,
        )  # fmt: skip
        resources = replace(made.context.resources, program_time_s=2.0)
        made = replace(
            made,
            sandbox=rung,
            spec=Spec("toy@1", tmp_path / "public", limits=limits),
            context=replace(made.context, resources=resources),
        )
        engine = Engine(made)
        engine.run()
        made.folder.close()
    named = [named_s(p) for p in first_prompts(model).values()]
    assert named[0] == 2.0
    assert 0.5 < named[1] < 1.8  # two seconds, a call and what ending it took are spent
    for node, limit_s in zip(engine.nodes.values(), named, strict=True):
        assert node.status is Status.TIMEOUT
        assert node.time_limit_s == limit_s
        assert limit_s <= node.run_time_s < limit_s + 0.9
    killed = [e["result"]["status"] for e in events(tmp_path / "run", "executed")]
    assert killed == [ExecStatus.TIMEOUT.value] * 2


@pytest.mark.parametrize("budget", [Budget(steps=8, time_s=70.0), Budget(steps=8, gpu_s=50.0)])
@pytest.mark.parametrize("strategy", ["greedy", "gome"])
def test_a_resumed_run_knows_the_same_times_and_limits(tmp_path, strategy, budget):
    """Cut after any event: the nodes with their times, and the prompts that follow, are those of the whole run."""

    class Gpu(ToySandbox):
        def run(self, slot, job):
            result = super().run(slot, job)
            return replace(result, gpu_us=result.wall_us, wall_us=result.wall_us + len(self.jobs) % 3)

    def searched(folder):
        model = ToyModel(service_us=500_000)
        made = toy_run.parts(folder, strategy=strategy, budget=budget, model=model, sandbox=Gpu(wall_us=7_000_000))
        engine = Engine(made)
        engine.run()
        made.folder.close()
        return dict(engine.nodes), model

    whole, model = searched(tmp_path / "whole")
    assert len({n.time_limit_s for n in whole.values()}) >= 3
    assert all(n.run_time_s == pytest.approx(7.0, abs=1e-4) for n in whole.values())
    lines = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    sent = {(r.address.proposal, r.address.op, r.address.attempt): r.messages for r in model.requests}
    for cut in range(2, len(lines) - 1, 3):
        folder = tmp_path / f"cut{cut}"
        copy_cut(tmp_path / "whole", folder, lines[:cut])
        nodes, again = searched(folder)
        limits = {id: n.time_limit_s for id, n in nodes.items()}
        assert limits == {id: n.time_limit_s for id, n in whole.items()}
        known = [json.loads(line)["id"] for line in lines[1:cut] if json.loads(line)["type"] == "executed"]
        assert {id: nodes[id] for id in known} == {id: whole[id] for id in known}
        assert comparable(folder) == comparable(tmp_path / "whole")
        for r in again.requests:
            assert sent[r.address.proposal, r.address.op, r.address.attempt] == r.messages


def test_a_jitter_of_measured_times_changes_no_prompt(tmp_path):
    """Equal runs whose programs take a tenth of a second more or less send the same bytes."""
    sent = []
    for jitter_us in (0, 100_000, -100_000):
        model = ToyModel()
        budget = Budget(steps=10)
        toy_run.run(
            tmp_path / str(jitter_us), model=model, sandbox=ToySandbox(wall_us=12_300_000 + jitter_us), budget=budget
        )
        sent.append([r.messages for r in model.requests])
    assert sent[0] == sent[1] == sent[2]
    assert any('run_time="under 15 s of 60 s"' in m[1].content for m in sent[0])


def test_the_run_times_of_a_run_stand_in_its_prompts(tmp_path):
    """What the engine measured is what later prompts show, on attempts, programs, outputs and guidance."""
    model = ToyModel()
    made = toy_run.parts(
        tmp_path, strategy="gome", budget=Budget(steps=14), model=model, sandbox=ToySandbox(wall_us=31_000_000)
    )
    Engine(made).run()
    made.folder.close()
    shown = [b for r in model.requests for b in blocks(r.messages[1].content)]
    tags = {"attempt", "program", "output"}
    timed = {b.tag for b in shown if b.attrs.get("run_time") == "under 45 s of 60 s"}
    assert timed == {*tags, "guidance"}
    kinds = {b.attrs["kind"] for b in shown if b.tag == "guidance" and "run_time" in b.attrs}
    assert {"memory", "history", "diagnosis"} <= kinds
    untimed = [b for b in shown if b.tag in tags and b.attrs.get("role") != "diff" and "run_time" not in b.attrs]
    assert untimed == []


@given(left_us=st.integers(0, 10**13), declared_s=st.floats(0.001, 10**6))
@example(left_us=59_999_999, declared_s=60.0)
@example(left_us=1, declared_s=60.0)
def test_what_is_left_is_rounded_down_by_less_than_a_tenth(left_us, declared_s):
    limit = partial(Meter(Budget(time_s=10.0**7)).program_limit_s, declared_s)
    limit_s = limit(10**13 - left_us)
    if left_us >= declared_s * 1e6:
        assert limit_s == declared_s
        return
    limit_us = round(limit_s * 1e6)
    assert limit_us <= left_us <= limit_us * 1.1 + 1
    assert len(str(limit_us).rstrip("0")) <= 2
    assert limit(10**13 - left_us + 1 if left_us else 10**13) <= limit_s
