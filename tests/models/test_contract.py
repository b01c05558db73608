"""The models that ship keep the contract of a model, and the suite notices one that does not."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from mlesearch.models.price import Price
from mlesearch.models.protocol import (
    ContentFilter,
    ContextOverflow,
    EmptyReply,
    Model,
    Reply,
    Request,
    RetriesExhausted,
)
from mlesearch.models.registry import make_model
from mlesearch.models.scripted import ScriptedModel
from mlesearch.testing.model_contract import LATE_S, SILENT_S, ModelContract
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import ConfigError, ModelUnavailable, Op, Usage
from tests.support.simulated_prompts import ask, request

KEY = "sk-contract-0123456789"


class TestScripted(ModelContract):
    """A function of the request."""

    replies_repeat = True

    def make(self) -> Model:
        return ScriptedModel(lambda r: f"reply {r.address.proposal}", version="1")

    def failing(self) -> Iterable[Model]:
        yield ScriptedModel([])
        for kind in (ContextOverflow, ContentFilter, EmptyReply, RetriesExhausted):
            yield ScriptedModel([kind("model 'scripted': it failed")])


class TestScriptedByItsFile(ModelContract):
    """As `conf/model` makes it."""

    replies_repeat = True

    def make(self) -> Model:
        return make_model("mine", "scripted", {"replies": {"draft": ["one", "two"]}, "input_tokens": 7})

    def failing(self) -> Iterable[Model]:
        yield make_model("mine", "scripted", {"replies": {"merge": "never asked for"}})


class TestSimulatedEngineer(ModelContract):
    """With a prompt about a task that it knows."""

    replies_repeat = True

    def make(self) -> Model:
        return make_model("sim", "simulated", {"capability": 0.5})

    def request(self, proposal: int = 0, text: str | None = None) -> Request:
        made = request(ask("tickets", Op.DRAFT), Op.DRAFT, proposal)
        return made if text is None else replace(made, messages=(replace(made.messages[1], content=text),))

    def failing(self) -> Iterable[Model]:
        yield ForAnUnknownTask(self.make())


class ForAnUnknownTask:
    """The engineer, whatever it is asked, asked about a task that it does not know."""

    def __init__(self, inner: Model) -> None:
        self.name, self.live, self.simulated, self.price = inner.name, inner.live, inner.simulated, inner.price
        self.identity, self.check, self._inner = inner.identity, inner.check, inner

    def complete(self, asked: Request) -> Reply:
        return self._inner.complete(replace(asked, messages=ask("unheard of", Op.DRAFT)))


class TestLitellm(ModelContract):
    """Against a server of this machine."""

    @pytest.fixture(autouse=True)
    def _server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("CONTRACT_KEY", KEY)
        monkeypatch.delenv("CONTRACT_KEY_THAT_IS_NOT_SET", raising=False)
        with OpenAIStub(lambda body: f"About: {str(body['messages'][-1]['content'])[:80]}", key=KEY) as self.stub:
            yield

    def make(self, variable: str = "CONTRACT_KEY", priced: bool = True) -> Model:
        params = {"model": "openai/x", "api_base": self.stub.base_url, "api_key_env": variable, "max_retries": 0}
        price = {"price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}} if priced else {}
        return make_model("paid", "litellm", {**params, **price})

    def unready(self) -> Model | None:
        return self.make("CONTRACT_KEY_THAT_IS_NOT_SET")

    def failing(self) -> Iterable[Model]:
        for fault in (
            Fault.CONTEXT_OPENAI,
            Fault.CONTENT_FILTER,
            Fault.CONTENT_FILTER_FINISH,
            Fault.EMPTY_TEXT,
            Fault.SERVER_ERROR,
            Fault.BAD_REQUEST,
            Fault.UNAUTHORIZED,
        ):
            self.stub.faults.append(fault)
            yield self.make()

    def silent(self) -> Model | None:
        self.stub.faults += [None, Fault.HANG]
        return self.make()

    def secrets(self) -> Sequence[str]:
        return (KEY, self.stub.base_url)


class TestLitellmOfUnknownPrice(TestLitellm):
    """No reply of it has a cost."""

    def make(self, variable: str = "CONTRACT_KEY", priced: bool = False) -> Model:
        return super().make(variable, priced)


# what the suite notices


class Kept(ScriptedModel):
    """Keeps the contract; each class below changes one thing."""

    def __init__(self) -> None:
        super().__init__(lambda r: f"reply {r.address.proposal}", version="1")


def answering(reply: Callable[[Request], Reply]) -> type[Kept]:
    return type("Answering", (Kept,), {"complete": lambda self, request: reply(request)})


def reply(text: str = "a reply", finish: str = "stop", **usage: Any) -> Reply:
    return Reply(text, finish, Usage(**{"calls": 1, **usage}), "kept")


class Nameless(Kept):
    name = property(lambda self: "", lambda self, value: None)


class UnpricedButFree(Kept):
    price = property(lambda self: None, lambda self, value: None)


class PricedByItsFirstReply(Kept):
    def complete(self, request: Request) -> Reply:
        self.price = Price(1.0, 1.0)
        return super().complete(request)


class CountsInItsIdentity(Kept):
    def identity(self) -> dict[str, object]:
        return {"kind": "kept", "calls": len(self.requests)}


class TupleInItsIdentity(Kept):
    def identity(self) -> dict[str, object]:
        return {"kind": "kept", "sizes": (1, 2)}


class ChecksOnce(Kept):
    checked = False

    def check(self) -> None:
        if self.checked:
            raise ConfigError("checked already")
        self.checked = True


class ForgetsWhoAsked(Kept):
    def complete(self, request: Request) -> Reply:
        self.last = request
        time.sleep(0.1)
        return reply(f"reply {self.last.address.proposal}")


class ChangesItsRequest(Kept):
    def complete(self, request: Request) -> Reply:
        object.__setattr__(request, "messages", ())
        return super().complete(request)


class OfOneProcess(Kept):
    def __init__(self) -> None:
        super().__init__()
        self.pid = os.getpid()

    def complete(self, request: Request) -> Reply:
        assert os.getpid() == self.pid
        return super().complete(request)


class RefusesOddText(Kept):
    def complete(self, request: Request) -> Reply:
        if not request.messages[0].content:
            raise ValueError("no content")
        return super().complete(request)


BROKEN: list[tuple[str, type[Kept]]] = [
    ("test_it_declares_what_it_is", Nameless),
    ("test_it_declares_what_it_is", PricedByItsFirstReply),
    ("test_its_identity_is_json_and_stays", CountsInItsIdentity),
    ("test_its_identity_is_json_and_stays", TupleInItsIdentity),
    ("test_check_passes_and_repeats", ChecksOnce),
    ("test_a_call_is_answered", UnpricedButFree),
    ("test_a_call_is_answered", answering(lambda r: reply(""))),
    ("test_a_call_is_answered", answering(lambda r: reply(finish="end_turn"))),
    ("test_a_call_is_answered", answering(lambda r: reply(calls=2))),
    ("test_a_call_is_answered", answering(lambda r: reply(input_tokens=2.5))),
    ("test_a_call_is_answered", answering(lambda r: reply(input_tokens=1, cached_tokens=2))),
    ("test_a_request_is_not_changed", ChangesItsRequest),
    ("test_threads_share_a_model", ForgetsWhoAsked),
    ("test_equal_requests_get_equal_replies", answering(lambda r: reply(str(random.random())))),
    ("test_a_fork_calls_it_too", OfOneProcess),
    ("test_any_text_is_answered_or_refused_as_documented", RefusesOddText),
]


class Suite(ModelContract):
    """The suite, as a model of some kind inherits it."""

    replies_repeat = True

    def __init__(self, kind: type[Kept]) -> None:
        self.kind = kind

    def make(self) -> Model:
        return self.kind()


@pytest.mark.parametrize(("check", "broken"), BROKEN)
def test_what_a_model_breaks_is_noticed(check: str, broken: type[Kept]) -> None:
    given = ("",) if "any_text" in check else ()
    getattr(Suite(Kept), check)(*given)
    with pytest.raises((AssertionError, ConfigError, ValueError)):
        getattr(Suite(broken), check)(*given)


class Failing(Kept):
    """Fails with one text, and takes a while for it."""

    def __init__(self, text: str, seconds: float = 0.0) -> None:
        super().__init__()
        self.text, self.seconds = text, seconds

    def complete(self, request: Request) -> Reply:
        time.sleep(self.seconds)
        raise ModelUnavailable(self.text)


class ShowsItsKey(Kept):
    def __repr__(self) -> str:
        return f"ShowsItsKey({KEY!r})"


class Faulty(ModelContract):
    """Every optional method gives a model that breaks its check."""

    def make(self) -> Model:
        return ShowsItsKey()

    def unready(self) -> Model | None:
        return Kept()

    def failing(self) -> Iterable[Model]:
        return [Failing(self.text)]

    def silent(self) -> Model | None:
        return Failing("model 'kept': no answer", SILENT_S + LATE_S)

    def secrets(self) -> Sequence[str]:
        return [KEY]

    text = "model 'kept': it failed"


def test_a_secret_that_is_shown_is_noticed() -> None:
    with pytest.raises(AssertionError):
        Faulty().test_nothing_shows_a_secret()


def test_a_check_that_refuses_nothing_is_noticed() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        Faulty().test_check_says_what_is_missing()


@pytest.mark.parametrize("text", ["", "two\nlines", f"the key {KEY} is wrong"])
def test_a_failure_that_says_too_little_or_too_much_is_noticed(text: str) -> None:
    faulty = Faulty()
    faulty.test_a_failure_says_why()
    faulty.text = text
    with pytest.raises(AssertionError):
        faulty.test_a_failure_says_why()


def test_a_deadline_that_is_not_kept_is_noticed() -> None:
    with pytest.raises(AssertionError):
        Faulty().test_the_deadline_is_kept()
