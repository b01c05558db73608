"""kill -9 at 50 random moments while a study is recorded over HTTP: nothing is paid twice, lost or above its limit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.budgets.shared import SharedBudget, SpendingCaps
from mlesearch.cli.main import main
from mlesearch.models.registry import make_model
from mlesearch.storage.journal import read
from mlesearch.storage.store import open_store
from mlesearch.study.archive.verify import find_damage
from mlesearch.testing.openai_stub import Answer, OpenAIStub, serving
from tests.support.command import alive
from tests.support.journals import journals, once_each
from tests.support.waiting import until

KILLS = 50
WORKERS = 2
NUSD_A_TOKEN = 10_000  # output; the input is free, so that its count can number the replies
MORE_USD = 0.5
"""What the study may cost at first, and by how much that is raised whenever it is spent."""

FIRST = 100_000
"""Number of the first reply."""

NEAR_S = 3.0
"""How long before a kill a reply may have been sent that reached no store."""


ZYGOTE = """
import json, os, sys
from mlesearch.cli import commands, launches
from mlesearch.analysis import report
from mlesearch.cli.main import main
from mlesearch.models.live.library import ENVIRONMENT
os.environ.update(ENVIRONMENT)
import hydra, litellm
print("ready", flush=True)
for line in sys.stdin:
    folder, argv = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(folder)
        os.dup2(os.open("out.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 1)
        os.dup2(1, 2)
        try:
            code = main(argv)
        except BaseException:
            import traceback
            traceback.print_exc()
            code = 99
        os._exit(code)
    print(pid, flush=True)
    status = os.waitpid(pid, 0)[1]
    print(os.waitstatus_to_exitcode(status), flush=True)
"""
"""Starts the command line by a fork, with all that it imports: fifty launches in minutes."""


class Zygote:
    """Launches of the command line, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder.parent
        )
        self._folder = folder
        assert self._said() == "ready"

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def start(self, words: list[str]) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(self._folder), words]) + "\n")
        self._process.stdin.flush()
        return int(self._said())

    def ended(self) -> int:
        """Waits for the end of what was started; its exit code, below 0 for a signal."""
        return int(self._said())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


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
    zygote = Zygote(tmp_path)
    with closing(zygote), OpenAIStub(paying, latency_s=0.05) as stub:
        words = [
            *("run", "-m", "model=local", "strategy=random,gome", "tasks=[rentals]"),
            *("launcher.n_jobs=1", f"run.workers={WORKERS}", "budget.steps=6", "study.dir=studies/s"),
            *("cassette=record", "sandbox.exec_store=record", f"model.params.api_base={stub.base_url}"),
            "model.params.price={input_usd_per_mtok: 0.0, output_usd_per_mtok: 10.0}",
        ]
        seeds, limit_usd, stops = 2, MORE_USD, 0

        def launch(limit_usd: float) -> list[str]:
            return [*words, f"seeds=[{','.join(map(str, range(seeds)))}]", f"budget.study_usd={limit_usd}", "--yes"]

        while len(kills) < KILLS:
            before, calls = journals(study), stub.calls
            pid = zygote.start(launch(limit_usd))
            while _runs(pid) and stub.calls == calls:
                time.sleep(0.01)
            kill_at = time.monotonic() + moments.uniform(0.0, 3.0)
            while _runs(pid) and time.monotonic() < kill_at:
                time.sleep(0.005)
            if _runs(pid):
                os.kill(pid, signal.SIGKILL)
                kills.append(time.monotonic())
            code = zygote.ended()
            with closing(SharedBudget(study / "budgets.db", SpendingCaps())) as budget:
                account = budget.account()
            assert paying.nusd <= account.spent_nusd + account.reserved_nusd <= limit_usd * 1e9
            if code == 1:
                said = (tmp_path / "out.txt").read_text()
                assert "stopped: budget.study_usd: $" in said[-2000:]
                assert "failed: " not in said
                stops, limit_usd = stops + 1, limit_usd + MORE_USD
                continue
            if code != -signal.SIGKILL:
                assert code == 0, (tmp_path / "out.txt").read_text()[-2000:]
                seeds += 1  # all of it is done: more to do
                continue
            assert until(lambda: not alive(tmp_path), 20)
            after = journals(study)
            assert all(after[name][: len(lines)] == lines for name, lines in before.items())
            for store in ("cassette.db", "executions.db"):
                if (study / store).exists():
                    assert find_damage(study / store)[1] == []
        zygote.start(launch(limit_usd + 10))
        assert zygote.ended() == 0, (tmp_path / "out.txt").read_text()[-2000:]
    assert stops
    once_each(study)
    numbers, stored = _numbers(study), _stored(study)
    assert len(numbers) == len(set(numbers))
    assert sorted(stored) == sorted(numbers)  # each reply that was kept is in one journal, once
    lost = sorted(set(paying.sent) - set(numbers))
    assert len(lost) <= KILLS * WORKERS  # calls in flight when a process was killed
    for number in lost:
        assert any(-NEAR_S <= paying.sent[number][0] - at <= NEAR_S for at in kills)
    assert find_damage(study)[1] == []
    assert main(["replay", str(study), "--out", str(tmp_path / "replayed")]) == 0
    with capsys.disabled():
        print(f"\n{KILLS} kills, {stub.calls} calls paid, {len(lost)} of them cut off, {stops} stops for money")
