"""A small study of two cells to pack, and all that readers find in it."""

import json
from pathlib import Path

from mlesearch.storage.cell_store import files_of, read_bytes
from mlesearch.storage.layout import RunKey, note_launch, open_study, run_folders, study_header
from mlesearch.study.clean import TEMPORARY
from mlesearch.study.tables.collect import collect
from tests.support.run_story import Story

KEYS = [RunKey("m", strategy, "base", "t", seed) for strategy in ("greedy", "random") for seed in (0, 1, 2)]
OPEN, FAILED = KEYS[2], KEYS[5]
TABLES = ("runs", "nodes", "calls")


def make(study: Path) -> Path:
    """Six runs of two cells: four have ended, one has not, and one has failed."""
    open_study(study, study_header("s", None))
    note_launch(study, KEYS)
    for key in KEYS:
        run = study / key.id
        story = Story(run).step(0, "draft", 0.5).executed(0).step(1, "improve", 0.6, base=0).executed(1)
        (story if key == OPEN else story.ended(1)).write(key, result=key not in (OPEN, FAILED))
        for place, text in (("blobs/0a", f"text of {key.id}"), ("best/solution.py", "x = 1"), ("run.log", "began\n")):
            (run / place).parent.mkdir(exist_ok=True)
            (run / place).write_text(text)
    (study / FAILED.id / "result.json").write_text(json.dumps({"status": "failed", "reason": "no key", "real_s": 1.0}))
    return study


def contents(study: Path) -> dict[str, bytes]:
    """Every file of every run, as readers find it."""
    found: dict[str, bytes] = {}
    for run in run_folders(study):
        here = (p for p in run.rglob("*") if p.is_file() and not TEMPORARY.fullmatch(p.name))
        names = {p.relative_to(run).as_posix() for p in here} | set(files_of(run))
        found |= {f"{run.relative_to(study)}/{name}": read_bytes(run / name) for name in names}
    return found


def made_tables(study: Path, out: Path) -> list[bytes]:
    """The tables, made from nothing."""
    for name in (*(f"{t}.parquet" for t in TABLES), "collected.json"):
        (study / name).unlink(missing_ok=True)
    return collected(study, out)


def collected(study: Path, out: Path) -> list[bytes]:
    folder = collect(study, out)
    return [(folder / f"{name}.parquet").read_bytes() for name in TABLES]


def all_files(study: Path) -> list[str]:
    return sorted(p.relative_to(study).as_posix() for p in study.glob("m/**/*") if p.is_file())
