"""The simulated engineer: blind to strategies, repeatable to the letter, a model like others."""

import json
import math
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlesearch import operators
from mlesearch.models import markup
from mlesearch.models.protocol import FatalModelError, Message, Sampling
from mlesearch.models.registry import make_model
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.engineer import make
from mlesearch.models.simulated.reading import read
from mlesearch.models.simulated.spaces import TASKS, Edit, apply, render, space
from mlesearch.types import ConfigError, Direction, Guidance, GuidanceKind, Node, Op, Proposal, Status
from tests.support.command import python
from tests.support.simulated_prompts import ask, call, engineer, improve, program, request, written

# ---------------------------------------------------------------------------------------------- blindness


def test_only_the_messages_and_the_replicate_matter():
    model = make("sim", {})
    messages = ask("rentals", Op.IMPROVE, program("rentals", space("rentals").baseline))
    one = model.complete(request(messages, Op.IMPROVE, run="gome/rentals/0"))
    two = model.complete(request(messages, Op.IMPROVE, run="greedy/rentals/0"))
    assert one == two
    assert len({model.complete(request(messages, Op.IMPROVE, entropy=e)).text for e in range(30)}) > 3
    assert len({model.complete(request(messages, Op.IMPROVE, proposal=i)).text for i in range(30)}) > 3
    assert len({model.complete(request(messages, Op.IMPROVE, attempt=i)).text for i in range(30)}) > 3


def test_replies_do_not_depend_on_process_hash_seed_or_order():
    code = (
        "import hashlib\n"
        "from tests.support.simulated_prompts import call, program\n"
        "from mlesearch.models.simulated.engineer import make\n"
        "from mlesearch.models.simulated.spaces import TASKS, space\n"
        "from mlesearch.types import Op\n"
        "model, texts = make('sim', {}), []\n"
        "for task in TASKS:\n"
        "    a, b, c = space(task).pipelines[5:90:40]\n"
        "    parts = [program(task, a), program(task, b, 'subject'), program(task, c, 'other')]\n"
        "    texts += [call(model, task, op, *parts, proposal=i).text for op in Op for i in range(3)]\n"
        "print(hashlib.sha256('\\n'.join(texts).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(python(code), capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": s}).stdout
        for s in ("0", "1", "77")
    }
    assert len(seen) == 1


def test_it_may_be_called_from_several_threads():
    model = make("sim", {})
    messages = ask("canvas", Op.DRAFT)
    wanted = [model.complete(request(messages, Op.DRAFT, entropy=e)) for e in range(60)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda e: model.complete(request(messages, Op.DRAFT, entropy=e)), range(60))) == wanted


# ------------------------------------------------------------------------------------------- what is printed


def test_a_named_hypothesis_is_implemented_and_nothing_else():
    where = space("rentals")
    for i, edit in enumerate(where.edits(where.baseline)):
        hint = markup.block("guidance", f"Try this. {where.instruct(edit)}", kind="hypothesis")
        assert improve(engineer(0.3), "rentals", where.baseline, hint, proposal=i) == apply(where.baseline, edit)


def test_a_hypothesis_that_it_does_not_understand_is_replaced_by_an_idea_of_its_own():
    hint = markup.block("guidance", "Use a quantum annealer.", kind="hypothesis")
    base = space("rentals").baseline
    assert improve(engineer(1.0), "rentals", base, hint) == improve(engineer(1.0), "rentals", base)


def test_a_draft_implements_all_hypotheses():
    where = space("canvas")
    edits = [Edit(1, "resized"), Edit(3, "linear"), Edit(0, "threshold")]
    hints = [markup.block("guidance", where.instruct(e), kind="hypothesis") for e in edits]
    for i in range(10):
        made = written(call(engineer(0.2), "canvas", Op.DRAFT, *hints, proposal=i)).pipeline
        assert all(made[e.choice] == e.option for e in edits)


def test_printed_attempts_are_not_repeated_and_avoided_approaches_are_avoided():
    where, base = space("canvas"), space("canvas").baseline
    first = improve(engineer(1.0), "canvas", base)
    shown = markup.block(
        "attempt", f"Some plan. {where.describe(first)}", node=4, op="improve", status="ok", score="0.5"
    )
    assert improve(engineer(1.0), "canvas", base, shown) != first
    edit = next(e for e in where.edits(base) if apply(base, e) == first)
    avoid = markup.block("guidance", where.instruct(edit), kind="avoid")
    assert improve(engineer(1.0), "canvas", base, avoid) != first
    rejected = markup.block("guidance", where.instruct(edit), kind="history", verdict="rejected", score="0.1")
    assert improve(engineer(1.0), "canvas", base, rejected) != first
    for verdict, score in (("accepted", "0.3"), ("rejected", "")):  # one that worked, one that never ran
        known = markup.block("guidance", where.instruct(edit), kind="history", verdict=verdict, score=score)
        assert improve(engineer(1.0), "canvas", base, known) == first


