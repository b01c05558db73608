"""Studies whose runs go wrong in every way, and what is to come of them, whoever carries them out.

All others finish, each failure is named once with its cause, node and log, and what is launched again does only what is
missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from mlesearch.storage.run_log import read_log
from mlesearch.storage.worker_files import read_attempts
from tests.support import faulty

FEW = ["-m", "model=sim_05", "tasks=[rentals]", "seeds=[0]", "budget.steps=2", "sandbox=local", "launcher.retries=0"]
SAID = {"quits": "SystemExit: 3", "kills": "was killed by SIGKILL", "raises": "RuntimeError: the plug-in is broken"}
"""What is said of a failure, by the strategy."""
_LINE = re.compile(
    r"failed(?: \(\w+\))?: (?P<run>\S+)(?: and (?P<others>\d+) more)?: (?P<reason>.+) "
    r"[(\[]on (?P<node>[^\s,;]+)[,;] (?:job (?P<job>\d+); )?log: (?P<log>\S+)[)\]]"
)
_LEFT = re.compile(
    r"missing: (?P<runs>\d+) of \d+ runs?: (?P<run>[^:]+): no worker has carried it out; "
    r"(?P<node>\S+) left it to other machines: (?P<reason>.+); run the same command again to go on"
)
"""Of runs that never began where a worker saw that they can't: another machine may have what is absent there."""


@dataclass(frozen=True)
class FaultyStudy:
    """A launch of which some runs fail.

    Attributes:
        words: of the launch; the study is `studies/main`.
        runs: how many it has.
        healthy: ids of the runs that finish the first time.
        faults: what is said of a failure, by a part of the ids of its runs.
    """

    words: Sequence[str]
    runs: int
    healthy: frozenset[str]
    faults: Mapping[str, str]


@dataclass(frozen=True)
class FaultyEnd:
    """What a launch says when it is over.

    Attributes:
        code: its exit code.
        failures: the lines that name runs without a result.
        said: all of it, for whoever reads why a test failed.
    """

    code: int
    failures: Sequence[str]
    said: str = field(default="", compare=False)


def of_every_kind() -> FaultyStudy:
    """A run of each fault, and a healthy one."""
    words = [*FEW, f"strategy=random,{','.join(SAID)}", "launcher.n_jobs=2"]
    return FaultyStudy(words, 4, frozenset({"sim_05/random/base/rentals/seed-0"}), _by_strategy())


def sweep() -> FaultyStudy:
    """Ten models, one of them without a key, by four strategies, three of them faulty; three tasks, two seeds."""
    models = [f"sim_{n:02}" for n in range(1, 10)]
    words = ["-m", f"model={','.join(models)},keyless", f"strategy=random,{','.join(SAID)}"]
    words += [f"tasks=[rentals,digits,tasks/{faulty.OWN_TASK}]", "seeds=[0,1]", *FEW[4:], "launcher.n_jobs=2"]
    healthy = {f"{m}/random/base/{t}/seed-{s}" for m, t, s in product(models, ("rentals", "digits", "canvas"), (0, 1))}
    return FaultyStudy(words, 240, frozenset(healthy), _by_strategy() | {"keyless/": "the key is wrong or missing"})


def task_that_goes_away() -> FaultyStudy:
    """Two strategies by two tasks, one by one in each cell; the folder of one task goes away on the way."""
    words = [*FEW, f"tasks=[rentals,tasks/{faulty.OWN_TASK}]", "strategy=random,removes", "launcher.n_jobs=1"]
    words.remove("tasks=[rentals]")
    healthy = {f"sim_05/{run}/seed-0" for run in ("random/base/rentals", "random/base/canvas", "removes/base/rentals")}
    return FaultyStudy(words, 4, frozenset(healthy), {"removes/base/canvas": "does not exist"})


def _by_strategy() -> dict[str, str]:
    return {f"/{strategy}/": said for strategy, said in SAID.items()}


def results(study: Path) -> dict[str, bytes]:
    """The journal of each run that has a result."""
    found = {p.parent for p in study.rglob("result.json") if b'"failed"' not in p.read_bytes()[:40]}
    return {folder.relative_to(study).as_posix(): (folder / "journal.jsonl").read_bytes() for folder in found}


def launch_and_go_on(
    cwd: Path, faults: FaultyStudy, launch: Callable[[], FaultyEnd], go_on: Callable[[], FaultyEnd]
) -> None:
    """Launch with faults, look at what came of it, and go on without them.

    Args:
        cwd: the folder that a launch is given in.
        faults: what is launched.
        launch: carries it out.
        go_on: carries out what is missing.
    """
    faulty.write_files(cwd)
    study = cwd / "studies/main"
    end = launch()
    assert end.code == 1, end.said
    finished = results(study)
    assert finished.keys() == faults.healthy
    assert _named_once(cwd, faults.faults, end.failures) == faults.runs - len(finished), "each is named, and once"
    (cwd / "faults_off").touch()
    if not (cwd / "tasks" / faulty.OWN_TASK).exists():
        (cwd / "conf").rename(cwd / "conf-before")
        faulty.write_files(cwd)
    before = set(read_attempts(study))
    assert (end := go_on()) == FaultyEnd(0, []), end.said
    now = results(study)
    assert len(now) == faults.runs
    assert finished.items() <= now.items()  # byte for byte: nobody touched them
    did = [attempt.run_id for attempt in read_attempts(study) if attempt not in before]
    assert sorted(did) == sorted(now.keys() - finished.keys())


def _named_once(cwd: Path, faults: Mapping[str, str], lines: Sequence[str]) -> int:
    """How many runs are named, each kind in a line of its own, with cause, node and a log that says the same.

    Runs that never began have no log.
    """
    named = 0
    told = [_LINE.fullmatch(line) or _LEFT.fullmatch(line) for line in lines]
    for part, said in faults.items():
        (found,) = [t for t in told if t is not None and part in t["run"] and said in t["reason"]]
        if found.re is _LINE:
            assert (cwd / found["log"]).is_file(), found[0]
            assert any(said in entry for entry in read_log((cwd / found["log"]).parent)), found[0]
        named += int(found["runs"]) if found.re is _LEFT else 1 + int(found["others"] or 0)
    assert len(lines) == len(faults), lines
    return named
