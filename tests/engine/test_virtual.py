"""Runs on a virtual clock: both paths are one, and what is looked up is what would have come out."""

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.engine.scoring import judge
from mlesearch.engine.virtual.replies import at_once
from mlesearch.engine.virtual.table import TableSandbox, TableScorer
from mlesearch.models.markup import python_fence
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.spaces import TASKS, render, space
from mlesearch.operators.base import Parsed
from mlesearch.operators.parse import parse
from mlesearch.sandbox import ladder
from mlesearch.sandbox.protocol import Job, Slot, Spec
from mlesearch.study.runs.simulated import simulate
from mlesearch.types import MlesearchError, Op, ReplyUnusable
from tests.support import virtual_runs
from tests.support.presets import PRESETS

FAST, ALL = range(20), range(20, 200)


def both_paths(numbers, folder):
    with ProcessResources() as resources:
        for number in numbers:
            run = virtual_runs.planned(folder, resources, virtual_runs.some_settings(number))
            fast = virtual_runs.files(run, resources)
            assert fast == virtual_runs.files(run, resources, text=True), virtual_runs.some_settings(number)


def test_the_fast_path_leaves_the_files_of_the_path_through_text(tmp_path):
    both_paths(FAST, tmp_path)


@pytest.mark.slow
def test_the_fast_path_leaves_the_files_of_the_path_through_text_in_200_runs(tmp_path):
    both_paths(ALL, tmp_path)


def really_executed(numbers, folder, *, task, bugs):
    real = ladder.open_chosen(ladder.choose("local", (), {"warm": True}, False), {"warm": True})
    try:
        with ProcessResources() as resources:
            for number in numbers:
                settings = virtual_runs.some_settings(number)
                settings["model"]["params"]["bug_rate"] = bugs
                run = virtual_runs.planned(folder / str(number), resources, {**settings, "tasks": [task], "run": {}})
                looked_up = virtual_runs.without_measures(virtual_runs.files(run, resources))
                executed = virtual_runs.really_executed(run, resources, real)
                assert looked_up == virtual_runs.without_measures(executed)
    finally:
        real.close()


def test_what_is_looked_up_is_what_the_programs_really_come_to(tmp_path):
    really_executed([3], tmp_path, task="synthetic:easy-03", bugs=0.5)


def test_what_is_looked_up_in_a_table_is_what_the_programs_really_come_to(tmp_path):
    really_executed([1], tmp_path, task="tickets", bugs=0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "task", ["synthetic:easy-03", "synthetic:medium-11", "synthetic:hard-24", "synthetic:easy-20", "tickets"]
)
def test_20_runs_are_what_they_come_to_when_they_are_really_executed(task, tmp_path):
    really_executed((1, 8, 15, 22), tmp_path, task=task, bugs=0.4 if task.startswith("synthetic") else 0.0)


SPENT = {
    "steps": ({"steps": 6}, "steps"),
    "time": ({"steps": None, "time_s": 400.0}, "charged_s"),
    "usd": ({"steps": None, "cost_usd": 0.08}, "cost_usd"),
}


@pytest.mark.parametrize("kind", SPENT)
@pytest.mark.parametrize("preset", ["random", "greedy", "hillclimb", "adaptive", "aira", "evo", "mcgs", "gome"])
def test_a_strategy_spends_its_budget_within_the_cost_of_one_step(tmp_path, preset, kind):
    """A call is made where its worst case fits, so a little more of a budget in USD may stay."""
    strategy, params = PRESETS[preset]
    budget, column = SPENT[kind]
    given = {
        "tasks": ["synthetic:easy-09"],
        "model": {"file": "sim_05", "sampling": {"max_tokens": 1200}},
        "strategy": {"name": preset, "kind": strategy, "params": params, "review": strategy != "gome"},
        "budget": budget,
    }
    with ProcessResources() as resources:
        run = virtual_runs.planned(tmp_path, resources, given)
        rows = simulate(run, resources).rows
    spent, limit = rows["run"][column], next(v for v in budget.values() if v is not None)
    if kind == "steps":
        assert spent == limit
        return
    at = [0.0, *(n["t_charged_s" if kind == "time" else "cum_usd"] for n in rows["nodes"])]
    step = max(after - before for before, after in itertools.pairwise(at))
    worst = 0.0 if kind == "time" else 1200 * 4e-6 + 6000 * 1e-6
    assert limit - step - worst <= spent <= limit + step


