"""More money, or less, for a study whose workers are at work: real workers, models over HTTP, commands of a user."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from mlesearch.budgets.place import spent_before
from mlesearch.storage.requests import LIMIT
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from tests.support.command import cli
from tests.support.launched import work
from tests.support.waiting import until

WORDS = ["-m", "model=local", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=3", "sandbox=local"]
WORDS += ["sandbox.warm=off", "strategy.review=false", "model.sampling.max_tokens=500", "launcher.n_jobs=1"]
WORDS += ["model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 1.0}"]
CALL_USD = 0.00252
LITTLE_USD = 0.0145
"""Two calls, and no third one: each may cost 0.0107, and does cost CALL_USD."""


def answer(program: str) -> Answer:
    return Answer(f"A plan.\n\n```python\n{program}\n```\n", input_tokens=2500, output_tokens=20)


QUICK = answer("print('nothing')")
SLOW = answer("import os, time\nwhile not os.path.exists('go_on'):\n    time.sleep(0.1)")


def listed(cwd: Path, stub: OpenAIStub, usd: float, *more: str) -> Path:
    """A study whose workers are yet to be started."""
    words = [*WORDS, f"model.params.api_base={stub.base_url}", f"budget.study_usd={usd}", *more]
    done = cli(cwd, "submit", "--list", *words)
    assert done.returncode == 0, done.stderr
    return cwd / "studies/main"


def go_on(scratch: Path) -> None:
    """Let the programs that wait come to their end."""
    found = list(scratch.glob("*/*/*/work"))
    assert found
    for folder in found:
        (folder / "go_on").touch()


class Held:
    """A model whose calls wait until they may be answered."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def __call__(self, _body: object) -> Answer:
        self.asked.set()
        assert self.go_on.wait(200)
        return QUICK


