"""The cassette: model calls kept in a store, made once and found again (record), or found and never made (replay).

It stands above the model, at `complete` (and `embed`), so it holds what the engine sees: replies, and the failures that
belong to a prompt. The key of a call is its address, the replicate seed, the model, the parameters that were sent and
the prompt's digest; keys, URLs, time limits and retries are no part of it. The address is the call's path within its
run, not an arrival counter: the order in which calls came changes nothing, and two calls with one prompt stay two.

The store also holds what the model said of itself (its price above all, which decides what fits into a budget), so
that a replay needs no price map, no key and no litellm.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from mlesearch.codec import Json, dumps, usage_from_json, usage_to_json
from mlesearch.entry import Entry, StoreMiss
from mlesearch.models.protocol import (
    ContentFilter,
    ContextOverflow,
    Embedder,
    EmbedReply,
    EmbedRequest,
    EmptyReply,
    Message,
    Model,
    Price,
    Reply,
    Request,
    Sampling,
)
from mlesearch.store import Store, nearest
from mlesearch.types import ConfigError, ModelUnavailable

MODES = ("live", "record", "replay")

_OF_THE_PROMPT: Mapping[str, type[ModelUnavailable]] = {
    kind.__name__: kind for kind in (ContextOverflow, ContentFilter, EmptyReply)
}
"""Failures that are kept like a reply: the same prompt fails the same way."""

_NOT_SENT = ("defaults", "max_output_tokens", "context_window", "price")
"""Of a model's identity: what stands in the parameters already, or decides nothing of a reply."""


def prompt_digest(messages: tuple[Message, ...]) -> str:
    """sha256 of a prompt: the name of its blob in the run's folder."""
    text = dumps([[m.role, m.content] for m in messages])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def sent(identity: Mapping[str, object], asked: Sampling) -> Json:
    """The parameters of a call after mapping: the model's own where a request leaves them open, below its ceiling."""
    found = {name: value for name, value in asdict(asked).items() if value is not None}
    defaults, ceiling = identity.get("defaults"), identity.get("max_output_tokens")
    if isinstance(defaults, Mapping):
        found = {**{name: value for name, value in defaults.items() if value is not None}, **found}
    if isinstance(ceiling, int):
        found["max_tokens"] = min(found["max_tokens"], ceiling)
    return found


def call_fields(identity: Mapping[str, object], request: Request) -> Json:
    """What makes the key of a call."""
    return {
        "kind": "call",
        "address": str(request.address),
        "entropy": request.entropy,
        "model": {name: value for name, value in identity.items() if name not in _NOT_SENT},
        "parameters": sent(identity, request.sampling),
        "prompt": prompt_digest(request.messages),
    }


def embed_fields(embedder: str, request: EmbedRequest) -> Json:
    """What makes the key of an embedding."""
    texts = hashlib.sha256(dumps(list(request.texts)).encode(errors="surrogatepass")).hexdigest()
    return {"kind": "embedding", "address": str(request.address), "embedder": embedder, "texts": texts}


# what is stored of an answer


def _reply_to_json(reply: Reply) -> Json:
    return {
        "text": reply.text,
        "finish": reply.finish,
        "usage": usage_to_json(reply.usage),
        "model": reply.model,
        "dropped": list(reply.dropped),
    }


def _failure_to_json(error: ModelUnavailable) -> Json:
    name = next(name for name, kind in _OF_THE_PROMPT.items() if isinstance(error, kind))
    return {"failure": name, "text": str(error), "usage": usage_to_json(error.usage)}


def _answer(value: Json) -> Reply:
    """The stored reply; a stored failure is raised."""
    if "failure" in value:
        error = _OF_THE_PROMPT[value["failure"]](value["text"])
        error.usage = usage_from_json(value.get("usage", {}))
        raise error
    usage = usage_from_json(value["usage"])
    return Reply(value["text"], value["finish"], usage, value["model"], tuple(value["dropped"]))


def _vectors(value: Json) -> EmbedReply:
    return EmbedReply(tuple(map(tuple, value["vectors"])), usage_from_json(value["usage"]))


# one call at a time under one key


