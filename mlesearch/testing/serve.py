"""A command that serves the simulated engineer as an OpenAI-compatible endpoint, to rehearse a study over real HTTP.

    python -m mlesearch.testing.serve --port 8000
    mlesearch run model=local model.params.model=openai/sim_05 model.params.api_base=http://127.0.0.1:8000/v1

It answers to the names sim_01 to sim_10, which are capabilities 0.1 to 1.0. With `--fault` some requests go wrong.
"""

from __future__ import annotations

import argparse
import random
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import Fault, OpenAIStub, serving


def parser() -> argparse.ArgumentParser:
    """The grammar of the command."""
    p = argparse.ArgumentParser(
        prog="python -m mlesearch.testing.serve",
        description="Serve the simulated engineer (sim_01 to sim_10) as an OpenAI-compatible endpoint on this machine.",
    )
    p.add_argument("--port", type=int, default=0, help="to listen on (default: any free one)")
    p.add_argument("--latency", type=float, default=0.0, metavar="S", help="seconds before each answer")
    p.add_argument("--key", help="the only key that is accepted (default: any or none)")
    p.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=[fault.name.lower() for fault in Fault],
        metavar="NAME",
        help=f"what may go wrong, more than once for several: {', '.join(fault.name.lower() for fault in Fault)}",
    )
    p.add_argument("--share", type=float, default=0.2, help="share of requests that go wrong, with --fault")
    return p


def stub(args: argparse.Namespace) -> OpenAIStub:
    """The server that the arguments ask for, not yet running."""
    engineers = {f"sim_{i:02}": make_model(f"sim_{i:02}", "simulated", {"capability": i / 10}) for i in range(1, 11)}
    made = OpenAIStub(serving(engineers), key=args.key, latency_s=args.latency, port=args.port)
    faults = [Fault[name.upper()] for name in args.fault]
    draw = random.Random(0)

    def choose(_body: Mapping[str, Any]) -> Fault | None:
        return draw.choice(faults) if faults and draw.random() < args.share else None

    made.choose = choose
    return made


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; Ctrl-C is asked for, since a background job of a shell begins with it ignored."""
    ended = threading.Event()
    args = parser().parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with stub(args) as server:
        print(f"serving sim_01 to sim_10 at {server.base_url}; Ctrl-C ends it", flush=True)
        ended.wait()
        print(f"{server.calls} requests served")


if __name__ == "__main__":
    main()
