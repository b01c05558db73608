"""`mlesearch models list | check`: whether a model answers, when it retires, what its price has become."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from mlesearch.cli import models as checking
from mlesearch.config.loading import compose
from mlesearch.config.settings import ModelSettings
from mlesearch.models.live.price_map import map_price
from mlesearch.models.price import Price
from mlesearch.models.protocol import Model
from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import ConfigError

TODAY = datetime.date(2026, 11, 1)


def _make(m: ModelSettings) -> Model:
    return make_model(m.name, m.kind, m.params)


def _local(stub: OpenAIStub, **params: object) -> ModelSettings:
    own = {"model": "openai/x", "api_base": stub.base_url, "api_key_env": "CHECK_KEY", "max_retries": 0}
    return ModelSettings("mine", "litellm", params={**own, **params})


def _ask(m: ModelSettings) -> tuple[bool, list[str]]:
    return checking.check(m, _make, TODAY)


@pytest.mark.parametrize(
    ("fault", "answered", "said"),
    [
        (None, True, "mine: answers as x after "),
        (Fault.LENGTH_EMPTY, True, "mine: answers as x after "),
        (Fault.EMPTY_TEXT, True, "mine: answers (at an unknown price), without a text"),
        (Fault.UNAUTHORIZED, False, "export a valid key as CHECK_KEY"),
        (Fault.QUOTA, False, "add credit to the account of CHECK_KEY"),
        (Fault.NOT_FOUND, False, "correct its id"),
        (Fault.OVERLOADED, False, "Overloaded at its api_base"),
    ],
)
def test_a_check_says_what_fails_and_why(
    monkeypatch: pytest.MonkeyPatch, fault: Fault | None, answered: bool, said: str
) -> None:
    monkeypatch.setenv("CHECK_KEY", "sk-0123456789")
    with OpenAIStub("ready") as stub:
        stub.always = fault
        found, lines = _ask(_local(stub))
        paid = [seen.body["max_tokens"] for seen in stub.seen if seen.paid]
        # where the list of models is refused, which costs nothing, no call is made
        assert paid == ([] if fault is Fault.UNAUTHORIZED else [1])
    assert found is answered
    assert said in lines[0]
    assert "its price is unknown" in lines[1]
    assert all("\n" not in line for line in lines)


def test_a_check_without_a_key_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHECK_KEY", raising=False)
    with OpenAIStub("ready") as stub:
        found, (line,) = _ask(_local(stub))
        assert stub.calls == 0
    assert not found
    assert "export CHECK_KEY=" in line


def test_a_simulated_model_answers_without_a_network() -> None:
    (sim,) = (m for m in compose.models() if m.name == "sim_05")
    found, lines = _ask(sim)
    assert len(lines) == 1
    assert found, lines


def test_a_model_that_retires_is_warned_of() -> None:
    (gpt5,) = (m for m in compose.models() if m.name == "gpt-5")
    assert "retired on 2026-12-11, in 40 days" in checking.retirement(gpt5, TODAY)
    assert "may answer no more" in checking.retirement(gpt5, datetime.date(2027, 1, 1))
    assert checking.retirement(gpt5, datetime.date(2026, 1, 1)) == ""
    with pytest.raises(ConfigError, match=r"model\.retires: 'soon'"):
        checking.retirement(ModelSettings("x", "litellm", retires="soon", params={"model": "gpt-5"}), TODAY)


def test_the_map_s_own_date_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlesearch.models.live.price_map.map_entry", lambda _id: {"deprecation_date": "2026-11-05"})
    m = ModelSettings("x", "litellm", params={"model": "gpt-5"}, retires="2027-01-01")
    assert "retired on 2026-11-05, in 4 days" in checking.retirement(m, TODAY)


def test_a_price_that_the_map_no_longer_has_is_pointed_out() -> None:
    (luna,) = (m for m in compose.models() if m.name == "gpt-6-luna")
    assert checking._against_map(luna, map_price("gpt-6-luna")) == []
    (line,) = checking._against_map(luna, Price(5.0, 6.0))
    assert "its file says USD 5 in and 6 out" in line
    assert "0.1 in and 0.5 out" in line
    (line,) = checking._against_map(luna, replace(map_price("gpt-6-luna"), cache_write_usd_per_mtok=None))
    assert "what differs: cache_write_usd_per_mtok None and 0.125)" in line
