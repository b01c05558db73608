"""Every strategy gets the same prompts: what differs is what it decided, never who decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.models.markup import blocks
from mlesearch.operators import OPERATOR_SETS, make
from mlesearch.operators.base import Scene
from mlesearch.storage import codec
from mlesearch.storage.journal import read
from mlesearch.types import Direction, GuidanceKind, Op, Proposal
from tests.support import toy_run
from tests.support.presets import PRESETS
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import ToyModel, ToySandbox

STEPS = 24


def searched(folder, strategy, params, operators="aide", score=toy_run.by_formula, steps=STEPS):
    """A run's events, its nodes, and the first prompt of every proposal."""
    model = ToyModel()
    parts = toy_run.parts(
        folder, strategy=strategy, params=params, model=model, sandbox=ToySandbox(score), budget=Budget(steps=steps),
        review=False,
    )  # fmt: skip
    if operators != "aide":
        ops, scope = make(direction=parts.direction, operator_set=operators)
        parts = replace(parts, context=replace(parts.context, operators=ops, scope=scope))
    engine = Engine(parts)
    engine.run()
    parts.folder.close()
    prompts = {r.address.proposal: r.messages for r in model.requests if r.address.attempt == 0}
    return read(folder / "journal.jsonl")[1], engine.nodes, prompts, parts.context


def treated(messages, without):
    """A prompt as comparable pieces, blocks of some tags left out."""
    system, user = messages
    return system.content, [b for b in blocks(user.content) if b.tag not in without]


@pytest.mark.parametrize("operators", OPERATOR_SETS.builtin)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_prompt_is_what_operator_program_and_history_say(tmp_path, preset, operators):
    """Each prompt of a real run against one made for nobody, from the history alone."""
    kind, params = PRESETS[preset]
    events, nodes, prompts, context = searched(tmp_path, kind, params, operators)
    neutral, scope = make(direction=Direction(context.brief.direction), operator_set=operators)
    known, shared, explicit = {}, 0, 0
    for event in events:
        if event["type"] == "told" and event["id"] in nodes:
            known[event["id"]] = nodes[event["id"]]
            scope.add(nodes[event["id"]])
        if event["type"] != "asked" or event["p"]["id"] not in prompts:
            continue
        p = codec.proposal_from_json(event["p"])
        nobody = Proposal(p.id, p.op, p.base, p.subject, p.parents if p.op is Op.MERGE else ())
        left = 10 - int(10 * event["used"])
        scene = Scene(
            context.brief, context.resources, nobody, known, scope.context(nobody, known), scope.cue(nobody), left
        )  # steps alone are limited: no time is named but the declared limit
        plain = neutral.render(scene)
        if p.context is None:
            shared += 1
            if not p.guidance:
                assert prompts[p.id] == plain
            assert treated(prompts[p.id], {"guidance"}) == treated(plain, {"guidance"})
        else:  # only the nodes that it names, beside
            explicit += 1
            shows = {"attempt"} if p.op is not Op.MERGE else {"program"}
            assert treated(prompts[p.id], {"guidance", *shows}) == treated(plain, {"guidance", *shows})
            shown = [b for b in blocks(prompts[p.id][1].content) if b.tag == "attempt"]
            assert {int(b.attrs["node"]) for b in shown} <= {*p.context, p.subject}
    assert shared + explicit == len(prompts) >= STEPS
    own = kind in ("gome", "evo", "mcgs") or "context_sample" in params or preset == "best_of_n"
    assert explicit == 0 or own
    assert shared == 0 or kind != "gome" or preset in ("gome_bare", "gome_no_diagnosis"), (shared, explicit)


def five_drafts_then_the_fourth(id):
    return [0.1, 0.2, 0.3, 0.9, 0.4][id] if id < 5 else 0.5


def test_strategies_on_one_history_send_the_same_bytes(tmp_path):
    """Five drafts of which the fourth is best; then three published policies improve it, and a script does too."""
    improve = Proposal(5, Op.IMPROVE, base=3, parents=(3,))
    cases = {
        "script": (Scripted(*drafts(5), improve, Proposal(6, Op.DRAFT)), {}),
        "greedy": ("greedy", {}),
        "aira_greedy": ("greedy", {"debug_prob": 1.0, "max_debug_depth": 20}),
        "mcts": ("mcts", {"preset": "aira"}),
        "ml_master": ("mcts", {"preset": "ml_master", "drafts": 5, "improves": 1, "max_no_gains": 0}),
        "gome": ("gome", {"n_traces": 5, "diagnosis": "off", "momentum": "off", "diversify": "off", "merge": "off"}),
    }
    sent = {}
    for name, (strategy, params) in cases.items():
        events, _, prompts, _ = searched(tmp_path / name, strategy, params, score=five_drafts_then_the_fourth, steps=12)
        asked = [codec.proposal_from_json(e["p"]) for e in events if e["type"] == "asked"]
        for k in range(6):
            sent[name, asked[k].op, asked[k].base, k] = prompts[asked[k].id]
    drafted = {m for (_, op, _, k), m in sent.items() if op is Op.DRAFT and k == 0}
    assert len(drafted) == 1
    improved = {name: m for (name, op, base, k), m in sent.items() if (op, base, k) == (Op.IMPROVE, 3, 5)}
    assert set(improved) >= {"script", "greedy", "aira_greedy", "mcts"}
    assert len(set(improved.values())) == 1


def test_what_gome_adds_is_guidance_and_named_nodes(tmp_path):
    """Its improvements carry a hypothesis, and name programs that there are."""
    events, nodes, prompts, _ = searched(tmp_path, "gome", {"diversify": "off", "merge": "off"})
    improvements = [
        p for e in events if e["type"] == "asked" and (p := codec.proposal_from_json(e["p"])).op is Op.IMPROVE
    ]
    assert len(improvements) >= 5
    for p in improvements:
        if p.id in prompts:
            kinds = {b.attrs["kind"] for b in blocks(prompts[p.id][1].content) if b.tag == "guidance"}
            assert GuidanceKind.HYPOTHESIS in kinds
            assert set(p.context) <= set(nodes)
