"""A toy run whose model is reached over HTTP, through litellm, at the stub."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunEnd
from mlesearch.engine.trial import Role
from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import Sampling
from mlesearch.storage.events import Event
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import Answer, Canned, Fault, OpenAIStub
from mlesearch.types import Op
from tests.support import toy_run

PRICE = {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0}


def programs() -> Callable[[Mapping[str, Any]], Answer]:
    """Replies with a program each, whose number is another one every time; their usage is plausible."""
    count = iter(range(10**6))

    def reply(body: Mapping[str, Any]) -> Answer:
        size = len(json.dumps(body["messages"]))
        return Answer(f"A plan.\n\n```python\nNUMBER = {next(count)}\n```\n", size // 4, 20)

    return reply


def run(
    folder: Path,
    stub: OpenAIStub,
    *,
    steps: int = 4,
    max_tokens: int = 500,
    sampling: Sampling | None = None,
    strategy: str = "greedy",
    **params: object,
) -> RunEnd:
    """From wherever the run in the folder stands to its end."""
    settings = {
        "model": "openai/stub-model",
        "api_base": stub.base_url,
        "price": PRICE,
        "max_retries": 0,
        "backoff": {"base_s": 0.01, "cap_s": 0.01},
        "timeout_s": 10.0,
        **params,
    }
    made = toy_run.parts(folder, strategy=strategy, budget=Budget(steps=steps), review=False, keep_prompts=True)
    role = Role(live.make("stubbed", settings), sampling or Sampling(temperature=0.5, max_tokens=max_tokens))
    context = replace(made.context, roles=dict.fromkeys(Op, role), call_timeout_s=20.0)
    try:
        return Engine(replace(made, context=context)).run()
    finally:
        made.folder.close()


def events(folder: Path) -> list[Event]:
    """The journal of a run."""
    return read(folder / "journal.jsonl")[1]


def refusing(answer: Canned | Fault, *which: int) -> Callable[[Mapping[str, Any]], Canned | Fault | None]:
    """Refuses some prompts for ever, whenever they are asked: by the order in which they first came."""
    texts: list[str] = []

    def choose(body: Mapping[str, Any]) -> Canned | Fault | None:
        text = json.dumps(body.get("messages"))
        if text not in texts:
            texts.append(text)
        return answer if texts.index(text) in which else None

    return choose
