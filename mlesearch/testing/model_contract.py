"""The contract of a model as a test suite: subclass `ModelContract` in a test module and write `make`.

    class TestMine(ModelContract):
        replies_repeat = True  # the same request always gets the same reply

        def make(self):
            return make("mine", {"endpoint": "..."})

A model that needs a server starts it in an autouse fixture of the class. The other methods are optional: each shows the
suite one more way in which the model can be, and the checks that need it are skipped without it. It needs pytest
(`pip install mlesearch[test]`).
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import os
import pickle
import select
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from mlesearch.models.price import Price, price_to_json
from mlesearch.models.protocol import Address, Message, Model, Reply, Request, RetryingModel, Sampling
from mlesearch.types import ConfigError, ModelUnavailable, Op, Usage

FINISHES = ("stop", "length", "content_filter")
THREADS = 8
DEADLINE_S = 60.0
"""Of the requests that the suite makes, but for those that must not be answered."""

SILENT_S = 1.0
"""Deadline of a request that is never answered."""

LATE_S = 2.0
"""How long after its deadline a call may end: a loaded machine is slow."""

_ODD_TEXTS = ("", " ", "\0", "half a pair \ud83d", "naïve 漢字 🙂", '"\\}]`', "<job>", "x" * 100_000)


def check_usage(usage: Usage, price: Price | None) -> None:
    """What holds for the usage of every reply.

    Args:
        usage: of one call that was answered.
        price: of its model.

    Raises:
        AssertionError: it does not hold.
    """
    for name, value in dataclasses.asdict(usage).items():
        if name == "cost_nusd" and value is None:
            continue
        assert type(value) is int, f"usage.{name} is {value!r}; a whole number is needed, so that sums are exact"
        assert value >= 0, f"usage.{name} is {value}"
    assert usage.calls == 1, f"one call was answered, and usage.calls is {usage.calls}"
    assert usage.cached_tokens <= usage.input_tokens, "cached tokens are part of the input"
    assert usage.reasoning_tokens <= usage.output_tokens, "reasoning tokens are part of the output"
    if price is None:
        assert usage.cost_nusd is None, "without a known price the cost is None, never 0"


def check_reply(reply: Reply, price: Price | None) -> None:
    """What holds for every reply.

    Args:
        reply: of a model.
        price: of that model.

    Raises:
        AssertionError: it does not hold.
    """
    assert isinstance(reply, Reply), f"{reply!r} is no Reply"
    assert isinstance(reply.text, str)
    assert reply.finish in FINISHES, f"finish {reply.finish!r} is none of {FINISHES}"
    assert reply.text.strip() or reply.finish == "length", "a reply without text is an EmptyReply, which is raised"
    assert isinstance(reply.model, str)
    assert reply.model, "reply.model names who answered"
    assert isinstance(reply.dropped, tuple)
    assert all(isinstance(name, str) for name in reply.dropped)
    check_usage(reply.usage, price)


class ModelContract(ABC):
    """Inherit it in a test class and write `make`; every test below then runs against your model."""

    replies_repeat: ClassVar[bool] = False
    """Whether a reply is a function of the request alone, so that equal requests get equal replies."""

    @abstractmethod
    def make(self) -> Model:
        """A new model, always the same one, that answers `request`."""

    def request(self, proposal: int = 0, text: str | None = None) -> Request:
        """A request that the model answers.

        Args:
            proposal: of the address: two requests that differ in it are two calls.
            text: of the prompt, instead of the suite's own; it need not be answered.
        """
        said = f"Name a metric for task {proposal}." if text is None else text
        address = Address("contract", 0, proposal, Op.DRAFT)
        return Request((Message("user", said),), Sampling(), address, entropy=1, deadline_s=DEADLINE_S)

    def unready(self) -> Model | None:
        """A model that lacks what every call needs, such as a key; None: nothing can be missing."""
        return None

    def failing(self) -> Iterable[Model]:
        """Models whose next call fails, each in another way."""
        return ()

    def silent(self) -> Model | None:
        """A model that is never answered by whom it asks; None: it asks nobody."""
        return None

    def secrets(self) -> Sequence[str]:
        """Texts that nothing may show: keys, and addresses of the user's own endpoints."""
        return ()

    def answered(self, model: Model, request: Request) -> Reply:
        """The reply to a request, checked."""
        reply = model.complete(request)
        check_reply(reply, model.price)
        return reply

    def told(self, model: Model, request: Request) -> tuple[str, str, str, tuple[str, ...]]:
        """All of a reply but what its call took and cost."""
        reply = self.answered(model, request)
        return reply.text, reply.finish, reply.model, reply.dropped

    # what it says of itself

    def test_it_declares_what_it_is(self) -> None:
        """Name, live, simulated and price can be read before any call, and stay."""

        def declared() -> tuple[object, ...]:
            return model.name, model.live, model.simulated, model.price

        model = self.make()
        before = declared()
        assert isinstance(model.name, str)
        assert model.name
        assert type(model.live) is bool
        assert type(model.simulated) is bool
        price = model.price
        assert price is None or isinstance(price, Price), f"{price!r} is no Price"
        for name, value in (price_to_json(price) if price is not None else {}).items():
            assert 0 <= value < math.inf, f"price.{name} is {value}"
        self.answered(model, self.request())
        assert declared() == before

    def test_its_identity_is_json_and_stays(self) -> None:
        """The identity is written into files and compared: JSON, the same of every such model, whatever was called."""
        model = self.make()
        before = model.identity()
        assert isinstance(before, Mapping)
        assert before, "an empty identity tells no two models apart"
        assert json.loads(json.dumps(dict(before), allow_nan=False)) == dict(before), "it is not the same read back"
        self.answered(model, self.request())
        assert model.identity() == before
        assert self.make().identity() == before

    def test_nothing_shows_a_secret(self) -> None:
        """No key and no address of an own endpoint in what is written, printed or said."""
        if not self.secrets():
            pytest.skip("it has no secrets")
        model = self.make()
        reply = self.answered(model, self.request())
        for secret in self.secrets():
            assert secret not in repr(model)
            assert secret not in json.dumps(dict(model.identity()))
            assert secret not in repr(reply)

    # check

    def test_check_passes_and_repeats(self) -> None:
        """A model that has all it needs passes, as often as it is asked."""
        model = self.make()
        model.check()
        model.check()

    def test_check_says_what_is_missing(self) -> None:
        """What every call needs is asked for before any call, in one line."""
        model = self.unready()
        if model is None:
            pytest.skip("nothing can be missing")
        with pytest.raises(ConfigError) as raised:
            model.check()
        assert_one_line(str(raised.value))

    # complete

    def test_a_call_is_answered(self) -> None:
        """A Reply, with what it cost in whole numbers."""
        self.answered(self.make(), self.request())

    def test_one_that_retries_asks_before_it_does(self) -> None:
        """A call that needs one attempt is answered by `complete_retrying` as by `complete`, and nothing is asked."""
        model, asked = self.make(), list[str]()
        if not isinstance(model, RetryingModel):
            pytest.skip("it sends each call once")
        check_reply(model.complete_retrying(self.request(), lambda: asked.append("again")), model.price)
        assert asked == []

    def test_a_request_is_not_changed(self) -> None:
        """It is what the cassette's key is made of, before and after."""
        request = self.request()
        before = copy.deepcopy(request)
        self.answered(self.make(), request)
        assert request == before

    @pytest.mark.parametrize("text", _ODD_TEXTS, ids=range(len(_ODD_TEXTS)))
    def test_any_text_is_answered_or_refused_as_documented(self, text: str) -> None:
        """A prompt holds what programs print: it ends in a reply or in a ModelUnavailable, never in another error."""
        model = self.make()
        try:
            reply = model.complete(self.request(text=text))
        except ModelUnavailable as error:
            self.check_failure(error)
        else:
            check_reply(reply, model.price)

    def test_threads_share_a_model(self) -> None:
        """Several threads call one model at once, and each gets the answer to its own request."""
        model, together = self.make(), threading.Barrier(THREADS)

        def call(proposal: int) -> tuple[object, ...]:
            together.wait(DEADLINE_S)
            return self.told(model, self.request(proposal))

        with ThreadPoolExecutor(THREADS) as pool:
            said = list(pool.map(call, range(THREADS)))
        if self.replies_repeat:
            assert said == [self.told(self.make(), self.request(proposal)) for proposal in range(THREADS)]

    def test_equal_requests_get_equal_replies(self) -> None:
        """Whatever was asked before, and in whatever order: in another model of that kind, and in this one again."""
        if not self.replies_repeat:
            pytest.skip("its replies need not repeat")
        requests = [self.request(proposal) for proposal in range(4)]
        one, other = self.make(), self.make()
        first = [self.answered(one, request) for request in requests]
        backwards = [self.answered(other, request) for request in reversed(requests)]
        again = [self.answered(one, request) for request in requests]
        for reply, *others in zip(first, reversed(backwards), again, strict=True):
            for found in others:
                assert (found.text, found.finish, found.model) == (reply.text, reply.finish, reply.model)
                assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.cost_nusd) == (
                    reply.usage.input_tokens,
                    reply.usage.output_tokens,
                    reply.usage.cost_nusd,
                )

    def test_a_fork_calls_it_too(self) -> None:
        """Runs are forks of a process that may have called it: what a call needs of the process is made anew there."""
        model, request = self.make(), self.request()
        said = self.told(model, request)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(read)
                os.write(write, pickle.dumps(self.told(model, request)))
            finally:
                os._exit(0)
        os.close(write)
        try:
            assert select.select([read], [], [], DEADLINE_S)[0], "in a fork the call does not end"
            with open(read, "rb", closefd=False) as pipe:
                text = pipe.read()
            assert text, "in a fork the call failed"
            assert not self.replies_repeat or pickle.loads(text) == said
        finally:
            os.close(read)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    # failures

    def check_failure(self, error: ModelUnavailable) -> None:
        """What holds for every failure of a call."""
        assert_one_line(str(error))
        assert isinstance(error.usage, Usage), "what a failed call cost all the same is its usage"
        for secret in self.secrets():
            assert secret not in str(error)

    def test_a_failure_says_why(self) -> None:
        """A ModelUnavailable, or a subclass that says more, in one line and without a secret."""
        models = list(self.failing())
        if not models:
            pytest.skip("no call fails")
        for model in models:
            with pytest.raises(ModelUnavailable) as raised:
                model.complete(self.request())
            self.check_failure(raised.value)

    def test_the_deadline_is_kept(self) -> None:
        """A call ends at its deadline, waiting and retries included, though nobody answers."""
        model = self.silent()
        if model is None:
            pytest.skip("it asks nobody")
        self.answered(self.make(), self.request())  # what is loaded at the first call is not what is timed
        request = dataclasses.replace(self.request(), deadline_s=SILENT_S)
        began = time.monotonic()
        with pytest.raises(ModelUnavailable) as raised:
            model.complete(request)
        assert time.monotonic() - began < SILENT_S + LATE_S
        self.check_failure(raised.value)


def assert_one_line(text: str) -> None:
    """What an error says is one line that is not empty.

    Raises:
        AssertionError: it is none.
    """
    assert text.strip(), "an error says why"
    assert len(text.splitlines()) == 1, f"an error is said in one line: {text!r}"
