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
from typing import Generic, TypeVar

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
from mlesearch.storage.codec import Json, dumps, usage_from_json, usage_to_json
from mlesearch.storage.entry import Entry, StoreMiss
from mlesearch.storage.store import Store, nearest
from mlesearch.types import ConfigError, ModelUnavailable

MODES = ("live", "record", "replay")

_OF_THE_PROMPT: Mapping[str, type[ModelUnavailable]] = {
    kind.__name__: kind for kind in (ContextOverflow, ContentFilter, EmptyReply)
}
"""Failures that are kept like a reply: the same prompt fails the same way."""

_NOT_SENT = ("defaults", "max_output_tokens", "context_window", "price")
"""Of a model's identity: what stands in the parameters or in the prompt already, or decides nothing of a reply."""


def prompt_digest(messages: tuple[Message, ...]) -> str:
    """sha256 of a prompt: the name of its blob in the run's folder."""
    text = dumps([[m.role, m.content] for m in messages])
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _who(identity: Mapping[str, object]) -> Json:
    return {name: value for name, value in identity.items() if name not in _NOT_SENT}


def _plain(price: Price | None) -> Json | None:
    return None if price is None else {name: value for name, value in asdict(price).items() if value is not None}


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
        "model": _who(identity),
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


class SingleFlight:
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

    def __init__(self, store: Store, mode: str, flights: SingleFlight) -> None:
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

    def described(self, fields: Json) -> Json | None:
        """What a model or an embedder said of itself when it was recorded; None: nothing yet, and this is no replay.

        Raises:
            ConfigError: to replay, and none like this was recorded.
        """
        found = self.store.get(Entry(fields, {}).key)
        if found is None and self.replays:
            kind = str(fields["kind"])
            raise ConfigError(f"cassette: no such {kind} was recorded: {nearest(self.store, fields, kind)}")
        return None if found is None else found.value

    def describe(self, fields: Json, said: Json) -> None:
        """Keep what it says of itself, where nothing is kept yet."""
        if self.described(fields) is None:
            self.store.put(Entry(fields, said), str(fields["kind"]))

    def close(self) -> None:
        """Close the store."""
        self.store.close()


K = TypeVar("K", bound=Model | Embedder)


class _Described(Generic[K]):
    """What a model and an embedder have in common behind a cassette: it holds what they say of themselves.

    Args:
        inner: who is recorded.
        tape: the cassette.
        fields: the key of what it says of itself.
    """

    def __init__(self, inner: K, tape: Tape, fields: Json) -> None:
        self.inner = inner
        self._tape = tape
        self._fields = fields
        self._said: Json | None = tape.described(fields) if tape.replays else None

    def _says(self) -> Json:
        return {"live": self.inner.live, "price": _plain(self.inner.price)}

    @property
    def name(self) -> str:
        """Its own."""
        return self.inner.name

    @property
    def live(self) -> bool:
        """Whether its answers were paid for when they were recorded."""
        return self.inner.live if self._said is None else bool(self._said["live"])

    @property
    def price(self) -> Price | None:
        """Its own; to replay, the recorded one."""
        if self._said is None:
            return self.inner.price
        price = self._said["price"]
        return None if price is None else Price(**price)

    def check(self) -> None:
        """Its own, and whether it says what was recorded, if anything was; to replay, nothing is needed.

        Raises:
            ConfigError: as it says itself; or the cassette holds another price.
        """
        if not self._tape.replays:
            self.inner.check()
            self._compare(self._says())

    def describe(self) -> None:
        """To record, keep what it says of itself: a replay needs it of all that a run was made of, called or not.

        Raises:
            ConfigError: it says something else of itself than when it was recorded.
        """
        if self._said is None:
            said = self._says()
            self._tape.describe(self._fields, said)
            self._compare(said)
            self._said = said

    def _compare(self, said: Json) -> None:
        kept = self._tape.described(self._fields)
        if kept is not None and kept != {**kept, **said}:
            raise ConfigError(
                f"cassette: the {self._fields['kind']} {self.name!r} was recorded as {dumps(kept)} and is now "
                f"{dumps(said)}; choose another cassette_path"
            )


class RecordedModel(_Described[Model]):
    """A model behind a cassette.

    A price makes costs, and what fits into a budget: there is one for all that a cassette holds of a model. What a call
    sends is in its own key, so a model's defaults and limits on tokens may differ.

    Args:
        inner: the model; to replay, only its name and identity are asked for.
        tape: the cassette.

    Raises:
        ConfigError: to replay, and it was not recorded, or another price is declared now.
    """

    def __init__(self, inner: Model, tape: Tape) -> None:
        self._identity = dict(inner.identity())
        super().__init__(inner, tape, {"kind": "model", "identity": _who(self._identity)})
        if self._said is not None and self._identity.get("price") is not None:  # declared: any other one is the map's
            self._compare({"price": self._identity["price"]})

    def _says(self) -> Json:
        return {**super()._says(), "simulated": self.inner.simulated}

    @property
    def simulated(self) -> bool:
        """The model's."""
        return self.inner.simulated if self._said is None else bool(self._said["simulated"])

    def identity(self) -> Mapping[str, object]:
        """The model's: a replayed run is the same run."""
        return self._identity

    def complete(self, request: Request) -> Reply:
        """The stored reply, with its recorded cost and duration; to record, that of calling now.

        Raises:
            StoreMiss: to replay, and it was not recorded.
            ConfigError: as `describe`.
            ModelUnavailable: as the model does; failures of the prompt are stored, others are not.
        """
        self.describe()

        def call() -> Json:
            try:
                return _reply_to_json(self.inner.complete(request))
            except tuple(_OF_THE_PROMPT.values()) as error:
                return _failure_to_json(error)

        return _answer(self._tape.value(call_fields(self._identity, request), call))


class RecordedEmbedder(_Described[Embedder]):
    """An embedder behind a cassette; of `inner`, a replay asks for nothing but its name."""

    def __init__(self, inner: Embedder, tape: Tape) -> None:
        super().__init__(inner, tape, {"kind": "embedder", "name": inner.name})

    @property
    def deadline_s(self) -> float:
        """The embedder's."""
        return self.inner.deadline_s

    def embed(self, request: EmbedRequest) -> EmbedReply:
        """The stored vectors; to record, those of calling now.

        Raises:
            StoreMiss: to replay, and they were not recorded.
            ConfigError: as `describe`.
            ModelUnavailable: as the embedder does.
        """
        self.describe()

        def call() -> Json:
            reply = self.inner.embed(request)
            return {"vectors": [list(v) for v in reply.vectors], "usage": usage_to_json(reply.usage)}

        return _vectors(self._tape.value(embed_fields(self.inner.name, request), call))
