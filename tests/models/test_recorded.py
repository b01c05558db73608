"""Model calls recorded once: found again, replayed with no model, one call a key for all threads and processes."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.models.embed import make_embedder
from mlesearch.models.price import Price
from mlesearch.models.protocol import (
    Address,
    AuthFailed,
    ContentFilter,
    ContextOverflow,
    EmbedRequest,
    EmptyReply,
    Message,
    Reply,
    Request,
    Sampling,
)
from mlesearch.models.recorded.keys import call_fields
from mlesearch.models.recorded.models import RecordedEmbedder, RecordedModel
from mlesearch.models.registry import make_model
from mlesearch.storage.entry import StoreMiss, key_of
from mlesearch.storage.store import FORMS, Store, open_store
from mlesearch.testing.openai_stub import OpenAIStub
from mlesearch.types import ConfigError, ModelUnavailable, Op
from tests.support.command import python
from tests.support.counted_calls import ADDRESS, REQUEST, USAGE, Counting, cassette


def test_a_call_is_made_once_and_replays_with_its_cost_and_time(store: Store, tmp_path: Path) -> None:
    inner = Counting()
    model = RecordedModel(inner, cassette(store, "record", tmp_path))
    first = model.complete(REQUEST)
    assert model.complete(REQUEST) == first == Reply("reply 1", "length", USAGE, "c-1-0613", ("top_p",))
    other = model.complete(replace(REQUEST, address=replace(ADDRESS, attempt=1)))
    assert other.text == "reply 2"  # one prompt, two calls
    never = Counting()
    never.price = None
    replayed = RecordedModel(never, cassette(store, "replay", tmp_path))
    replayed.check()
    assert replayed.complete(REQUEST) == first
    assert (replayed.price, replayed.live, replayed.simulated) == (Price(1.0, 2.0), True, False)
    assert replayed.identity() == inner.identity()
    assert (inner.calls, never.calls, never.checks) == (2, 0, 0)
    assert list((tmp_path / "flights").iterdir()) == []


@pytest.mark.parametrize(
    "kept",
    [{"deadline_s": 1.0}, {"sampling": Sampling(temperature=0.5)}],
    ids=["a time limit", "a parameter that is the model's own anyway"],
)
def test_what_decides_nothing_is_no_part_of_the_key(kept: dict) -> None:
    identity = Counting().identity()
    assert call_fields(identity, replace(REQUEST, **kept)) == call_fields(identity, REQUEST)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"messages": (*REQUEST.messages, Message("user", "?"))}, r"prompt \(stored "),
        ({"sampling": Sampling(temperature=0.7)}, r"parameters.temperature \(stored 0.5, asked for 0.7\)"),
        ({"entropy": 12}, r"entropy \(stored 11, asked for 12\)"),
        ({"address": replace(ADDRESS, proposal=4)}, r'address \(stored "m/s/base/t/seed-0/0/3/draft/0"'),
    ],
)
def test_a_miss_names_the_nearest_request_and_what_differs(
    changed: dict, named: str, store: Store, tmp_path: Path
) -> None:
    RecordedModel(Counting(), cassette(store, "record", tmp_path)).complete(REQUEST)
    replayed = RecordedModel(Counting(), cassette(store, "replay", tmp_path))
    with pytest.raises(StoreMiss, match=f"the nearest stored key is [0-9a-f]{{12}} and differs in {named}") as miss:
        replayed.complete(replace(REQUEST, **changed))
    assert ";" not in str(miss.value).split("differs in")[1]  # in nothing else
    assert "\n" not in str(miss.value)


TEXT = st.text(max_size=8)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=3).map(tuple)
REQUESTS = st.builds(
    Request,
    MESSAGES,
    st.builds(
        Sampling,
        st.none() | st.sampled_from([0.0, 0.5]),
        st.none() | st.just(0.9),
        st.sampled_from([10, 20]),
        st.none(),
    ),
    st.builds(Address, TEXT, st.integers(0, 1), st.integers(0, 1), st.sampled_from(Op), st.integers(0, 1)),
    st.integers(0, 2),
    st.sampled_from([1.0, 2.0]),
)


@settings(max_examples=200, deadline=None)
@given(REQUESTS, REQUESTS)
def test_two_requests_share_a_key_only_where_they_ask_the_same(a: Request, b: Request) -> None:
    identity = {"kind": "k"}
    same = (a.messages, a.sampling, str(a.address), a.entropy) == (b.messages, b.sampling, str(b.address), b.entropy)
    assert (key_of(call_fields(identity, a)) == key_of(call_fields(identity, b))) == same


@pytest.mark.parametrize("kind", [ContextOverflow, ContentFilter, EmptyReply])
def test_a_failure_of_the_prompt_is_kept_and_raised_again(
    kind: type[ModelUnavailable], store: Store, tmp_path: Path
) -> None:
    error = kind("it is too long", USAGE)  # of a prompt that was too long too: attempts before it may have been cut off
    inner = Counting(error)
    with pytest.raises(kind, match="it is too long"):
        RecordedModel(inner, cassette(store, "record", tmp_path)).complete(REQUEST)
    with pytest.raises(kind, match="it is too long") as again:
        RecordedModel(Counting(), cassette(store, "replay", tmp_path)).complete(REQUEST)
    assert again.value.usage == USAGE
    assert inner.calls == 1


def test_a_failure_of_the_provider_is_not_kept(store: Store, tmp_path: Path) -> None:
    with pytest.raises(AuthFailed):
        RecordedModel(Counting(AuthFailed("no")), cassette(store, "record", tmp_path)).complete(REQUEST)
    assert RecordedModel(Counting(), cassette(store, "record", tmp_path)).complete(REQUEST).text == "reply 1"


def test_another_price_or_model_is_refused(store: Store, tmp_path: Path) -> None:
    RecordedModel(Counting(), cassette(store, "record", tmp_path)).complete(REQUEST)
    declared = {"input_usd_per_mtok": 9.0, "output_usd_per_mtok": 9.0}
    for dearer in (Counting(), Counting(price=declared)):  # of the map, and declared
        dearer.price = Price(9.0, 9.0)
        other = RecordedModel(dearer, cassette(store, "record", tmp_path))
        for refused in (
            other.check,
            other.record_metadata,
            lambda other=other: other.complete(REQUEST),  # it is in the cassette, at another cost
            lambda other=other: other.complete(replace(REQUEST, entropy=1)),
        ):
            with pytest.raises(
                ConfigError, match=r"the model 'counting' was recorded as .*choose another cassette_path"
            ):
                refused()
        assert dearer.calls == 0
    with pytest.raises(ConfigError, match=r"the model 'counting' was recorded as "):
        RecordedModel(Counting(price=declared), cassette(store, "replay", tmp_path))
    with pytest.raises(ConfigError, match=r'no such model was recorded: .*identity.kind \(stored "counting"'):
        RecordedModel(make_model("s", "scripted", {"replies": ["x"]}), cassette(store, "replay", tmp_path))


def test_a_model_whose_prompts_and_parameters_come_out_the_same_is_the_same(store: Store, tmp_path: Path) -> None:
    """Its window, its ceiling and its defaults decide what is sent; that stands in the key of each call."""
    cheap = {"price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}}
    first = RecordedModel(Counting(**cheap), cassette(store, "record", tmp_path)).complete(REQUEST)
    other = {**cheap, "context_window": 1000, "max_output_tokens": 100_000, "defaults": {"temperature": 0.5}}
    assert RecordedModel(Counting(**other), cassette(store, "record", tmp_path)).complete(REQUEST) == first
    for identity in (cheap, other, {"context_window": 7}):  # the last one's price is whatever the map says
        assert RecordedModel(Counting(**identity), cassette(store, "replay", tmp_path)).complete(REQUEST) == first
    warmer = RecordedModel(Counting(**cheap, defaults={"temperature": 0.7}), cassette(store, "replay", tmp_path))
    with pytest.raises(StoreMiss, match=r"parameters.temperature \(stored 0.5, asked for 0.7\)"):
        warmer.complete(REQUEST)


def test_what_was_described_and_never_called_replays(store: Store, tmp_path: Path) -> None:
    with OpenAIStub() as stub:
        live = make_embedder({"kind": "litellm", "model": "openai/e", "api_base": stub.base_url})
    for recorded, inner in ((RecordedModel, Counting()), (RecordedEmbedder, live)):
        with pytest.raises(ConfigError, match=r"no such (model|embedder) was recorded"):
            recorded(inner, cassette(store, "replay", tmp_path))
        recorded(inner, cassette(store, "record", tmp_path)).record_metadata()
        assert recorded(inner, cassette(store, "replay", tmp_path)).price == inner.price


def test_a_check_keeps_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    inner = Counting()
    RecordedModel(inner, cassette(store, "record", tmp_path)).check()
    assert inner.checks == 1
    assert list(tmp_path.iterdir()) == []


def test_vectors_are_recorded_too(store: Store, tmp_path: Path) -> None:
    ask = EmbedRequest(("more trees", "fewer trees"), ADDRESS)
    with OpenAIStub() as stub:
        live = make_embedder({"kind": "litellm", "model": "openai/e", "api_base": stub.base_url})
        recorder = RecordedEmbedder(live, cassette(store, "record", tmp_path))
        first = recorder.embed(ask)
        assert recorder.embed(ask) == first
        assert stub.calls == 1
    replayed = RecordedEmbedder(live, cassette(store, "replay", tmp_path))
    assert replayed.embed(ask) == first
    with pytest.raises(StoreMiss, match=r"differs in texts \(stored "):
        replayed.embed(replace(ask, texts=("a",)))


# single flight


def test_of_many_threads_that_ask_for_one_key_one_calls(store: Store, tmp_path: Path) -> None:
    inside = threading.Barrier(8, timeout=30)

    inner = Counting()
    model = RecordedModel(inner, cassette(store, "record", tmp_path))
    seen: list[str] = []

    def ask() -> None:
        inside.wait()
        seen.append(model.complete(REQUEST).text)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert seen == ["reply 1"] * 8
    assert inner.calls == 1


ASKER = """
import sys, time
from pathlib import Path
from tests.support.counted_calls import Counting, REQUEST, cassette
from mlesearch.models.recorded.models import RecordedModel
from mlesearch.storage.store import open_store
folder = Path(sys.argv[1])
class Slow(Counting):
    def complete(self, request):
        with open(folder / "calls", "a") as f:
            f.write("x")
        time.sleep(0.3)
        return super().complete(request)
recorder = cassette(open_store(folder / "store", sys.argv[2]), "record", folder)
print(RecordedModel(Slow(), recorder).complete(REQUEST).text)
"""


@pytest.mark.parametrize("form", FORMS)
def test_of_many_processes_that_ask_for_one_key_one_calls(form: str, tmp_path: Path) -> None:
    command = python(ASKER, tmp_path, form)
    askers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [p.communicate(timeout=120)[0] for p in askers] == ["reply 1\n"] * 3
    assert (tmp_path / "calls").read_text() == "x"
