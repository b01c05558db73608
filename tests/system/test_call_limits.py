"""Limits on calls in whole launches, and in processes with many threads each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.place import place_of
from mlesearch.models.live.client import endpoint_bucket
from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import Answer, OpenAIStub, serving
from tests.support.call_limits import busiest
from tests.support.command import cli
from tests.support.paths import SUPPORT


def test_a_study_on_a_network_file_system_holds_no_database(tmp_path: Path) -> None:
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    with OpenAIStub(serving(engineer)) as stub:
        asked = ["model=local", f"model.params.api_base={stub.base_url}", "strategy=random", "budget.steps=1"]
        words = [*asked, "model.params.limits={requests_per_minute: 6000}", "launcher.n_jobs=1", "limits.network=true"]
        words += ["sandbox=local"]
        refused = cli(tmp_path, "run", "--check", *words)
        assert refused.returncode == 2
        assert "limits.partition" in refused.stderr
        done = cli(tmp_path, "run", *words, "limits.partition=2")
        assert done.returncode == 0, done.stderr
        calls, bucket = stub.calls, endpoint_bucket(stub.base_url)
    assert list(tmp_path.rglob("*.db*")) == []
    place = place_of(tmp_path / "studies/main", 2)
    assert place.path is not None
    counters = CallCounters(place.path)
    assert counters.totals(bucket)[0] == calls > 0
    counters.close()
    for left in place.path.parent.glob(f"{place.path.name}*"):
        left.unlink()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_four_processes_of_sixteen_threads(tmp_path: Path) -> None:
    """10,000 calls: the limits hold in every window, every call is counted once, descriptors and memory stay flat."""
    processes, threads, calls, window_s = 4, 16, 2_500, 5.0
    limits = {"requests_per_minute": 4_800, "tokens_per_minute": 600_000, "window_s": window_s, "in_flight": 48}

    def answer(body: dict[str, object]) -> Answer:
        messages = body["messages"]
        assert isinstance(messages, list)
        words = len(messages[0]["content"]) // 5
        return Answer("ok", words, words * 13 % 200)

    with OpenAIStub(answer, latency_s=0.1) as stub:
        words = [
            sys.executable,
            str(SUPPORT / "limits_worker.py"),
            stub.base_url,
            str(tmp_path / "limits.db"),
            str(threads),
            str(calls),
        ]
        begun = [
            subprocess.Popen([*words, json.dumps(limits)], stdout=subprocess.PIPE, text=True) for _ in range(processes)
        ]
        reports = [json.loads(p.communicate(timeout=1000)[0]) for p in begun]
        seen = [(s.at_s, answer(dict(s.body))) for s in stub.seen]
        peak = stub.in_flight_peak
    assert [p.returncode for p in begun] == [0] * processes
    times = [t for t, _ in seen]
    tokens = [a.input_tokens + a.output_tokens for _, a in seen]
    most = busiest(times, [1] * len(times), window_s), busiest(times, tokens, window_s)
    print(f"{len(seen)} calls in {max(times) - min(times):.1f} s; at most {most} in {window_s} s; {peak} in flight")
    print(json.dumps(reports))
    assert most[0] <= 400
    assert most[1] <= 50_000
    assert peak <= 48
    assert len(seen) == processes * calls
    assert sum(r["counts"]["calls"] for r in reports) == processes * calls
    assert not [key for r in reports for key in r["counts"] if key.startswith("failed")]
    counters = CallCounters(tmp_path / "limits.db")
    assert counters.totals(endpoint_bucket(words[2])) == (processes * calls, sum(tokens))
    assert sum(r["counts"]["tokens"] for r in reports) == sum(tokens)
    counters.close()
    for report in reports:
        early, late = report["marks"]
        assert late["descriptors"] <= early["descriptors"] + 4
        assert late["kib"] <= early["kib"] * 1.1
