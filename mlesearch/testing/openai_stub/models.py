"""Any model object behind the endpoint."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mlesearch.models import markup
from mlesearch.models.protocol import Address, Message, Model, Request, Sampling
from mlesearch.testing.openai_stub.answers import Answer, ReplyFunction, UnknownModel
from mlesearch.types import Op


def serving(model: Model | Mapping[str, Model], deadline_s: float = 60.0) -> ReplyFunction:
    """A reply function that lets any model object answer, so that it can be reached over HTTP.

    The operator is read from the prompt's `<job op=...>` block. HTTP carries no address, so one is derived from
    the messages and from how often the same messages came before.

    Args:
        model: who answers; or several, by the name that a request asks for.
        deadline_s: handed on with each request.
    """
    lock = threading.Lock()
    times: Counter[bytes] = Counter()

    def reply(body: Mapping[str, Any]) -> Answer:
        messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
        text = json.dumps([body["model"] if isinstance(model, Mapping) else "", body["messages"]], sort_keys=True)
        digest = hashlib.sha256(text.encode()).digest()
        with lock:
            times[digest] += 1
            nth = times[digest]
        jobs = [b.attrs.get("op", "") for m in messages for b in markup.blocks(m.content) if b.tag == "job"]
        op = Op(jobs[-1]) if jobs and jobs[-1] in list(Op) else Op.DRAFT
        address = Address("http", 0, int.from_bytes(digest[:4], "big") + nth - 1, op)
        sampling = Sampling(max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or 8192))
        entropy = int.from_bytes(digest[4:12], "big") >> 1
        if isinstance(model, Mapping) and body["model"] not in model:
            raise UnknownModel(body["model"])
        answering = model[body["model"]] if isinstance(model, Mapping) else model
        answer = answering.complete(Request(messages, sampling, address, entropy, deadline_s))
        usage = answer.usage
        return Answer(answer.text, usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)

    return reply
