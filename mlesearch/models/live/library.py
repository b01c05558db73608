"""litellm itself: imported at the first call, prepared once per process, and asked for one request an attempt.

It takes seconds and some 160 MB to import, so nothing here imports it before it is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from mlesearch.models.live import wire
from mlesearch.models.live.keys import provider_of
from mlesearch.models.live.loop import background_loop

ENVIRONMENT: Mapping[str, str] = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
"""Set in this process's environment before litellm is imported, and left there, since it reads some of them later.

Without them its import fetches a price map from the network and loads a `.env` file of the working directory, so
prices and keys would depend on the day and the place.
"""

NO_KEY = "no-key-needed"
"""Sent to an own endpoint instead of a key, so that litellm does not send one that it finds in the environment."""

_AT_THE_FIRST_CALL = ("openai.resources", "litellm.proxy._types")
"""Nearly all that litellm imports at the first call to a server that speaks OpenAI's protocol."""
WARM_UP_S = 30.0
FIRST_CALL_S = 5.0

_prepared_in: int | None = None  # process id
_inherited: list[object] = []  # a parent's client caches, kept so that no collection closes connections it still uses


def import_litellm() -> Any:
    """litellm, imported and no more: no client, no thread."""
    os.environ.update(ENVIRONMENT)
    return importlib.import_module("litellm")


def import_for_forks() -> None:
    """Import what calls need, in a process whose forks will make them: some three seconds of a processor for each.

    A call that is meant to fail has litellm make what it makes at its first one, but for clients: forks are kept from
    those that it makes here. No thread is left of it.
    """
    litellm = import_litellm()
    litellm.suppress_debug_info = True
    for name in _AT_THE_FIRST_CALL:
        with contextlib.suppress(ImportError):  # then the first call of each fork imports what it needs
            importlib.import_module(name)
    clients = litellm.in_memory_llm_clients_cache
    litellm.in_memory_llm_clients_cache = type(clients)()
    asyncio.run(_first_call(litellm))
    litellm.in_memory_llm_clients_cache = clients


async def _first_call(litellm: Any) -> None:
    with contextlib.suppress(Exception):
        await asyncio.wait_for(_fail(litellm, "openai/none", "acompletion"), FIRST_CALL_S)
    with contextlib.suppress(Exception):
        await litellm.close_litellm_async_clients()


def load_litellm() -> Any:
    """litellm, imported at the first call and prepared once per process."""
    global _prepared_in  # noqa: PLW0603  a forked child must notice that its parent's clients are not its own
    if _prepared_in == os.getpid():
        return importlib.import_module("litellm")
    litellm = import_litellm()
    litellm.suppress_debug_info = True  # else it prints advertising to stdout at every error
    _leave_retries_to_us()
    wire.install()
    if _prepared_in is not None:
        _inherited.append(litellm.in_memory_llm_clients_cache)
        litellm.in_memory_llm_clients_cache = type(litellm.in_memory_llm_clients_cache)()
    background_loop().at_close(litellm.close_litellm_async_clients)
    _prepared_in = os.getpid()
    return litellm


def _leave_retries_to_us() -> None:
    """Have the client below litellm make one request for each of our attempts.

    litellm loses `max_retries=0` on the way to some providers (chat of zai and deepinfra, embeddings of several), and
    OpenAI's client then tries three times: two requests that no limit counts, and waiting that counts as service. Calls
    that others make in this process keep their retries.
    """
    openai: Any = importlib.import_module("openai")

    def read(client: Any) -> int:
        return 0 if wire.current.get() is not None else vars(client)["max_retries"]

    def write(client: Any, retries: int) -> None:
        vars(client)["max_retries"] = retries

    for kind in (openai.OpenAI, openai.AsyncOpenAI):
        kind.max_retries = property(read, write)


def knows_provider(model: str) -> bool:
    """Whether litellm can tell whose model an id is."""
    try:
        load_litellm().get_llm_provider(model=model)
    except Exception:  # it raises a BadRequest of its own for an id that it doesn't know
        return False
    return True


async def send(litellm: Any, function: str, seen: wire.Wire | None = None, **arguments: object) -> Any:
    """One attempt, which is one request; `seen` is told what came over the wire."""
    wire.current.set(wire.Wire() if seen is None else seen)  # for this task and what it starts
    return await getattr(litellm, function)(**arguments, num_retries=0, max_retries=0)


_warmed: set[tuple[int, str | None, str]] = set()
_warming: dict[int, threading.Lock] = {}  # by process: a forked child must not wait for a thread of its parent


def warm_up(litellm: Any, model: str, function: str) -> None:
    """Have litellm import what its first call of a provider needs: up to a second that no run should be charged for.

    It makes that call, which is meant to fail.
    """
    key = (os.getpid(), provider_of(model), function)
    if key in _warmed:
        return
    with _warming.setdefault(os.getpid(), threading.Lock()):
        if key in _warmed:
            return
        with contextlib.suppress(Exception):
            background_loop().run(lambda: _fail(litellm, model, function), limit_s=WARM_UP_S, deadline_s=WARM_UP_S)
        _warmed.add(key)


async def _fail(litellm: Any, model: str, function: str) -> None:
    """A call without a key, to a port of this machine where nobody listens."""
    asked: dict[str, Any] = {"input": ["hello"]}
    if function == "acompletion":
        asked = {"messages": [{"role": "user", "content": "hello"}]}
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        await send(litellm, function, model=model, **asked, api_base=url, api_key=NO_KEY, timeout=WARM_UP_S)
