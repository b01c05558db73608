"""What a program can find of the harness that runs it, and whether two runs of one program find the same."""

from __future__ import annotations

import re

from mlesearch.testing.sandbox_contract.base import Bench, Checks
from mlesearch.types import ExecStatus

_NEEDLES = "needles = [word[::-1] for word in {words!r}]\n"  # a program would find its own text

_FRAMES = """
import sys
frame, found = sys._getframe().f_back, []
while frame is not None:
    for where, names in (("local", frame.f_locals), ("global", frame.f_globals)):
        for name, value in list(names.items()):
            owner = str(getattr(type(value), "__module__", "")) + " " + str(getattr(value, "__module__", ""))
            held = [str(each) for each in vars(value).values()] if hasattr(value, "__dict__") and "." in owner else []
            if name not in ("source", "f") and any(
                needle in text for needle in needles for text in (owner, repr(value)[:10_000], *held)
            ):
                found.append((where, name, owner))
    found += [frame.f_code.co_filename for needle in needles if needle in frame.f_code.co_filename]
    frame = frame.f_back
print("found", found)
"""

_OBJECTS = """
import gc, sys
found = []
for each in gc.get_objects():
    if each is needles or each is found:
        continue
    if isinstance(each, dict):
        texts = [*each.keys(), *each.values()]
    elif isinstance(each, (list, tuple, set, frozenset)):
        texts = list(each)
    else:
        texts = [str(getattr(type(each), "__module__", ""))]
    texts = [text for text in texts if isinstance(text, str) and text not in needles]
    found += [text[:200] for text in texts if any(needle in text for needle in needles)]
found += [name for name in sys.modules if any(needle in name for needle in needles)]
print("found", found)
"""

_PROCESS = """
import os, re, sys, traceback
def read(name):
    try:
        return open(f"/proc/self/{name}").read().replace(chr(0), " ").strip()
    except OSError as error:
        return error.strerror
print("argv", sys.argv, sys.orig_argv, sys.executable, sys.path, sys.prefix)
print("command", read("cmdline"))
print("variables", sorted(os.environ.items()), read("environ"))
print("group", read("cgroup"))
print("folder", os.getcwd(), os.readlink("/proc/self/cwd"), os.path.realpath("input"))
print("mapped", sorted(set(re.findall(r"/\\S+", read("maps")))))
own = [line.split()[3:5] for line in read("mountinfo").splitlines() if " /box/" in line or " /input" in line]
print("mounts", sorted(own))
print("host", os.uname().nodename)
def fail():
    traceback.print_stack(file=sys.stdout)
    raise ValueError(os.path.abspath("x"))
fail()
"""


class TraceChecks(Checks):
    """A program that looks around sees `python solution.py` in a folder, and the same in every run."""

    def _needles(self, bench: Bench) -> str:
        words = [word[::-1] for word in (str(bench.root), "mlesearch", "_box.")]
        return _NEEDLES.format(words=words)

    def test_no_frame_holds_anything_of_the_harness(self, bench: Bench) -> None:
        result = bench.run(self._needles(bench) + _FRAMES)
        assert (result.status, result.stdout.text) == (ExecStatus.OK, "found []\n"), result

    def test_no_object_tells_where_the_answers_are(self, bench: Bench) -> None:
        words = [word[::-1] for word in (str(bench.root), str(bench.private), "mlesearch-")]
        result = bench.run(_NEEDLES.format(words=words) + _OBJECTS)
        assert (result.status, result.stdout.text) == (ExecStatus.OK, "found []\n"), result

    def test_no_trace_of_the_harness_in_what_the_kernel_shows(self, bench: Bench) -> None:
        result = bench.run(_PROCESS)
        said = result.stdout.text + result.stderr.text
        assert result.reason.startswith("ValueError: x "), result
        assert str(bench.root) not in said
        assert not re.search(r"mlesearch-\d|[0-9a-f]{16}", said), said
        lines = dict(line.partition(" ")[::2] for line in result.stdout.text.splitlines())
        assert lines["command"] in ("python solution.py", "Permission denied"), lines["command"]
        assert "_box" not in said

    def test_two_runs_find_the_same_traces(self, bench: Bench) -> None:
        first, second = bench.run(_PROCESS), bench.run(_PROCESS)
        assert first.stdout.text == second.stdout.text
        assert first.stderr.text == second.stderr.text
        assert first.reason == second.reason
