"""The parts of the local rung, each by itself."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.sandbox import environment, packages
from mlesearch.sandbox.inside import files, landlock, seccomp
from mlesearch.sandbox.inside.pump import Pump
from mlesearch.sandbox.results import artefacts, verdict
from mlesearch.types import Captured, ExecStatus
from tests.support.sandbox_user import as_ordinary_user

LIMITS = {"memory_bytes": 100 << 20, "file_bytes": 1 << 20, "processes": 100}
SEEN = {"limit": None, "signal": None, "exit_code": 0, "left": 0, "peak_memory_bytes": 1, "peak_tasks": 1}


def judged(stderr: str = "", **seen: object) -> tuple[ExecStatus, str]:
    return verdict.judge({**SEEN, **seen}, Captured(head=stderr, bytes_seen=len(stderr)), LIMITS)


TRACEBACK = 'Traceback (most recent call last):\n  File "solution.py", line 7, in <module>\n    f()\n'


@pytest.mark.parametrize(
    ("seen", "stderr", "expected"),
    [
        ({}, "", (ExecStatus.OK, "")),
        ({"left": 2}, "", (ExecStatus.ERROR, "left 2 background process(es) running")),
        ({"limit": ["timeout", "words"], "signal": 9}, "", (ExecStatus.TIMEOUT, "words")),
        (
            {"exit_code": 1},
            TRACEBACK + "ValueError: a\nb: c\n",
            (ExecStatus.ERROR, "ValueError: a (solution.py line 7)"),
        ),
        (
            {"exit_code": 1, "left": 1},
            TRACEBACK + "a.b.Oops\n",
            (ExecStatus.ERROR, "a.b.Oops (solution.py line 7); left 1 background process(es) running"),
        ),
        (
            {"exit_code": 1},
            TRACEBACK + "KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n"
            'Traceback (most recent call last):\n  File "solution.py", line 9, in <module>\nTypeError: x\n',
            (ExecStatus.ERROR, "TypeError: x (solution.py line 9)"),
        ),
        (
            {"exit_code": 1},
            TRACEBACK + "MemoryError\n",
            (ExecStatus.OOM, "MemoryError (solution.py line 7); memory limit 100 MiB"),
        ),
        (
            {"exit_code": 1},
            TRACEBACK + "OSError: [Errno 27] File too large\n",
            (
                ExecStatus.DISK_LIMIT,
                "OSError: [Errno 27] File too large (solution.py line 7); wrote a file larger than its limit of 1 MiB",
            ),
        ),
        (
            {"exit_code": 1, "peak_tasks": 99},
            TRACEBACK + "RuntimeError: can't start new thread\n",
            (
                ExecStatus.PIDS,
                "RuntimeError: can't start new thread (solution.py line 7); limit 100 processes and threads",
            ),
        ),
        ({"exit_code": 4}, "bye\n", (ExecStatus.ERROR, "exit code 4: bye")),
        ({"exit_code": None, "signal": 9}, "", (ExecStatus.KILLED, "ended by signal 9 (SIGKILL)")),
        (
            {"exit_code": None, "signal": 9, "peak_memory_bytes": 99 << 20},
            "",
            (ExecStatus.OOM, "ended by SIGKILL near its memory limit of 100 MiB"),
        ),
        (
            {"exit_code": None, "signal": 25},
            "",
            (ExecStatus.DISK_LIMIT, "wrote a file larger than its limit of 1 MiB"),
        ),
        (
            {"exit_code": None, "signal": 6},
            "terminate called after throwing an instance of 'std::bad_alloc'\n",
            (ExecStatus.OOM, "ended by SIGABRT near its memory limit of 100 MiB"),
        ),
    ],
)
def test_verdicts(seen: dict[str, object], stderr: str, expected: tuple[ExecStatus, str]) -> None:
    assert judged(stderr, **seen) == expected


@given(st.text(), st.integers(1, 255))
def test_a_reason_is_one_line_and_never_empty(stderr: str, code: int) -> None:
    status, reason = judged(stderr, exit_code=code)
    assert status is not ExecStatus.OK
    assert reason
    assert len(reason.splitlines()) == 1
    assert len(reason) < 600


def test_paths_are_rewritten_longest_first() -> None:
    rewrite = verdict.PathRewriter.of({"/a": "A", "/a/b/work": "", "/a/b": "B", "/": "never"})
    assert rewrite("/a/b/work/x.csv /a/b/work /a/b/c /a/d /e") == "x.csv . B/c A/d /e"


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.integers(2, 400))
def test_pump_keeps_head_and_tail(chunks: list[bytes], keep: int) -> None:
    pump = Pump(keep)
    for chunk in chunks:
        os.write(pump.write_fd, chunk)
        assert pump.read()
    pump.start()
    assert not pump.read()
    whole = b"".join(chunks)
    assert pump.seen == len(whole)
    if len(whole) <= keep:
        assert (pump.head, pump.tail) == (whole, b"")
    else:
        assert pump.head == whole[: keep // 2]
        assert pump.tail == whole[len(whole) - (keep - keep // 2) :]


def test_cut_lines_are_left_out() -> None:
    stream = {"head": base64.b64encode(b"one\ntw"), "tail": base64.b64encode(b"ine\nten\n"), "seen": 50}
    text = verdict.captured(stream, verdict.PathRewriter(()))
    assert (text.head, text.tail) == ("one\n", "ten\n")
    whole = verdict.captured({**stream, "tail": ""}, verdict.PathRewriter(()))
    assert (whole.head, whole.tail) == ("one\ntw", "")


def test_beside_grants_all_but_the_excluded(tmp_path: Path) -> None:
    for name in ("a/x/data", "a/x/code", "a/y", "b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/x/file").touch()
    (tmp_path / "a/link").symlink_to(tmp_path / "a/x/data")
    root = str(tmp_path)
    grants = landlock.beside(root, (f"{root}/a/x/data", "/elsewhere"))
    assert grants == [
        (root, False),
        (f"{root}/a", False),
        (f"{root}/a/x", False),
        (f"{root}/a/x/code", True),
        (f"{root}/a/x/file", True),
        (f"{root}/a/y", True),
        (f"{root}/b", True),
    ]
    assert landlock.beside(root, ()) == [(root, True)]
    assert landlock.beside(f"{root}/a/x/data", (f"{root}/a",)) == []


def test_the_harness_and_bundled_data_are_excluded() -> None:
    out = environment.excluded(environment.interpreter())
    assert environment.own_package() in out
    for name in ("data", "images", "descr"):
        assert any(path.endswith(f"sklearn/datasets/{name}") for path in out)
    allowed = [path for path, _ in environment.allowed(environment.interpreter())]
    assert not any(path == gone or path.startswith(gone + "/") for path in allowed for gone in out)


def test_a_tree_as_deep_as_it_gets_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    here = os.getcwd()
    try:
        os.chdir(top)
        for _ in range(400):
            os.mkdir("d")
            os.symlink(outside, "link")
            os.chdir("d")
    finally:
        os.chdir(here)
    (top / "shut").mkdir(mode=0)
    os.mkfifo(top / "fifo")
    files.remove_tree(str(top))
    assert not top.exists()
    assert (outside / "kept").exists()
    files.remove_tree(str(top))


@pytest.mark.parametrize("depth", [1, 2])
def test_a_folder_that_becomes_a_link_while_it_is_removed_leads_nowhere(
    depth: int, tmp_path: Path, monkeypatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    swapped = tmp_path / "top" / "a" if depth == 1 else tmp_path / "top" / "a" / "b"
    real = os.stat

    def seen(path, **options):
        status = real(path, **options)
        if path == swapped.name and swapped.is_dir() and not swapped.is_symlink():
            shutil.rmtree(swapped)
            swapped.symlink_to(outside)
        return status

    monkeypatch.setattr(os, "stat", seen)
    files.remove_tree(str(tmp_path / "top"))
    monkeypatch.undo()
    assert not (tmp_path / "top").exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_artefacts_are_copied_whole(tmp_path: Path) -> None:
    work, outbox = tmp_path / "work", tmp_path / "out" / "deep"
    work.mkdir()
    (work / "a").write_bytes(b"x" * 3_000_000)
    (work / "b").write_bytes(b"x" * 3_000_001)
    found = artefacts.collect(work, dict.fromkeys(("a", "b", "c", "..", ""), 3_000_000), outbox)
    assert found["a"].path == outbox / "a"
    assert (outbox / "a").stat().st_size == found["a"].size_bytes == 3_000_000
    assert found["b"].problem == "b has 3000001 bytes; at most 3000000 are allowed"
    assert found["c"].problem == "absent"
    assert found[".."].problem == "'..' is not a plain file name"
    assert os.listdir(outbox) == ["a"]


_CLOSED = """
import os
from pathlib import Path
from mlesearch.sandbox.results import artefacts
work = Path("work")
work.mkdir()
for name in ("a", "b"):
    (work / name).write_text("x")
