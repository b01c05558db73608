"""Evidence: what a run shows exists as text, is right as often as the dial says, and is worth the same in every prompt.

Stated error rates: frequencies of n draws are held against their expectation within 4 standard errors, so that a right
engineer fails one such comparison in 16,000.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Sequence

import numpy as np
import pytest

from mlesearch.models.protocol import Reply
from mlesearch.models.simulated import evidence, truth
from mlesearch.models.simulated.beliefs import Faculties, Mind
from mlesearch.models.simulated.chance import normal_quantile
from mlesearch.models.simulated.engineer import Dial, Engineer
from mlesearch.models.simulated.evidence import CARRIES, Evidence, EvidenceItem, combined, sentence
from mlesearch.models.simulated.reading import read
from mlesearch.models.simulated.spaces import TASKS, Edit, apply, space
from mlesearch.types import Op
from tests.support.simulated_prompts import FULL, ask, call, engineer, guidance, lesson, output, program, written

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
TASK = "rentals"
BASE = space(TASK).pipelines[37]
SUBJECT = apply(BASE, space(TASK).edits(BASE)[2])


def accuracy(c: float) -> float:
    """Of two Gaussian numbers with correlation c: how often their signs agree."""
    return 0.5 + math.asin(c) / math.pi


def shuffled(task: str, seed: int = 0) -> truth.Truth:
    """The truth of a task with its scores dealt out anew."""
    rows = truth.load(task).rows
    dealt = list(rows.values())
    random.Random(seed).shuffle(dealt)
    return truth.Truth(task, dict(zip(rows, dealt, strict=True)))


def found_in(text: str, task: str = TASK) -> tuple[EvidenceItem, ...]:
    """The items of a text, read as a lesson with no limit would be."""
    told = re.findall(r"(\w+)=(\w+) ([+-]\d+\.\d\d)", "".join(re.findall(r"Evidence: (.*?\d)\.(?!\d)", text)))
    edits = [(space(task).edit(choice, option), float(value)) for choice, option, value in told]
    return tuple(EvidenceItem(edit, value) for edit, value in edits if edit is not None)


def review(model: Engineer, *parts: str, **address: int) -> str:
    shown = [program(TASK, SUBJECT, "subject"), *parts]
    lesson_: str = json.loads(call(model, TASK, Op.REVIEW, *shown, **address).text)["lesson"]
    return lesson_


def diagnose(model: Engineer, *parts: str, **address: int) -> str:
    shown = [program(TASK, SUBJECT, "subject"), *parts]
    return call(model, TASK, Op.DIAGNOSE, *shown, **address).text


def all_items(count: int = 9) -> str:
    edits = space(TASK).edits(BASE)
    return sentence([EvidenceItem(edits[i % len(edits)], 0.11 * (i + 1)) for i in range(count)], space(TASK))


# ---------------------------------------------------------------------------------------------- texts and the table


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("lesson", lesson(f"It ran. {all_items()} More.")),
        ("diagnosis", guidance("diagnosis", f"Changes: none\nReason: {all_items()}")),
        ("finding", guidance("memory", "Set model to linear.", f"Well. {all_items()}")),
        ("finding", guidance("history", "Set model to linear.", f"Well. {all_items()}")),
    ],
)
def test_a_text_carries_what_the_public_table_says(kind, text):
    seen = evidence.read(read(ask(TASK, Op.IMPROVE, program(TASK, BASE), text)), space(TASK))
    assert len(seen.items) == CARRIES[kind]
    assert seen.items == found_in(all_items())[: CARRIES[kind]]
    assert seen.gains == seen.outputs == ()


@pytest.mark.parametrize("kind", ["hypothesis", "candidate", "avoid", "stage", "problem_mix"])
def test_other_texts_carry_nothing(kind):
    plan = lesson("").replace("A plan.", f"A plan. {all_items()}")
    for text in (guidance(kind, all_items()), plan, f"{all_items()}"):
        seen = evidence.read(read(ask(TASK, Op.IMPROVE, program(TASK, BASE), text)), space(TASK))
        assert seen == Evidence((), (), ())


def test_a_gain_is_read_of_an_entry_that_names_one_step():
    where, steps = space(TASK), space(TASK).edits(BASE)
    for kind in ("memory", "history"):
        hints = [
            guidance(kind, where.instruct(steps[0]), node=5, gain="+0.012"),
            guidance(kind, where.instruct(steps[1]), "It lost.", node=6, gain="-0.004"),
            guidance(kind, f"{where.instruct(steps[2])} {where.instruct(steps[4])}", node=7, gain="+0.1"),
            guidance(kind, where.instruct(steps[3]), node=8),
            guidance(kind, where.instruct(steps[3]), node=9, gain="+0"),
        ]
        seen = evidence.read(read(ask(TASK, Op.SELECT, *hints)), where)
        assert [(edit, sign) for _, edit, sign in seen.gains] == [(steps[0], 1), (steps[1], -1)]


def test_an_output_is_evidence_where_its_program_ran_and_is_known():
    def outputs(*parts: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return evidence.read(read(ask(TASK, Op.DIAGNOSE, *parts)), space(TASK)).outputs

    both = [
        program(TASK, BASE),
        output(TASK, BASE),
        program(TASK, SUBJECT, "subject"),
        output(TASK, SUBJECT, "subject"),
    ]
    assert outputs(*both) == (("base", BASE), ("subject", SUBJECT))
    assert outputs(program(TASK, BASE)) == ()
    assert outputs(output(TASK, BASE)) == ()
    assert outputs(program(TASK, BASE, status="error"), output(TASK, BASE)) == ()
    assert outputs(program(TASK, BASE), output(TASK, SUBJECT)) == ()


def test_the_same_text_counts_once_and_the_same_whoever_prints_it():
    told = sentence(found_in(all_items(1)), space(TASK))
    kinds = [
        lesson(told),
        guidance("diagnosis", f"Reason: {told}"),
        guidance("memory", "An idea.", told),
        guidance("history", "An idea.", told),
    ]
    for i in range(20):
        model = engineer(0.6, f"m{i}", evidence_share=0.7)
        shown = [call(model, TASK, Op.IMPROVE, program(TASK, BASE), text).text for text in (*kinds, "\n".join(kinds))]
        assert len(set(shown)) == 1


# ---------------------------------------------------------------------------------------------------- who writes it


def test_a_review_writes_one_item_and_a_diagnosis_three_and_its_verdict():
    for i in range(30):
        model = engineer(0.5, f"m{i}", evidence_share=0.4)
        base, shown = program(TASK, BASE), output(TASK, SUBJECT, "subject")
        assert len(found_in(review(model, shown))) == CARRIES["lesson"] == 1
        told = found_in(diagnose(model, base, shown))
        assert len(told) == CARRIES["diagnosis"] == 4
        assert told[0].edit == space(TASK).edits(BASE)[2]
        open_ = space(TASK).edits(SUBJECT)
        assert all(item.edit in open_ for item in told[1:])
        assert len({item.edit for item in told}) == 4
        assert len(found_in(diagnose(model, shown))) == 3


def test_nothing_is_found_without_an_output_or_of_a_failure():
    model, failed = engineer(0.5, evidence_share=0.9), program(TASK, SUBJECT, "subject", "error", "")
    assert found_in(review(model)) == found_in(diagnose(model, program(TASK, BASE))) == ()
    for op in (Op.REVIEW, Op.DIAGNOSE):
        assert "Evidence" not in call(model, TASK, op, failed, output(TASK, SUBJECT, "subject")).text


@pytest.mark.parametrize("c", LEVELS)
def test_the_sign_of_an_item_is_right_with_the_stated_probability(c):
    """1/2 + asin(c)/pi for a Gaussian hidden part; the exact expectation is that for the parts that there are."""
    f, right, expected, n = 0.6, 0, 0.0, 1500
    rng = random.Random(4)
    for i in range(n):
        task = TASKS[i % len(TASKS)]
        pipeline = rng.choice(space(task).pipelines)
        mind = Mind(f"m{i}", truth.load(task), Faculties(c, 0.5, 6, f), (i,))
        (told,) = mind.items(pipeline, 1)
        hidden = truth.load(task).parts(dict(truth.load(task).edits(pipeline))[told.edit], (told.edit,), f).hidden
        right += (told.value > 0) == (hidden > 0)
        size = abs(hidden)
        expected += 1.0 if c == 1.0 else 0.5 * (1 + math.erf(c * size / math.sqrt(2 * (1 - c * c))))
    error = math.sqrt(0.25 / n)
    assert right / n == pytest.approx(expected / n, abs=4 * error)
    assert right / n == pytest.approx(accuracy(c), abs=4 * error + 0.03)
    if c == 1.0:
        assert right == n


@pytest.mark.parametrize("c", LEVELS)
def test_the_sign_of_a_gain_is_understood_with_the_stated_probability(c):
    where, table, n, right = space(TASK), truth.load(TASK), 1200, 0
    step = where.edits(BASE)[0]
    for i in range(n):
        mind = Mind("m", table, Faculties(c, 0.5, 6, 1.0), (i,))
        mind.learn(Evidence((), (("5 +0.01", step, 1),), ()))
        right += (mind.of(BASE, [step]) or 0.0) > 0
    p = accuracy(c)
    assert right / n == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / n))


def test_several_items_about_a_step_are_weighed_by_their_errors():
    """The weights are those of the least squares guess of h from the mean of r items, found by regression."""
    c, k, r, rng = 0.6, 0.3, 3, random.Random(9)
    pairs = []
    for _ in range(20_000):
        h, old = rng.gauss(0, 1), rng.gauss(0, 1)
        noise = [math.sqrt(k) * old + math.sqrt(1 - k) * rng.gauss(0, 1) for _ in range(r)]
        pairs.append((h, sum(c * h + math.sqrt(1 - c * c) * e for e in noise) / r))
    slope = sum(h * m for h, m in pairs) / sum(m * m for _, m in pairs)
    edit = Edit(0, "metric")
    weight = combined([EvidenceItem(edit, 1.0)] * r, c, k)[edit]
    assert c * weight == pytest.approx(slope, abs=0.02)
    assert combined([EvidenceItem(edit, 0.7)], c, k) == {edit: pytest.approx(0.7)}


# ----------------------------------------------------------------------------------------------------- what it is worth


def everything(f: float, c: float, of: Sequence[Edit], name: str, call_: int) -> list[str]:
    """A lesson about each of some steps from the base, written by an engineer who reads outputs at c."""
    mind = Mind(name, truth.load(TASK), Faculties(c, 0.0, 6, f), (call_, "writer"))
    seen = {told.edit: told for told in mind.items(BASE, FULL)}
    return [lesson(sentence([seen[edit]], space(TASK)), i) for i, edit in enumerate(of)]


def pairs_told(replies: Sequence[Reply], c: float, f: float, known: Sequence[Edit]) -> tuple[float, float, int]:
    """How many pairs of steps are told right, how many should be, and of how many."""
    table, where = truth.load(TASK), space(TASK)
    worth = dict(table.edits(BASE))
    parts = {edit: table.parts(z, (edit,), f) for edit, z in worth.items()}

    def mean(edit: Edit) -> float:
        read_ = parts[edit].hidden if edit in known else 0.0
        return c * (math.sqrt(1 - f) * parts[edit].known + math.sqrt(f) * read_)

    def variance(edit: Edit) -> float:
        return (1 - c * c) * ((1 - f) + (f if edit in known else 0.0))

    right, expected, n = 0.0, 0.0, 0
    for reply in replies:
        (first, second) = (where.instructions(h["hypothesis"])[0] for h in json.loads(reply.text)["hypotheses"][:2])
        raise_ = worth[first] - worth[second]
        if raise_ == 0.0:
            continue
        n += 1
        right += raise_ > 0
        ahead = (mean(first) - mean(second)) * (1 if raise_ > 0 else -1)
        expected += 0.5 * (1 + math.erf(ahead / math.sqrt(2 * (variance(first) + variance(second)))))
    return right, expected, n


@pytest.mark.parametrize("read_share", [0.0, 0.5, 1.0])
def test_items_are_worth_what_the_formula_says_and_without_them_that_is_gone(read_share):
    """Breadth 2: two steps drawn at random are told apart as often as the formula says, given what was printed."""
    c, f, n = 0.7, 0.6, 900
    edits = space(TASK).edits(BASE)
    known = edits[: round(read_share * len(edits))]
    replies = []
    for i in range(n):
        model = engineer(c, "sim", breadth=2, persistence=0.0, evidence_share=f)
        texts = everything(f, c, known, "sim", i)
        replies.append(call(model, TASK, Op.HYPOTHESIZE, program(TASK, BASE), *texts, entropy=i))
    right, expected, total = pairs_told(replies, c, f, known)
    assert total > 0.8 * n
    assert right / total == pytest.approx(expected / total, abs=4 * math.sqrt(0.25 / total))


def test_with_nothing_hidden_reading_is_worth_nothing():
    """f = 0: every reply is the same to the letter with the evidence and without it."""
    where = space(TASK)
    step = where.edits(BASE)[3]
    bare, full = "", all_items(4)
    for op in (Op.DRAFT, Op.IMPROVE, Op.HYPOTHESIZE, Op.SELECT, Op.MERGE):
        for i in range(10):
            model = engineer(0.5, f"m{i}")
            shown = [program(TASK, BASE), program(TASK, SUBJECT, "other")]
            told = [
                [*shown, *out, lesson(text), guidance("memory", where.instruct(step), text or "-", **gain)]
                for text, out, gain in ((bare, [], {}), (full, [output(TASK, BASE)], {"gain": "+0.01", "node": 3}))
            ]
            assert call(model, TASK, op, *told[0]).text == call(model, TASK, op, *told[1]).text
    assert "Evidence" not in diagnose(engineer(1.0), program(TASK, BASE), output(TASK, SUBJECT, "subject"))
    assert "Evidence" not in review(engineer(1.0), output(TASK, SUBJECT, "subject"))


@pytest.mark.parametrize("task", TASKS)
def test_with_all_hidden_nothing_is_known_without_evidence(task):
    """f = 1: an able engineer who reads nothing answers the same, to the letter, whatever the truth is."""
    able = Engineer("sim", Dial(1.0, FULL, 0.0, evidence_share=1.0))
    other = Engineer("sim", Dial(1.0, FULL, 0.0, evidence_share=1.0), lambda t: shuffled(t, 3))
    base, subject = space(task).pipelines[3], space(task).pipelines[40]
    parts = [program(task, subject, "subject"), program(task, base), program(task, subject, "other")]
    for op in (Op.DRAFT, Op.IMPROVE, Op.MERGE, Op.DIAGNOSE, Op.HYPOTHESIZE, Op.SELECT):
        for i in range(10):
            assert call(able, task, op, *parts, proposal=i).text == call(other, task, op, *parts, proposal=i).text
    shown = output(task, subject, "subject")
    seen = [call(m, task, Op.DIAGNOSE, *parts, shown, proposal=1).text for m in (able, other)]
    assert seen[0] != seen[1]


def test_with_all_hidden_an_able_engineer_who_has_read_everything_climbs_steepest():
    """f = 1, c = 1 and an item about every step: steepest ascent, up to the two decimals of an item."""
    table, where = truth.load(TASK), space(TASK)
    worth = dict(table.edits(BASE))
    texts = everything(1.0, 1.0, list(worth), "sim", 0)
    made = written(call(engineer(1.0, evidence_share=1.0), TASK, Op.IMPROVE, program(TASK, BASE), *texts)).pipeline
    assert made in [apply(BASE, e) for e in where.edits(BASE) if worth[e] >= max(worth.values()) - 0.01]


def test_without_capability_evidence_is_noise():
    """c = 0: every reply is blind to the truth, whatever is hidden and whatever outputs are shown."""
    dial = Dial(0.0, FULL, 0.0, evidence_share=0.6)
    real, other = Engineer("sim", dial), Engineer("sim", dial, lambda t: shuffled(t, 5))
    parts = [
        program(TASK, SUBJECT, "subject"),
        output(TASK, SUBJECT, "subject"),
        program(TASK, BASE),
        output(TASK, BASE),
    ]
    for op in Op:
        for i in range(10):
            assert call(real, TASK, op, *parts, proposal=i).text == call(other, TASK, op, *parts, proposal=i).text


def test_one_text_more_changes_the_reading_of_no_other():
    """What an engineer takes from an output does not depend on what else is printed."""
    table, steps, compared = truth.load(TASK), space(TASK).edits(BASE), 0
    for i in range(40):
        one, more = (Mind("m", table, Faculties(0.5, 0.5, 6, 1.0), (i,)) for _ in range(2))
        one.learn(Evidence((), (), (("base", BASE),)))
        more.learn(Evidence((), (("5 +1", steps[0], 1),), (("subject", SUBJECT), ("base", BASE))))
        said, told = ({e: mind.of(BASE, [e]) for e in steps} for mind in (one, more))
        (seen,) = (e for e in steps if said[e] != 0.0)
        if seen != steps[0] and sum(value != 0.0 for value in told.values()) == 3:
            compared += 1
            assert told[seen] == said[seen]
    assert compared > 10


def test_the_two_parts_of_a_worth_make_it_up_and_are_independent():
    """z = sqrt(1 − f) u + sqrt(f) h; for Gaussian z and w, u and h are uncorrelated."""
    table, f = truth.load("canvas"), 0.3
    for z, edit in zip((-1.2, 0.0, 0.7), space("canvas").edits(space("canvas").baseline), strict=False):
        parts = table.parts(z, (edit,), f)
        assert math.sqrt(1 - f) * parts.known + math.sqrt(f) * parts.hidden == pytest.approx(z, abs=1e-12)
    assert table.parts(0.4, (edit,), 0.0).known == 0.4
    assert table.parts(0.4, (edit,), 1.0).hidden == 0.4
    quantiles = [normal_quantile((i + 0.5) / 400) for i in range(400)]
    known = [[math.sqrt(1 - f) * z + math.sqrt(f) * w for w in quantiles] for z in quantiles]
    hidden = [[math.sqrt(f) * z - math.sqrt(1 - f) * w for w in quantiles] for z in quantiles]
    product = sum(u * h for us, hs in zip(known, hidden, strict=True) for u, h in zip(us, hs, strict=True))
    assert product / 160_000 == pytest.approx(0.0, abs=1e-9)


def unexplained(task: str, *given: str) -> float:
    """The share of the variance of z that the option of a step leaves unexplained, with choices of its base given."""
    table, by_option = truth.load(task), dict[tuple[object, ...], list[float]]()
    at = [i for i, choice in enumerate(table.space.choices) if choice.name in given]
    for pipeline in table.space.pipelines:
        for edit, z in table.edits(pipeline):
            by_option.setdefault((edit, *(pipeline[i] for i in at)), []).append(z)
    every = np.array([z for values in by_option.values() for z in values])
    return float(sum(np.var(values) * len(values) for values in by_option.values()) / (np.var(every) * len(every)))


def test_the_default_share_is_among_what_options_leave_unexplained_in_the_tables():
    """The figures of docs/simulation.md."""
    alone = [unexplained(task) for task in TASKS]
    with_model = [unexplained(task, "model") for task in TASKS]
    assert (min(alone), max(alone)) == (pytest.approx(0.48, abs=0.005), pytest.approx(0.81, abs=0.005))
    assert (min(with_model), max(with_model)) == (pytest.approx(0.32, abs=0.005), pytest.approx(0.64, abs=0.005))
    assert min(with_model) < Dial().evidence_share < max(with_model)


@pytest.mark.parametrize("f", [0.0, 0.3, 1.0])
def test_what_is_said_of_a_step_enters_its_belief_with_the_root_of_the_share(f):
    table, edit = truth.load(TASK), space(TASK).edits(BASE)[1]
    bare, told = (Mind("m", table, Faculties(0.5, 0.5, 6, f), (1,)) for _ in range(2))
    told.learn(Evidence((EvidenceItem(edit, 1.25),), (), ()))
    before, after = bare.of(BASE, [edit]), told.of(BASE, [edit])
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(math.sqrt(f) * 1.25, abs=1e-12)