def test_an_unknown_base_is_written_anew():
    text = markup.block("program", markup.python_fence("print('mine')"), role="base", node=1, status="ok", score="0.1")
    model = make("sim", {})
    for op in (Op.IMPROVE, Op.DEBUG, Op.MERGE):
        assert written(call(model, "canvas", op, text)).task == "canvas"


def test_a_base_of_another_task_is_unknown():
    model = make("sim", {})
    assert written(call(model, "canvas", Op.IMPROVE, program("rentals", space("rentals").baseline))).task == "canvas"


def test_a_merge_takes_every_choice_from_one_of_the_programs():
    where = space("rentals")
    rng = random.Random(2)
    for i in range(40):
        a, b, c = rng.sample(where.pipelines, 3)
        others = [program("rentals", b, "other"), program("rentals", c, "other")]
        merged = written(call(engineer(0.5), "rentals", Op.MERGE, program("rentals", a), *others, proposal=i)).pipeline
        differ = sum(len({*options}) > 1 for options in zip(a, b, c, strict=True))
        if differ >= 2 and merged not in (a, b, c):
            assert all(o in options for o, *options in zip(merged, a, b, c, strict=True))


def test_a_merge_at_full_capability_is_the_best_mixture():
    where, table = space("rentals"), truth.load("rentals")
    a, b = where.pipelines[0], where.pipelines[-1]
    mixtures = [p for p in where.pipelines if all(o in pair for o, pair in zip(p, zip(a, b, strict=True), strict=True))]
    best = min((p for p in mixtures if p not in (a, b)), key=lambda p: table.rows[p].test)
    merged = written(call(engineer(1.0), "rentals", Op.MERGE, program("rentals", a), program("rentals", b, "other")))
    assert merged.pipeline == best


# ------------------------------------------------------------------------------- with the real operators


NODES = {
    0: ("draft", None, ("none", "as_is", "pixels", "kernel", "middle", "middle"), (), Status.OK, 0.41),
    1: ("improve", 0, ("none", "centred", "pixels", "kernel", "middle", "middle"), (), Status.OK, 0.55),
    2: (
        *("improve", 1, ("none", "centred", "gradients", "kernel", "middle", "middle")),
        *(("rows",), Status.INVALID_SUBMISSION, None),
    ),
    3: ("improve", 1, ("threshold", "centred", "pixels", "linear", "middle", "middle"), (), Status.OK, 0.5),
}


@pytest.mark.parametrize("op", [op for op in Op if op is not Op.REVIEW])
def test_it_answers_the_real_prompts_and_the_operators_can_read_it(op):
    ops, scope = operators.make(direction=Direction.MAXIMIZE)
    where = space("canvas")
    nodes = {
        i: Node(i, Op(o), base, (), 0, f"A plan. {where.describe(p)}", render("canvas", p, bugs), s, v, "", "output")
        for i, (o, base, p, bugs, s, v) in NODES.items()
    }
    for node in nodes.values():
        scope.add(node)
    judged = {"subject": 3} if op is Op.DIAGNOSE else {}
    base = None if op is Op.DRAFT else 2 if op is Op.DEBUG else 1
    hints = (
        Guidance(GuidanceKind.CANDIDATE, where.instruct(Edit(3, "kernel")), component=where.choices[3].component),
        Guidance(GuidanceKind.CANDIDATE, where.instruct(Edit(0, "threshold"))),
    )
    context = (3,) if op is Op.MERGE else (0, 3)
    proposal = Proposal(4, op, base, context=context, guidance=hints if op is Op.SELECT else (), **judged)
    scene = operators.Scene(
        operators.Brief("canvas", "Canvas", "What to do.", "accuracy", "maximize", "columns", "write a file"),
        operators.Resources(60.0, 1 << 30, 1),
        proposal,
        nodes,
        context,
        "simple" if op in (Op.DRAFT, Op.IMPROVE) else "",
    )
    messages = ops.render(scene)
    seen = read(messages)
    assert (seen.op, seen.task) == (op, "canvas")
    assert (seen.base.known.pipeline if seen.base else None) == (NODES[base][2] if base is not None else None)
    reply = make("sim", {"debug_skill": 1.0, "bug_rate": 0.0}).complete(request(messages, op, 4))
    parsed = ops.parse(op, reply.text)
    if op.makes_program:
        compile(parsed.code, "solution.py", "exec")
        assert 3 <= parsed.plan.count(". ") + 1 <= 8
    else:
        assert parsed.diagnosis or parsed.hypotheses
    repaired = ops.repair(messages, "nonsense", "there is no program")
    again = make("sim", {}).complete(request(repaired, op, 4, attempt=1))
    assert ops.parse(op, again.text)


