"""Commands in terminals, pipes and locales of all sorts: replaced characters, and the exit code of the work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.storage.blobs import Blobs
from mlesearch.storage.documents import write_run
from mlesearch.storage.journal import Journal
from tests.support.command import MLESEARCH, cli

RUN = ["run", "model=sim_05", "strategy=greedy", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=1", "sandbox=local"]
RUN += ["launcher.n_jobs=1"]
LOCALES = {
    "PYTHONIOENCODING=ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}


def bash(cwd: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=cwd, capture_output=True, encoding="utf-8", timeout=200, check=False
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study with runs, so that a launch of it again says all it has to say without running anything."""
    folder = tmp_path_factory.mktemp("whole")
    done = cli(folder, *RUN, "study.name=s", env=LOCALES["C"])
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder


@pytest.mark.parametrize("name", LOCALES)
def test_a_launch_in_any_locale_has_the_exit_code_of_the_work(whole, name):
    """mini-swe-agent PR#886: a traceback at the first "±", after all runs."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))} | LOCALES[name]
    words = [*MLESEARCH, *(RUN if name.startswith("PYTHON") else ["report", "studies/s"])]
    words += ["study.name=s"] if name.startswith("PYTHON") else []
    (whole / "studies/s/report.html").unlink(missing_ok=True)  # else a launch with nothing to do reports nothing anew
    done = subprocess.run(words, cwd=whole, capture_output=True, env=environment, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    encoding = "latin-1" if name == "latin-1" else "ascii"
    assert "± 0.0".encode(encoding, "replace") in done.stdout


def test_a_launch_whose_reader_goes_away_still_works(tmp_path):
    """`mlesearch run … | head -1`: the runs are carried out all the same."""
    command = f"{sys.executable} -m mlesearch {' '.join(RUN)} study.name=s | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout.splitlines()[1:] == ["0"]
    assert done.stderr == ""
    results = [json.loads(p.read_text()) for p in tmp_path.rglob("result.json")]
    assert [r["status"] for r in results] == ["ok", "ok"]


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_take_no_file_in_their_place(whole, closed):
    """A journal that got the number of standard output would get what is printed."""
    command = f"{sys.executable} -m mlesearch {' '.join(RUN)} study.name=s {closed}"
    done = bash(whole, command)
    assert done.returncode == 0


def test_what_a_program_printed_is_shown_as_text(tmp_path):
    """inspect_ai 0.3.260, and finding 11: titles, clipboards and cleared screens out of outputs and plans."""
    attack = "\x1b]0;owned\x07\x1b[2J\x1b]52;c;aGk=\x07\x9b1A\u202e\u200b\rall is well"
    key = {"model": "m", "strategy": "s", "variant": "base", "task": attack, "seed": 0}
    run = {"id": "r", "key": key, "digest": "", "identity": {}, "labels": {"simulated": False}, "settings": {}}
    write_run(tmp_path / "r", {**run, "mlesearch": "x"})  # type: ignore[arg-type]
    blobs = Blobs(tmp_path / "r" / "blobs")
    stream = {"head": attack, "tail": "", "bytes_seen": 99}
    result = {"status": "error", "wall_us": 1, "cpu_us": 1, "peak_bytes": 1, "reason": attack}
    outcome = {"id": 0, "op": "draft", "status": "error", "score": None, "plan": attack, "lesson": attack}
    program = blobs.put(f"print({attack!r})\n# {attack}\n")
    with Journal(tmp_path / "r" / "journal.jsonl", {"mlesearch": "x", "run": "r"}) as journal:
        journal.append({"type": "asked", "worker": 0, "t": 0, "used": 0.0, "p": {"id": 0, "op": "draft"}})
        output = {"stdout": stream, "stderr": stream}
        journal.append({"type": "executed", "id": 0, "t": 1, "program": program, "result": result, "output": output})
        told = {"outcome": outcome, "problem": attack, "verdicts": []}
        journal.append({"type": "told", "id": 0, "t": 1, "real_us": 1, **told})
    for more in ([], ["--node", "0"]):
        done = cli(tmp_path, "show", "r", *more)
        assert done.returncode == 0, done.stderr
        assert "\\x1b]0;owned\\x07\\x1b[2J" in done.stdout
        assert not [c for c in done.stdout if c != "\n" and not c.isprintable()]
    code = subprocess.run(
        [*MLESEARCH, "show", "r", "--node", "0", "--code"], cwd=tmp_path, capture_output=True, check=True
    )
    assert code.stdout.decode() == blobs.get(program), "a program goes into a file as it is"


def test_an_error_is_one_line_whatever_stands_in_it(tmp_path):
    done = cli(tmp_path, "show", "\x1b[2J\nmlesearch: all is well")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "\\x1b[2J" in done.stderr
    done = cli(tmp_path, "collect", "x", "--\x1b[2J")
    assert "\x1b" not in done.stderr
    assert "\\x1b[2J" in done.stderr