PLANS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(number=st.integers(0, 400), data=st.data())
def test_a_reply_read_at_once_is_read_as_all_others_are(replies, number, data):
    """Of replies of engineers, and of such with something put in or cut out."""
    op, text, _ = replies[number % len(replies)]
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(ODD) | PLANS) + text[at + data.draw(st.integers(0, 40)) :]
    try:
        found = at_once(op, text)
    except ReplyUnusable as error:
        with pytest.raises(ReplyUnusable, match=re.escape(str(error))):
            parse(op, text)
        return
    assert found is None or found == parse(op, text)


ODD = [
    "```",
    "\n",
    "{",
    "}",
    '"',
    "...",
    "&amp;",
    "<think>",
    "</think>",
    "\n\n```python\n",
    "# the rest is unchanged\n",
]


@pytest.fixture(scope="module")
def replies() -> list[tuple[Op, str, str]]:
    """Replies of engineers to every operator, each with its finish reason, in the order of a few runs."""
    found = []
    with ProcessResources() as resources:
        for number in (2, 17, 30, 41, 55):
            run = virtual_runs.planned(Path("nowhere"), resources, virtual_runs.some_settings(number))
            for line in virtual_runs.files(run, resources)["journal.jsonl"].decode().splitlines():
                event = json.loads(line)
                if event["type"] in ("reply", "review"):
                    found.append((Op(event["op"]), event["text"], event["finish"]))
    assert {op for op, _, _ in found} >= {Op.DRAFT, Op.IMPROVE, Op.DEBUG, Op.REVIEW, Op.DIAGNOSE, Op.HYPOTHESIZE}
    return found


def test_every_reply_that_is_not_cut_is_read_at_once(replies):
    assert [(op, text) for op, text, finish in replies if finish == "stop" and at_once(op, text) is None] == []
    assert not all(at_once(op, text) is not None for op, text, finish in replies if finish == "length")


@pytest.mark.parametrize("task", [*TASKS, "synthetic-hard-24"])
def test_every_sentence_of_a_plan_is_read_at_once_as_it_is_read_otherwise(task):
    where = space(task)
    code = render(task, where.baseline)
    for choice, edit in ((where.choices[e.choice], e) for e in where.edits(where.baseline)):
        plan = f"{where.instruct(edit)} {choice.problem} {where.describe(where.baseline)}"
        text = f"{plan}\n\n{python_fence(code)}"
        assert at_once(Op.IMPROVE, text) == parse(Op.IMPROVE, text) == Parsed(plan=plan, code=code)


def test_a_program_of_another_hand_can_t_be_looked_up(tmp_path):
    with ProcessResources() as resources:
        run = virtual_runs.planned(tmp_path, resources, {"tasks": ["tickets"]})
        sandbox = resources.sandbox(run.settings)
        spec = Spec("tickets@1", tmp_path)
        with pytest.raises(MlesearchError, match=r"none that a simulated engineer writes for tickets.*clock=real"):
            sandbox.run(sandbox.prepare(spec), Job("x/1", "print(1)\n", 60.0, tmp_path))


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_ends_a_program_as_it_says(bug, tmp_path):
    task = "synthetic:medium-05"
    with ProcessResources() as resources:
        loaded = resources.task(task)
        sandbox = TableSandbox(lambda spec: loaded)
        where = space(loaded.id)
        spec = Spec(f"{loaded.id}@{loaded.version}", tmp_path)
        result = sandbox.run(Slot(spec), Job("x/1", render(loaded.id, where.baseline, (bug,), 3), 900.0, tmp_path))
        judged = judge(result, TableScorer(loaded))
    seconds = truth.truth_of(loaded.id).scores(where.baseline).seconds
    assert result.charged_us == (900_000_000 if bug == "timeout" else round(seconds * 1e6))
    assert judged.status.value == {
        "timeout": "timeout",
        "leak": "ok",
        **dict.fromkeys(("rows", "nan", "format"), "invalid_submission"),
    }.get(bug, "error")
    assert bool(judged.problem) == (bug != "leak")
