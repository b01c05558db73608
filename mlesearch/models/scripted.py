"""A model that says what it was told to say: for tests of everything that stands on a model."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlesearch.models.params import Reader, read_price
from mlesearch.models.price import Price
from mlesearch.models.protocol import Reply, Request
from mlesearch.types import MICROSECONDS, ConfigError, ModelUnavailable, Op, Usage

Scripted = str | Reply | BaseException
"""One scripted answer: its text, a whole reply, or an exception to raise."""

Script = Callable[[Request], Scripted] | Sequence[Scripted]

FREE = Price(0.0, 0.0, 0.0)
CALL = Usage(calls=1, input_tokens=1000, output_tokens=200, cost_nusd=0, service_us=1_000_000)


class ScriptedModel:
    """Answers from a function of the request, or from a list in order of arrival.

    With several callers at once the order of arrival is not determined: give a function then.

    Args:
        replies: the script. A list that has run out raises `ModelUnavailable`.
        name: logical name.
        usage: of every call; its cost is computed from `price`.
        price: None: unknown.
        live: what `live` says, for tests of what is done for paid replies.
        simulated: what `simulated` says.
        version: stands for the script in `identity()`; None: a digest of a list of texts, or the function's name.

    Attributes:
        requests: all requests so far.
    """

    def __init__(
        self,
        replies: Script,
        *,
        name: str = "scripted",
        usage: Usage = CALL,
        price: Price | None = FREE,
        live: bool = False,
        simulated: bool = True,
        version: str | None = None,
    ) -> None:
        cost = None if price is None else price.cost_nusd(usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        self.name = name
        self.price = price
        self.live = live
        self.simulated = simulated
        self.requests: list[Request] = []
        self._replies = replies
        self._usage = replace(usage, cost_nusd=cost)
        self._version = _version(replies) if version is None else version
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ScriptedModel({self.name!r}, {self._version!r})"

    def identity(self) -> Mapping[str, object]:
        """Its kind and the version of its script."""
        return {"kind": "scripted", "script": self._version}

    def check(self) -> None:
        """It needs nothing."""

    def complete(self, request: Request) -> Reply:
        """The next answer.

        Raises:
            ModelUnavailable: the list has run out.
        """
        with self._lock:
            index = len(self.requests)
            self.requests.append(request)
        answer = self._replies(request) if callable(self._replies) else self._listed(self._replies, index)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Reply):
            return answer
        return Reply(answer, "stop", self._usage, self.name)

    def _listed(self, replies: Sequence[Scripted], index: int) -> Scripted:
        if index >= len(replies):
            raise ModelUnavailable(f"model {self.name!r}: its script of {len(replies)} replies has run out")
        return replies[index]


def make(name: str, params: Mapping[str, object]) -> ScriptedModel:
    """A scripted model from its file's parameters.

    A reply is chosen by the proposal's id alone, modulo the number of replies for its operator, so a resumed run
    and several workers get the same ones.

    Args:
        name: logical name.
        params: exactly one of `replies` (a list of texts for every operator, or a mapping from operator to a text or
            a list of texts, where `default` serves the operators that are not named) and `file` (a YAML file that
            holds the same); optionally `price`, `service_s`, `input_tokens`, `output_tokens`.

    Raises:
        ConfigError: an unknown parameter, or replies of another shape.
    """
    owner = f"model {name!r}"
    reader = Reader(owner, params, ("replies", "file", "price", "service_s", "input_tokens", "output_tokens"))
    path = reader.text("file")
    if (path is None) == (params.get("replies") is None):
        raise ConfigError(f"{owner}: give exactly one of replies and file")
    table = _table(owner, params["replies"] if path is None else _load(owner, Path(path)))

    def answer(request: Request) -> str:
        op = request.address.op.value
        texts = table.get(op) or table.get("default")
        if texts is None:
            raise ModelUnavailable(f"{owner}: its script has no reply for operator {op!r} and no default")
        return texts[request.address.proposal % len(texts)]

    return ScriptedModel(
        answer,
        name=name,
        price=read_price(reader) or FREE,
        usage=replace(
            CALL,
            input_tokens=reader.whole("input_tokens", CALL.input_tokens, least=0),
            output_tokens=reader.whole("output_tokens", CALL.output_tokens, least=0),
            service_us=round(reader.number("service_s", CALL.service_us / MICROSECONDS) * MICROSECONDS),
        ),
        version=_digest(table),
    )


def _table(owner: str, raw: object) -> dict[str, tuple[str, ...]]:
    """Texts by operator; a plain list serves them all."""
    by_op = raw if isinstance(raw, Mapping) else {"default": raw}
    legal = [*(op.value for op in Op), "default"]
    table: dict[str, tuple[str, ...]] = {}
    for op, given in by_op.items():
        texts = [given] if isinstance(given, str) else given
        if op not in legal:
            raise ConfigError(f"{owner}: replies for unknown operator {op!r}; allowed: {', '.join(legal)}")
        if not isinstance(texts, Sequence) or not texts or not all(isinstance(text, str) for text in texts):
            raise ConfigError(f"{owner}: replies for {op!r} must be a text or a non-empty list of texts")
        table[op] = tuple(texts)
    return table


def _load(owner: str, path: Path) -> object:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
    raise ConfigError(f"{owner}: can't read its file of replies: {reason}")


def _version(replies: Script) -> str:
    if callable(replies):
        return str(getattr(replies, "__qualname__", type(replies).__qualname__))
    return _digest([reply if isinstance(reply, str) else repr(reply) for reply in replies])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
