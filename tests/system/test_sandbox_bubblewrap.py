"""The bubblewrap rung: the shared contract warm, and what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from mlesearch.sandbox.rungs.bubblewrap import BubblewrapSandbox
from mlesearch.testing.sandbox_contract import SandboxContract
from mlesearch.types import SandboxUnavailable
from tests.support.sandbox_user import as_ordinary_user

try:
    with closing(BubblewrapSandbox(warm=False)) as trial:
        trial.check()
except SandboxUnavailable as lack:
    pytest.skip(f"NO BUBBLEWRAP: {lack}", allow_module_level=True)


class TestBubblewrap(SandboxContract):
    """Its `sandbox` is the module's."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BubblewrapSandbox]:
    with closing(BubblewrapSandbox(warm=False)) as rung:
        yield rung


_AS_A_USER = """
from contextlib import closing
from pathlib import Path
from mlesearch.sandbox.rungs.bubblewrap import BubblewrapSandbox
from mlesearch.sandbox.protocol import MIB, Job, Limits, Spec
Path("public").mkdir()
program = "import os\\nopen('submission.csv', 'w').write('x')\\nfd = os.open('.', os.O_RDONLY)\\n{end}"
with closing(BubblewrapSandbox(warm=False)) as rung:
    spec = Spec("t@1", Path("public").resolve(), limits=Limits(memory_bytes=512 * MIB))
    seen = rung.run(rung.prepare(spec), Job("a", program, 1.0, Path("out")))
    print(seen.status, seen.artefacts["submission.csv"].problem or "a copy")
print(*Path("scratch").glob("*/*/work"))
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("os.fchmod(fd, 0o600)", ("ok a copy",)),
        ("os.fchmod(fd, 0)", ("ok a copy",)),
        ("while True: os.fchmod(fd, 0)", ("timeout a copy", "disk_limit a copy")),
    ],
)
def test_an_ordinary_user_s_run_outlives_a_program_that_closes_its_folder(end: str, said: tuple[str, ...]) -> None:
    verdict, left = as_ordinary_user(_AS_A_USER.replace("{end}", end)).splitlines()
    assert verdict in said
    assert left == ""
