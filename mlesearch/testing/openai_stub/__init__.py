"""A small OpenAI-compatible server for tests: `/v1/chat/completions` and `/v1/embeddings`, with faults on demand.

    with OpenAIStub() as stub:
        stub.faults += [Fault.RATE_LIMIT, Fault.SERVER_ERROR]
        ...  # a client with base URL stub.base_url: two failures, then answers
        assert stub.calls == 3

Only the standard library is used; it listens on a free port of the loopback interface. In three lines, a server that
answers as the simulated engineer, so that a whole sweep can run through the real path of a live model:

    engineers = {f"sim_{i:02}": make_model("sim", "simulated", {"capability": i / 10}) for i in range(1, 11)}
    with OpenAIStub(serving(engineers)) as stub:
        ...  # mlesearch run model=local model.params.model=openai/sim_05 model.params.api_base=<stub.base_url>

`python -m mlesearch.testing.serve` does the same from a shell.
"""

from __future__ import annotations

from mlesearch.testing.openai_stub.answers import Answer, UnknownModel
from mlesearch.testing.openai_stub.faults import Canned, Fault
from mlesearch.testing.openai_stub.models import serving
from mlesearch.testing.openai_stub.server import OpenAIStub

__all__ = ["Answer", "Canned", "Fault", "OpenAIStub", "UnknownModel", "serving"]
