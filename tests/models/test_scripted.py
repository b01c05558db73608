"""Scripted models: a list, a file, or a function answers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mlesearch.models.price import Price
from mlesearch.models.protocol import Address, EmptyReply, Message, Reply, Request, Sampling
from mlesearch.models.registry import make_model
from mlesearch.models.scripted import ScriptedModel
from mlesearch.types import ConfigError, ModelUnavailable, Op, Usage


def request(proposal: int = 0, op: Op = Op.DRAFT) -> Request:
    return Request((Message("user", "Hello?"),), Sampling(), Address("run", 0, proposal, op), 1, 10.0)


def test_a_list_is_answered_in_order_and_runs_out() -> None:
    special = Reply("special", "length", Usage(calls=1), "other")
    model = ScriptedModel(["one", special, EmptyReply("nothing")])
    assert model.complete(request(0)).text == "one"
    assert model.complete(request(1)) is special
    with pytest.raises(EmptyReply, match="nothing"):
        model.complete(request(2))
    with pytest.raises(ModelUnavailable, match="its script of 3 replies has run out"):
        model.complete(request(3))
    assert [asked.address.proposal for asked in model.requests] == [0, 1, 2, 3]


def test_usage_is_fixed_and_priced() -> None:
    usage = Usage(calls=1, input_tokens=1000, cached_tokens=500, output_tokens=10, service_us=5)
    model = ScriptedModel(lambda _asked: "x", usage=usage, price=Price(2.0, 10.0, 1.0))
    reply = model.complete(request())
    assert reply.usage == Usage(1, 1000, 500, 10, 0, 500 * 2000 + 500 * 1000 + 10 * 10000, 5, 0)
    assert ScriptedModel(["x"], price=None).complete(request()).usage.cost_nusd is None
    assert ScriptedModel(["x"]).complete(request()).usage.cost_nusd == 0


def test_many_threads_get_each_reply_once() -> None:
    model = ScriptedModel([str(i) for i in range(200)])
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.extend(model.complete(request()).text for _ in range(20)))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got, key=int) == [str(i) for i in range(200)]


def test_made_from_a_file_it_answers_by_operator_and_proposal(tmp_path: Path) -> None:
    path = tmp_path / "replies.yaml"
    path.write_text("draft: [a, b]\nreview: fine\ndefault: [rest]\n")
    model = make_model("s", "scripted", {"file": str(path), "input_tokens": 7, "service_s": 0.5})
    drafts = [model.complete(request(i)).text for i in (0, 1, 2, 1)]
    assert drafts == ["a", "b", "a", "b"]
    assert model.complete(request(5, Op.REVIEW)).text == "fine"
    reply = model.complete(request(5, Op.MERGE))
    assert reply.text == "rest"
    assert (reply.usage.input_tokens, reply.usage.service_us) == (7, 500_000)
    inline = make_model("s", "scripted", {"replies": {"draft": ["a", "b"], "review": "fine", "default": ["rest"]}})
    assert inline.identity() == model.identity()
    assert make_model("s", "scripted", {"replies": ["a"]}).identity() != model.identity()
    assert (model.live, model.simulated) == (False, True)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "exactly one of replies and file"),
        ({"replies": ["a"], "file": "x"}, "exactly one of replies and file"),
        ({"replies": []}, "non-empty list"),
        ({"replies": [1]}, "non-empty list of texts"),
        ({"replies": {"drafts": ["a"]}}, "unknown operator 'drafts'; allowed: draft"),
        ({"replies": ["a"], "speed": 1}, "unknown parameter 'speed'"),
        ({"file": "/nowhere/at/all.yaml"}, "can't read its file"),
        ({"replies": ["a"], "input_tokens": -1}, "at least 0"),
    ],
)
def test_wrong_scripts(params: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_model("s", "scripted", params)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_operator_without_a_reply() -> None:
    model = make_model("s", "scripted", {"replies": {"draft": "a"}})
    with pytest.raises(ModelUnavailable, match="no reply for operator 'merge'"):
        model.complete(request(0, Op.MERGE))