(work / "b").chmod(0)
work.chmod({mode})
found = artefacts.collect(work, dict.fromkeys(("a", "b", "x" * 300), 100), Path("out"))
print(found["a"].size_bytes, *(found[name].problem for name in ("b", "x" * 300)), sep=chr(10))
print(*(each.problem for each in artefacts.collect(Path("gone"), dict(a=100), Path("out")).values()))
"""


@pytest.mark.parametrize("mode", ["0o600", "0o300", "0"])
def test_a_working_folder_that_its_program_closed_is_read(mode: str) -> None:
    assert as_ordinary_user(_CLOSED.format(mode=mode)).splitlines() == [
        "1",
        "b can't be read: Permission denied",
        f"{'x' * 300} can't be looked at: File name too long",
        "the working folder can't be read: No such file or directory",
    ]


def test_supervisor_modules_use_the_standard_library_only() -> None:
    import ast

    modules = list(Path(seccomp.__file__).parent.glob("*.py"))
    assert len(modules) > 10
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [] if node.level == 1 else [node.module or "?"]
            else:
                continue
            assert all(module.partition(".")[0] in sys.stdlib_module_names for module in found), (path.name, found)


def test_importing_the_rung_is_light() -> None:
    code = "import sys, mlesearch.sandbox.rungs.local; print({'sklearn', 'pandas', 'docker'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_the_environment_s_digest_names_what_programs_build_on_and_no_test_tools():
    needed = packages._required_by(packages.prompt_packages())
    assert {"numpy", "pandas", "scipy", "scikit-learn", "joblib", "threadpoolctl", "python-dateutil"} <= needed
    assert not needed & {"pytest", "hypothesis", "ruff", "mypy", "litellm", "hydra-core", "matplotlib"}


def test_another_interpreter_is_another_environment(monkeypatch):
    """It decides which programs compile, so runs of two versions are not the same run."""
    here = packages.digest()
    assert packages.digest.__wrapped__() == here
    monkeypatch.setattr(packages.platform, "python_version", lambda: "3.99.0")
    assert packages.digest.__wrapped__() != here
