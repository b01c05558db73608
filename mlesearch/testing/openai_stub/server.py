"""The server's life: it listens while it is in a with statement."""

from __future__ import annotations

import threading

from mlesearch.testing.openai_stub.handler import StubServer
from mlesearch.testing.openai_stub.state import StubState


class OpenAIStub(StubState):
    """The server, as a context manager.

    Args:
        reply: gives the text (or an `Answer`) for a request body.
        model: the id reported as the one that answered; None: the one asked for.
        key: the only key that is accepted; None: any key or none.
        latency_s: waited before every answer.
        retry_after_s: sent with `Fault.RETRY_AFTER`.
        dimensions: of the embedding vectors.
        port: to listen on; 0: any free one.
        models: what `/v1/models` lists; None: there is no such path.

    Attributes:
        faults: what happens to the next requests, one fault each, first in first out; None lets one through.
        always: a fault for every request while `faults` is empty.
        choose: a fault by a request's body, where neither of the two gives one.
        seen: all requests, in order of arrival.
    """

    _server: StubServer | None = None

    @property
    def base_url(self) -> str:
        """For a client's `api_base`.

        Raises:
            RuntimeError: the server is not running.
        """
        if self._server is None:
            raise RuntimeError("the stub server is not running: use it in a with statement")
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> OpenAIStub:
        self._server = StubServer(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="openai-stub", daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        self.hang_up()
