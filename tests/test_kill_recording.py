"""kill -9 at 50 random moments while a study is recorded over HTTP: nothing is paid twice, lost or above its limit."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from test_kill import alive, finish, journals, once_each, start

from mlesearch.audit import verify
from mlesearch.cli import main
from mlesearch.journal import read
from mlesearch.models.registry import make_model
from mlesearch.purse import Limits, Purse
from mlesearch.store import open_store
from mlesearch.testing.openai_stub import Answer, OpenAIStub, serving

KILLS = 50
JOBS = 2
NUSD_A_TOKEN = 10_000  # output; the input is free, so that its count can number the replies
LIMIT_USD = 60.0
FIRST = 100_000
"""Number of the first reply."""

NEAR_S = 3.0
"""How long before a kill a reply may have been sent that reached no store."""


class Paying:
    """A reply function that numbers its replies, by the prompt tokens they report, and notes when each was sent."""

    def __init__(self) -> None:
        self._reply = serving(make_model("sim", "simulated", {"capability": 0.9}))
        self._lock = threading.Lock()
        self.sent: dict[int, tuple[float, int]] = {}  # by number: when, and output tokens

    def __call__(self, body: dict) -> Answer:
        made = self._reply(body)
        assert isinstance(made, Answer)
        with self._lock:
            number = FIRST + len(self.sent)
            self.sent[number] = (time.monotonic(), made.output_tokens)
        return Answer(made.text, number, made.output_tokens)

    @property
    def nusd(self) -> int:
        return sum(tokens * NUSD_A_TOKEN for _, tokens in list(self.sent.values()))


def _numbers(study: Path) -> list[int]:
    """Numbers of the replies in all journals."""
    return [
        e["usage"]["input_tokens"]
        for p in study.glob("*/*/*/*/seed-*/journal.jsonl")
        for e in read(p)[1]
        if e["type"] in ("reply", "review")
    ]


def _stored(study: Path) -> list[int]:
    """Numbers of the replies in the cassette."""
    with closing(open_store(study / "cassette.db")) as store:
        entries = [store.get(key) for key in list(store.keys())]
    return [e.value["usage"]["input_tokens"] for e in entries if e is not None and e.fields["kind"] == "call"]


@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_fifty_kills_while_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moments = random.Random(11)
    paying, kills, study = Paying(), [], tmp_path / "studies/s"
    with OpenAIStub(paying, latency_s=0.05) as stub:
        words = [
            *("run", "-m", "model=local", "strategy=random,gome", "tasks=[rentals]"),
            *(f"launcher.n_jobs={JOBS}", "run.workers=2", "budget.steps=6", "study.dir=studies/s"),
            *("cassette=record", "sandbox.exec_store=record", "--yes", f"model.params.api_base={stub.base_url}"),
            "model.params.price={input_usd_per_mtok: 0.0, output_usd_per_mtok: 10.0}",
        ]
        options, flags = [w for w in words if w != "--yes"], ["--yes"]
        seeds = 3

        def launch(limit_usd: float) -> list[str]:
            grid = f"seeds=[{','.join(map(str, range(seeds)))}]"
            return [*options, grid, f"budget.study_usd={limit_usd}", *flags]

        while len(kills) < KILLS:
            before, calls = journals(study), stub.calls
            process = start(tmp_path, *launch(LIMIT_USD))
            while process.poll() is None and stub.calls == calls:
                time.sleep(0.02)
            until = time.monotonic() + moments.uniform(0.0, 4.0)
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            if process.poll() is not None:
                _, err = process.communicate()
                assert process.returncode == 0, err.decode()
                seeds += 2  # all of it is done: more to do
                continue
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills.append(time.monotonic())
            until = time.monotonic() + 20
            while alive(tmp_path) and time.monotonic() < until:
                time.sleep(0.1)
            assert not alive(tmp_path)
            after = journals(study)
            assert all(after[name][: len(lines)] == lines for name, lines in before.items())
            for store in ("cassette.db", "executions.db"):
                if (study / store).exists():
                    assert verify(study / store)[1] == []
            with closing(Purse(study / "budgets.db", Limits())) as purse:
                account = purse.account()
                assert paying.nusd <= account.spent_nusd + account.held_nusd <= LIMIT_USD * 1e9
        finish(tmp_path, *launch(10 * LIMIT_USD))
    once_each(study)
    numbers, stored = _numbers(study), _stored(study)
    assert len(numbers) == len(set(numbers))
    assert sorted(stored) == sorted(numbers)  # each reply that was kept is in one journal, once
    lost = sorted(set(paying.sent) - set(numbers))
    assert len(lost) <= KILLS * JOBS * 2  # calls in flight when a process was killed
    for number in lost:
        assert any(-NEAR_S <= paying.sent[number][0] - at <= NEAR_S for at in kills)
    assert verify(study)[1] == []
    assert main(["replay", str(study), "--out", str(tmp_path / "replayed")]) == 0
    with capsys.disabled():
        print(f"\n{KILLS} kills, {stub.calls} calls paid, {len(lost)} of them cut off, {seeds} seeds")