def test_it_answers_the_real_review():
    ops, _ = operators.make(direction=Direction.MAXIMIZE)
    p = space("canvas").baseline
    node = Node(0, Op.DRAFT, None, (), 0, "plan", render("canvas", p), Status.OK, 0.2, "", "out")
    scene = operators.Scene(
        operators.Brief("canvas", "Canvas", "Do.", "accuracy", "maximize", "", "c"),
        operators.Resources(60.0, 1 << 30, 1),
        Proposal(0, Op.DRAFT),
        {0: node},
    )
    messages = ops.render_review(scene, node)
    parsed = ops.parse(Op.REVIEW, make("sim", {}).complete(request(messages, Op.REVIEW)).text)
    assert parsed.is_bug in (True, False)
    assert "0.2" in parsed.lesson


# -------------------------------------------------------------------------------------- a model like others


def test_usage_is_counted_and_charged():
    model = make("sim", {"input_usd_per_mtok": 2.0, "output_usd_per_mtok": 8.0, "latency_s": 1.5})
    messages = ask("canvas", Op.DRAFT)
    reply = model.complete(request(messages, Op.DRAFT))
    u = reply.usage
    assert u.calls == 1
    assert u.input_tokens == math.ceil(sum(len(m.content) for m in messages) / 4)
    assert u.output_tokens == math.ceil(len(reply.text) / 4)
    assert u.cost_nusd == 2000 * u.input_tokens + 8000 * u.output_tokens
    assert u.service_us == round(1e6 * (1.5 + u.input_tokens / 5000 + u.output_tokens / 100))
    assert (model.live, model.simulated, reply.model, reply.finish) == (False, True, "sim", "stop")


def test_a_long_reply_is_cut_at_the_limit():
    model, asked = make("sim", {}), request(ask("canvas", Op.DRAFT), Op.DRAFT)
    cut = model.complete(type(asked)(asked.messages, Sampling(max_tokens=50), asked.address, 1, 60.0))
    assert cut.finish == "length"
    assert cut.text == model.complete(asked).text[:200]
    assert cut.usage.output_tokens == 50


def test_a_message_without_a_job_gets_a_plain_answer():
    reply = make("sim", {}).complete(request((Message("user", "hello"),), Op.DRAFT))
    assert "no job" in reply.text


def test_an_unknown_task_is_refused_in_words():
    with pytest.raises(FatalModelError, match=r"knows nothing of task 'spaceship'.*canvas, demand, digits"):
        call(make("sim", {}), "spaceship", Op.DRAFT)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"capabilty": 0.5}, "params.capabilty: a simulated engineer has no such parameter; it has: capability"),
        ({"capability": 1.2}, r"params.capability is 1.2; expected a number from 0 to 1"),
        ({"capability": -0.1}, "from 0 to 1"),
        ({"capability": "high"}, "params.capability is 'high'"),
        ({"capability": True}, "params.capability is True"),
        ({"capability": None}, "params.capability is None"),
        ({"capability": float("nan")}, "params.capability is nan"),
        ({"breadth": 0}, "a whole number from 1"),
        ({"breadth": 2.5}, "a whole number from 1"),
        ({"bug_rate": 1.0}, "below 1"),
        ({"output_tokens_per_s": 0}, "above 0"),
        ({"latency_s": float("inf")}, "params.latency_s is inf"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(params, words):
    with pytest.raises(ConfigError, match=words) as caught:
        make("sim_x", params)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("model sim_x: ")


def test_identity_holds_the_dial_and_the_tables():
    a, b = make("sim", {"capability": 0.3}).identity(), make("sim", {"capability": 0.4}).identity()
    assert a != b
    assert a["capability"] == 0.3
    assert set(a["tables"]) == set(TASKS)
    assert json.loads(json.dumps(a)) == a
    assert make_model("sim", "simulated", {"capability": 0.3}).identity() == a


def test_a_reply_takes_less_than_a_millisecond():
    model = make("sim", {})
    requests = [
        request(ask("canvas", Op.IMPROVE, program("canvas", p)), Op.IMPROVE, i)
        for i, p in enumerate(space("canvas").pipelines)
    ]
    for asked in requests:
        model.complete(asked)
    took = []
    for asked in requests:
        start = time.perf_counter()
        model.complete(asked)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.001
