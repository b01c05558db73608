"""The map of the tests: where what is tested, and which command runs what.

| folder | what is in it |
|---|---|
| `optimizers/`, `operators/`, `models/`, … | the package of the same name, part by part |
| `system/` | whole launches and what else takes long: the command line, kill, stop, replay, the wheel, real rungs |
| `bench/` | benchmarks, and the bars that they have to keep |
| `support/` | what several tests share: toy runs, scripted parts, makers, clocks, the command line, worker processes |
| `data/` | stored prompts; mle-bench's own medals, row by row |
| `test_architecture.py` | imports run one way, what is shipped |
| `test_tests.py` | how the tests themselves are built |

A new test of a function goes to `<package>/test_<module>.py`; one that needs `mlesearch` in a process of its own goes
to `system/`. A helper that a second file needs moves to `support/`: no test imports another one. A file that would be
longer than 400 lines is two.

| command | what it runs |
|---|---|
| `make quick` | all but `system/` and `bench/`: while working |
| `make test` | all but the slow ones |
| `make explore` | the same, property tests on new examples |
| `make slow`, `make bench` | `-m slow`; the benchmarks with their figures |
| `make peers`, `make servers` | against published packages; against servers that others wrote |
| `pytest -m gpu` | what needs a real GPU |
| `pytest -m mlebench` | what needs MLE-bench's own package, whose interpreter MLESEARCH_MLEBENCH_PYTHON names |

Property tests draw the same examples in every run, so that what is green stays green; `make explore` draws new ones,
and what it finds becomes an `@example`. The marks `slow`, `gpu`, `peers`, `servers` and `mlebench` are left out unless
`-m` asks for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True, database=None, print_blob=False)
settings.register_profile("explore", derandomize=False, print_blob=True)
settings.load_profile("repeat")

pytest.register_assert_rewrite("tests.support")  # before any helper is imported

from mlesearch.models.live import library  # noqa: E402
from mlesearch.storage.store import FORMS, Store, open_store  # noqa: E402
from mlesearch.tasks.files import caches  # noqa: E402
from mlesearch.testing.openai_stub import Answer, OpenAIStub  # noqa: E402
from tests.support import live_calls  # noqa: E402
from tests.support.call_limits import Clock, moved_clock  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _own_caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Launches keep what they found in a folder of caches: not in that of whoever runs the tests. That of pip stays.

    Workers of pytest-xdist share it, so that each need not write the synthetic tasks or look for fonts.
    """
    own = tmp_path_factory.getbasetemp()
    place = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PIP_CACHE_DIR", os.environ.get("PIP_CACHE_DIR") or str(caches() / "pip"))
        patched.setenv("XDG_CACHE_HOME", str(place / "caches"))
        yield


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """Each form of a store: one database, or files."""
    return str(request.param)


@pytest.fixture
def store(form: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each form."""
    with closing(open_store(tmp_path / "store", form)) as opened:
        yield opened


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock of all counters of calls, moved by the test."""
    with moved_clock() as clock:
        yield clock


@pytest.fixture(scope="session")
def litellm_ready() -> None:
    """Litellm is imported and has made its first call's preparations, so that no deadline of a test pays for it."""
    library.warm_up(library.load_litellm(), "openai/stub-model", "acompletion")


@pytest.fixture
def stub_key(litellm_ready: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of `support.live_calls`: the key of the stub, and none of whoever runs the tests."""
    monkeypatch.setenv("STUB_KEY", live_calls.KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stub(stub_key: None) -> Iterator[OpenAIStub]:
    """A server in a provider's place that takes that key alone."""
    answer = Answer("Hello!", 1000, 200, 400, 50)
    with OpenAIStub(lambda _body: answer, key=live_calls.KEY, retry_after_s=0.2) as server:
        yield server
