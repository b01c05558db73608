"""Looking for damage in what was recorded: a store, an export, or a study, and whether that would replay."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from mlesearch.config.resources import ProcessResources
from mlesearch.storage.codec import Json
from mlesearch.storage.entry import Entry, StoreError
from mlesearch.storage.journal import read
from mlesearch.storage.layout import run_folders
from mlesearch.storage.store import Store, open_store
from mlesearch.study.archive import CALLS, EXECUTIONS, STORES, Contents, checked, find_store, lines_of, opened
from mlesearch.study.replay import plan_replay
from mlesearch.types import MlesearchError

_HOW = {CALLS: "cassette=record", EXECUTIONS: "sandbox.exec_store=record"}


def verify(path: Path) -> tuple[Contents, list[str]]:
    """Look at a store, an export, or a study: what it holds, and everything that is wrong with it.

    Of a study, every reply, embedding and execution in its journals is looked for in its stores, and a replay is
    planned: with nothing wrong, it replays here.

    Raises:
        ConfigError: it is none of the three; or an export that can't be trusted.
    """
    if (path / "study.json").exists():
        return _verify_study(path)
    if path.is_file() and zipfile.is_zipfile(path):
        with opened(path) as file:
            sums = checked(file, path)
            wrong, counts = [], Counter[str]()
            for member in STORES:
                for line in lines_of(file, member) if member in sums else ():
                    counts[member] += "address" in line["fields"]
                    if Entry(line["fields"], {}).key != line["key"]:
                        wrong.append(f"{member}: the entry {line['key']} holds what belongs to another key")
            runs = sum(name.endswith("/run.json") for name in sums)
            return Contents(runs, counts[CALLS], counts[EXECUTIONS]), wrong
    with closing(open_store(path, "files" if path.is_dir() else "sqlite", must_exist=True)) as store:
        counts, wrong, _ = _verify_store(store)
    return Contents(0, counts[CALLS], counts[EXECUTIONS]), wrong


Kept = set[tuple[str, str, str | None]]
"""What a store holds: kinds and addresses, each with the digest of its prompt or program, and once with None."""


def _verify_store(store: Store) -> tuple[Counter[str], list[str], Kept]:
    """How many calls and executions a store holds, its damaged entries, and where the others belong."""
    counts: Counter[str] = Counter()
    wrong, kept = [], Kept()
    for key in list(store.keys()):
        try:
            entry = store.get(key)
        except StoreError as e:
            wrong.append(str(e))
            continue
        if entry is not None and "address" in entry.fields:
            fields = entry.fields
            counts[EXECUTIONS if fields["kind"] == "execution" else CALLS] += 1
            place = fields["kind"], fields["address"]
            kept |= {(*place, fields.get("prompt", fields.get("program"))), (*place, None)}
    return counts, wrong, kept


def _verify_study(study: Path) -> tuple[Contents, list[str]]:
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    kept: dict[str, Kept] = {}
    for member, name in STORES.items():
        store = find_store(study, name)
        if store is None:
            wrong.append(f"{study}: no store of {name} here; record with {_HOW[member]}")
            continue
        with closing(store):
            found, damaged, kept[member] = _verify_store(store)
        counts += found
        wrong += damaged
    folders = list(run_folders(study))
    for folder in folders:
        try:
            events = read(folder / "journal.jsonl")[1]
        except (MlesearchError, OSError) as e:
            wrong.append(str(e))
            continue
        wrong += _missing(folder.relative_to(study).as_posix(), events, kept)
    if len(kept) == len(STORES):
        try:
            with ProcessResources() as resources:
                plan_replay(study, study.with_name(f"{study.name}-replay"), resources)
        except (MlesearchError, OSError) as e:
            wrong.append(str(e))
    return Contents(len(folders), counts[CALLS], counts[EXECUTIONS]), wrong


def _missing(id: str, events: Sequence[Json], kept: dict[str, Kept]) -> Iterator[str]:
    """What the events of a run tell of and its stores lack."""
    asked = {}
    for e in events:
        if e["type"] == "asked":
            asked[e["p"]["id"]] = e["p"]
        elif e["type"] in ("reply", "review") and CALLS in kept:
            address = f"{id}/{asked[e['id']].get('trace', 0)}/{e['id']}/{e['op']}/{e['attempt']}"
            if ("call", address, e.get("prompt")) not in kept[CALLS]:
                yield f"{id}: the call {address} is in the journal and not in the cassette"
        elif e["type"] == "embedded" and e["usage"] and CALLS in kept:  # what calls nobody is not recorded
            address = f"{id}/{asked[e['id']].get('trace', 0)}/{e['id']}/{asked[e['id']]['op']}/0"
            if ("embedding", address, None) not in kept[CALLS]:
                yield f"{id}: the embedding {address} is in the journal and not in the cassette"
        elif e["type"] in ("executed", "revalidated") and EXECUTIONS in kept:
            address = f"{id}/{e['id']}" + (f"/split-{e['split']}" if e["type"] == "revalidated" else "")
            if ("execution", address, e.get("program")) not in kept[EXECUTIONS]:
                yield f"{id}: the execution {address} is in the journal and not in the store"
