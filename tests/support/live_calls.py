"""Live models against the stub server: one that answers at once, with a key and a price."""

from __future__ import annotations

from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import (
    Address,
    Message,
    Request,
    Sampling,
)
from mlesearch.testing.openai_stub import OpenAIStub
from mlesearch.types import Op

KEY = "sk-a-very-secret-key-0123456789"
PRICE = {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0, "cached_usd_per_mtok": 0.3}
QUICK = {"base_s": 0.01, "cap_s": 0.02}
RETRIES = 2
ADDRESS = Address("run", 0, 0, Op.DRAFT)


def request(deadline_s: float = 20.0, **sampling: object) -> Request:
    messages = (Message("system", "Be brief."), Message("user", "Hello?"))
    return Request(messages, Sampling(**sampling), ADDRESS, 1, deadline_s)  # type: ignore[arg-type]  # tests pass what they mean


def model(stub: OpenAIStub, **params: object) -> live.LitellmModel:
    defaults = {
        "model": "openai/stub-model",
        "api_base": stub.base_url,
        "api_key_env": "STUB_KEY",
        "price": PRICE,
        "max_retries": RETRIES,
        "backoff": QUICK,
        "timeout_s": 10.0,
    }
    return live.make("stubbed", {**defaults, **params})