class Flights:
    """Single flight: of all threads and processes that ask for one key at once, one makes the call.

    Processes exclude each other by a lock file a key beside the store; where the file system has no locks, only threads
    do, and the first reply that is stored counts for all.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` holds the lock files; it is made when it is needed."""
        self._folder = folder
        self._guard = threading.Lock()
        self._keys: dict[str, tuple[threading.Lock, int]] = {}  # with how many threads hold or wait for it

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold a key."""
        with self._guard:
            lock, count = self._keys.get(key, (threading.Lock(), 0))
            self._keys[key] = (lock, count + 1)
        try:
            with lock, self._among_processes(key):
                yield
        finally:
            with self._guard:
                count = self._keys[key][1] - 1
                if count:
                    self._keys[key] = (lock, count)
                else:
                    del self._keys[key]

    @contextmanager
    def _among_processes(self, key: str) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / key
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
            except OSError:
                break  # no locks here
            try:
                if os.fstat(fd).st_ino == os.stat(path).st_ino:
                    break
            except FileNotFoundError:
                pass  # its holder has removed it meanwhile
            os.close(fd)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(fd)


class Tape:
    """A store as the cassette uses it.

    Args:
        store: where entries are.
        mode: record or replay.
        flights: of this store, for record.
    """

    def __init__(self, store: Store, mode: str, flights: Flights) -> None:
        self.store = store
        self.mode = mode
        self._flights = flights

    @property
    def replays(self) -> bool:
        """Whether nothing may be called."""
        return self.mode == "replay"

    def value(self, fields: Json, call: Callable[[], Json]) -> Json:
        """The stored value of a key; to record, that of calling now.

        Raises:
            StoreMiss: to replay, and it was not recorded; names the nearest stored key and what differs.
        """
        key, near = Entry(fields, {}).key, str(fields["address"])
        found = self.store.get(key)
        if found is not None:
            return found.value
        if self.replays:
            raise StoreMiss(f"replay of {near}: not recorded; {nearest(self.store, fields, near)}")
        with self._flights.alone(key):
            found = self.store.get(key)
            if found is None:
                found = self.store.put(Entry(fields, call()), near)
        return found.value

    def described(self, fields: Json, say: Callable[[], Json]) -> Json:
        """What a model or an embedder said of itself when it was recorded.

        Raises:
            ConfigError: to replay, and none like this was recorded; to record, and it says something else now.
        """
        kind = str(fields["kind"])
        found = self.store.get(Entry(fields, {}).key)
        if self.replays:
            if found is None:
                where = nearest(self.store, fields, kind)
                raise ConfigError(f"cassette: no such {kind} was recorded: {where}")
            return found.value
        said = say()
        kept = found or self.store.put(Entry(fields, said), kind)
        if kept.value != said:
            raise ConfigError(
                f"cassette: the {kind} was recorded as {dumps(kept.value)} and is now {dumps(said)}; "
                "choose another cassette_path"
            )
        return said


class RecordedModel:
    """A model behind a cassette.

    Args:
        inner: the model; to replay, only its name and identity are asked for.
        tape: the cassette.
    """

    def __init__(self, inner: Model, tape: Tape) -> None:
        self.inner = inner
        self._tape = tape
        self._identity = dict(inner.identity())
        self._said: Json | None = self._describe() if tape.replays else None

    def _describe(self) -> Json:
        def say() -> Json:
            price = self.inner.price
            said = {"live": self.inner.live, "simulated": self.inner.simulated}
            return {**said, "price": None if price is None else asdict(price)}

        return self._tape.described({"kind": "model", "identity": self._identity}, say)

    @property
    def name(self) -> str:
        """The model's."""
        return self.inner.name

    @property
    def live(self) -> bool:
        """Whether the replies were paid for when they were recorded."""
        return self.inner.live if self._said is None else bool(self._said["live"])

    @property
    def simulated(self) -> bool:
        """The model's."""
        return self.inner.simulated if self._said is None else bool(self._said["simulated"])

    @property
    def price(self) -> Price | None:
        """The model's; to replay, the recorded one."""
        if self._said is None:
            return self.inner.price
        price = self._said["price"]
        return None if price is None else Price(**price)

    def identity(self) -> Mapping[str, object]:
        """The model's: a replayed run is the same run."""
        return self._identity

    def check(self) -> None:
        """The model's; to replay, nothing is needed."""
        if not self._tape.replays:
            self.inner.check()

    def complete(self, request: Request) -> Reply:
        """The stored reply, with its recorded cost and duration; to record, that of calling now.

        Raises:
            StoreMiss: to replay, and it was not recorded.
            ModelUnavailable: as the model does; failures of the prompt are stored, others are not.
        """

        def call() -> Json:
            if self._said is None:
                self._said = self._describe()
            try:
                return _reply_to_json(self.inner.complete(request))
            except tuple(_OF_THE_PROMPT.values()) as error:
                return _failure_to_json(error)

        return _answer(self._tape.value(call_fields(self._identity, request), call))


class RecordedEmbedder:
    """An embedder behind a cassette.

    Args:
        inner: the embedder; to replay, only its name is asked for.
        tape: the cassette.
    """

    def __init__(self, inner: Embedder, tape: Tape) -> None:
        self.inner = inner
        self._tape = tape
        self._said: Json | None = self._describe() if tape.replays else None

    def _describe(self) -> Json:
        def say() -> Json:
            price = self.inner.price
            return {"price": None if price is None else asdict(price)}

        return self._tape.described({"kind": "embedder", "name": self.inner.name}, say)

    @property
    def name(self) -> str:
        """The embedder's."""
        return self.inner.name

    @property
    def live(self) -> bool:
        """Whether the vectors were paid for."""
        return self.inner.live

    @property
    def price(self) -> Price | None:
        """The embedder's; to replay, the recorded one."""
        if self._said is None:
            return self.inner.price
        price = self._said["price"]
        return None if price is None else Price(**price)

    @property
    def deadline_s(self) -> float:
        """The embedder's."""
        return self.inner.deadline_s

    def check(self) -> None:
        """The embedder's; to replay, nothing is needed."""
        if not self._tape.replays:
            self.inner.check()

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """The stored vectors; to record, those of calling now.

        Raises:
            StoreMiss: to replay, and they were not recorded.
            ModelUnavailable: as the embedder does.
        """

        def call() -> Json:
            if self._said is None:
                self._said = self._describe()
            reply = self.inner.embed(request)
            return {"vectors": [list(v) for v in reply.vectors], "usage": usage_to_json(reply.usage)}

        return _vectors(self._tape.value(embed_fields(self.inner.name, request), call))


def check_mode(mode: str) -> None:
    """Refuse an unknown mode.

    Raises:
        ConfigError: names those that there are.
    """
    if mode not in MODES:
        raise ConfigError(f"cassette: {mode!r} is no mode; there are: {', '.join(MODES)}")