def attempts(study: Path) -> list[str]:
    """How each attempt at a run ended, as workers say it."""
    lines = [line for path in study.glob("index/*.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line)["status"] for line in lines]


SLOW_TOO = pytest.mark.slow


@pytest.mark.parametrize("network", [pytest.param("false", marks=SLOW_TOO), "true"])
def test_runs_without_money_go_on_in_a_live_worker_once_there_is_more(tmp_path: Path, network: str) -> None:
    """One run finds no money while the program of the other runs: both end in the worker that is there."""
    replies = iter([QUICK, SLOW])
    with OpenAIStub(lambda _body: next(replies, QUICK)) as stub:
        study = listed(tmp_path, stub, LITTLE_USD, f"limits.network={network}")
        worker = work(study, "--jobs", "2", env={**os.environ, "MLESEARCH_SCRATCH": str(tmp_path / "scratch")})
        assert until(lambda: "unpaid" in attempts(study), 200)
        said = cli(tmp_path, "budget", "studies/main", "--study-usd", "1")
        assert said.returncode == 0, said.stderr
        assert "a limit of $1.0000; 1 worker at work hears of it before the next call" in said.stdout
        go_on(tmp_path / "scratch")
        out, err = worker.communicate(timeout=240)
        assert worker.returncode == 0, out + err
    assert stub.calls == 6
    assert attempts(study).count("ok") == 2
    assert sum(spent_before(study).values()) == round(6 * CALL_USD * 1e9)
    assert "$0.0151 spent, a limit of $1.0000" in cli(tmp_path, "budget", "studies/main").stdout


@pytest.mark.parametrize("network", ["false", pytest.param("true", marks=SLOW_TOO)])
def test_a_limit_below_what_is_spent_ends_all_calls(tmp_path: Path, network: str) -> None:
    """The limit is lowered while a call is in flight: that is paid and kept, and no other one begins."""
    model = Held()
    with OpenAIStub(model) as stub:
        study = listed(tmp_path, stub, 1.0, f"limits.network={network}")
        worker = work(study, "--jobs", "1")
        assert model.asked.wait(200)
        assert cli(tmp_path, "budget", "studies/main", "--study-usd", "0.001").returncode == 0
        model.go_on.set()
        _, err = worker.communicate(timeout=240)
        assert worker.returncode == 75, err
        assert stub.calls == 1
        assert sum(spent_before(study).values()) == round(CALL_USD * 1e9)
        assert "a budget" in err or "budget.study_usd" in err
        assert work(study).wait(timeout=240) == 75  # nor in one that starts later
        assert stub.calls == 1
        done = cli(tmp_path, "resume", "studies/main", "--study-usd", "1", "--yes")
        assert done.returncode == 0, done.stderr
    assert stub.calls == 6


def test_a_limit_that_is_damaged_meanwhile_fails_no_run(tmp_path: Path) -> None:
    """The worker begins nothing, says what to do, and goes on once that is done."""
    model = Held()
    with OpenAIStub(model) as stub:
        study = listed(tmp_path, stub, 1.0)
        worker = work(study, "--jobs", "1")
        assert model.asked.wait(200)
        (study / LIMIT).write_text('{"study_u')
        model.go_on.set()
        assert until(lambda: "unpaid" in attempts(study), 200)
        unread = "budget.json: what the study may cost can't be read"
        assert until(lambda: unread in cli(tmp_path, "status", "studies/main").stdout, 200)
        refused = cli(tmp_path, "resume", "studies/main", "--yes")
        assert refused.returncode == 2
        assert unread in refused.stderr
        assert worker.poll() is None
        assert stub.calls == 1
        assert cli(tmp_path, "budget", "studies/main", "--study-usd", "1").returncode == 0
        _, err = worker.communicate(timeout=240)
        assert worker.returncode == 0, err
    assert f"set it again: mlesearch budget {study} --study-usd USD" in err
    assert err.splitlines()[-2:] == ["going on: the study's limit is known again", "nothing is left to do"]
    assert sorted(attempts(study)) == ["ok", "ok", "unpaid"]
    assert stub.calls == 6


def test_who_sets_a_limit_last_has_set_it(tmp_path: Path) -> None:
    """A launch with a limit of its own after `budget`; and a study that counts nothing gets none by `budget`."""
    with OpenAIStub(lambda _body: QUICK) as stub:
        study = listed(tmp_path, stub, LITTLE_USD)
        for usd, words in (("0", "more than 0 is needed"), ("nan", "more than 0 is needed")):
            refused = cli(tmp_path, "budget", "studies/main", "--study-usd", usd)
            assert refused.returncode == 2
            assert words in refused.stderr
        said = cli(tmp_path, "budget", "studies/main", "--study-usd", "1")
        assert "$0.0000 spent, a limit of $1.0000; no worker is at work: mlesearch resume studies/main" in said.stdout
        listed(tmp_path, stub, LITTLE_USD)
        assert f"a limit of ${LITTLE_USD:.4f}" in cli(tmp_path, "budget", "studies/main").stdout
        listed(tmp_path, stub, 2.0)
        assert json.loads((study / LIMIT).read_text())["study_usd"] == 2.0
        words = [w for w in WORDS if "budget.study_usd" not in w]
        free = cli(tmp_path, "submit", "--list", *words, "study.name=free", f"model.params.api_base={stub.base_url}")
        assert free.returncode == 0, free.stderr
        refused = cli(tmp_path, "budget", "studies/free", "--study-usd", "1")
        assert refused.returncode == 2
        assert "nobody counts what it spends; give it one by: mlesearch resume" in refused.stderr
        assert not os.path.exists(tmp_path / "studies/free" / LIMIT)


def test_a_limit_that_can_not_be_kept_is_refused(tmp_path: Path) -> None:
    """Without a price nobody knows what a call may cost: a limit would count nothing, and let all be spent."""
    words = [("price" in w and "model.params.price=null") or w for w in WORDS]
    with OpenAIStub(lambda _body: QUICK) as stub:
        words += [f"model.params.api_base={stub.base_url}", "--yes"]
        done = cli(tmp_path, "submit", "--list", *words)
        assert done.returncode == 0, done.stderr
        refused = cli(tmp_path, "resume", "studies/main", "--study-usd", "0.001", "--yes")
        assert refused.returncode == 2, refused.stdout
        assert "budget.study_usd: the price of model 'local' is not known" in refused.stderr
        assert not (tmp_path / "studies/main" / LIMIT).exists()
        listed(tmp_path, stub, 1.0, "study.name=other", "study.dir=studies/other", "model.name=priced")
        added = cli(tmp_path, "submit", "--list", *words, "study.name=other")
        assert added.returncode == 2, added.stdout
        assert "budget.study_usd: the price of model 'local' is not known" in added.stderr
        listed(tmp_path, stub, 1.0, "model.name=priced")  # a later launch gives the study a limit
        worker = cli(tmp_path, "work", "studies/main", "--launch", "1")
        assert worker.returncode == 2, worker.stdout
        assert "budget.study_usd: the price of model 'local' is not known" in worker.stderr
    assert stub.calls == 0
