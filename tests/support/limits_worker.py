"""One of several processes that call one provider under shared limits; prints what it did as JSON.

python limits_worker.py URL COUNTERS THREADS CALLS LIMITS
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections import Counter
from pathlib import Path

from mlesearch.models.limits.place import CountersPlace
from mlesearch.models.live.litellm import LitellmModel, make
from mlesearch.models.protocol import Address, Message, Request, Sampling
from mlesearch.types import ModelUnavailable, Op


def resident_kib() -> int:
    """Memory of this process now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def main(url: str, counters: str, threads: int, calls: int, limits: str) -> None:
    params = {"model": "openai/x", "api_base": url, "limits": json.loads(limits), "timeout_s": 60}
    model = make("m", {**params, "price": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}, "max_retries": 0})
    assert isinstance(model, LitellmModel)
    model.use_place(CountersPlace(Path(counters)))
    lock = threading.Lock()
    counts: Counter[str] = Counter()
    marks: list[dict[str, int]] = []
    left = iter(range(calls))

    def work() -> None:
        while True:
            with lock:
                nth = next(left, None)
                if nth is not None and nth in (calls // 4, calls - 1):
                    marks.append({"descriptors": len(os.listdir("/proc/self/fd")), "kib": resident_kib()})
            if nth is None:
                return
            address = Address("r", 0, nth, Op.DRAFT)
            text = "word " * (1 + 37 * nth % 80)
            request = Request((Message("user", text),), Sampling(max_tokens=200), address, 1, 600.0)
            try:
                usage = model.complete(request).usage
            except ModelUnavailable as e:
                with lock:
                    counts[f"failed: {e}"] += 1
            else:
                with lock:
                    counts.update(calls=usage.calls, tokens=usage.tokens, wait_us=usage.wait_us)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"counts": counts, "marks": marks, "peak_kib": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
