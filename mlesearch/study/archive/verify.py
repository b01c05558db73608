"""Whether what was recorded is whole, and whether a strategy still decides what its journal says.

`find_damage` looks at a store, an export, or a study, and whether that would replay (`mlesearch cassette verify PATH`);
`verify_run` asks a run's strategy again (`mlesearch verify RUN`).
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.engine.randomness import proposal_rng, replicate_entropy
from mlesearch.engine.strategy_fold import StrategyFold, verify
from mlesearch.optimizers.base import factory
from mlesearch.storage.blobs import BLOBS, Blobs
from mlesearch.storage.cell_store import cells as cells_of
from mlesearch.storage.documents import RUN, STUDY, read_run
from mlesearch.storage.entry import Entry, StoreError
from mlesearch.storage.events import Event
from mlesearch.storage.journal import JOURNAL, read
from mlesearch.storage.layout import run_folders
from mlesearch.storage.nouns import ProposalJson
from mlesearch.storage.store import Store, open_store
from mlesearch.study.archive.members import CALLS, EXECUTIONS, STORES, lines_of, opened
from mlesearch.study.archive.packing import Contents, find_store
from mlesearch.study.archive.replay import plan_replay
from mlesearch.study.runs.fold import check_run_folder
from mlesearch.study.runs.summary import direction_of
from mlesearch.types import Context, MlesearchError, Problem

_HOW = {CALLS: "cassette=record", EXECUTIONS: "sandbox.exec_store=record"}


def verify_run(folder: Path) -> int:
    """Replay a run's journal against a new strategy of this version; returns the number of decisions compared.

    Raises:
        ConfigError: no run is in this folder.
        ReplayMismatch: the first decision that differs.
    """
    check_run_folder(folder)
    run = read_run(folder)
    header, events = read(folder / JOURNAL)
    blobs = Blobs(folder / "blobs")
    identity = run["identity"]
    entropy = replicate_entropy(identity["task"]["id"], identity["seed"])
    rule = Context(identity["context"]["rule"])
    problem = Problem(direction_of(run), identity["budget"]["steps"], rule, trial_runs="trial" in identity)
    strategy = identity["strategy"]
    optimizer = factory(strategy["kind"])(strategy["params"], problem, partial(proposal_rng, entropy))
    fold = StrategyFold(optimizer, folder / JOURNAL, header)
    return verify(events, fold, lambda e: [tuple(v) for v in json.loads(blobs.get(e["blob"]))])


def find_damage(path: Path, *, trust: bool = False, own_tasks: Sequence[str] = ()) -> tuple[Contents, list[str]]:
    """Look at a store, an export, or a study: what it holds, and everything that is wrong with it.

    Of a study, every reply, embedding and execution in its journals is looked for in its stores, and a replay is
    planned: with nothing wrong, it replays here.

    Args:
        path: of one of the three.
        trust: whether an export is taken however large it is, and tasks that came with a study may be loaded.
        own_tasks: the user's own tasks, which are used wherever they are those of the study.

    Raises:
        ConfigError: it is none of the three; or an export that can't be trusted.
    """
    if (path / STUDY).exists():
        return _damage_of_study(path, trust, own_tasks)
    if path.is_file() and zipfile.is_zipfile(path):
        with opened(path, trust=trust) as archive:
            wrong, counts = [], Counter[str]()
            for member in STORES:
                for line in lines_of(archive, member) if member in archive.names else ():
                    counts[member] += "address" in line["fields"]
                    if Entry(line["fields"], {}).key != line["key"]:
                        wrong.append(f"{member}: the entry {line['key']} holds what belongs to another key")
            runs = sum(name.endswith(f"/{RUN}") for name in archive.names)
            return Contents(runs, counts[CALLS], counts[EXECUTIONS]), wrong
    with closing(open_store(path, "files" if path.is_dir() else "sqlite", must_exist=True)) as store:
        counts, wrong, _ = _damage_of_store(store)
    return Contents(0, counts[CALLS], counts[EXECUTIONS]), wrong


Kept = set[tuple[str, str, str | None]]
"""What a store holds: kinds and addresses, each with the digest of its prompt or program, and once with None."""


def _damage_of_store(store: Store) -> tuple[Counter[str], list[str], Kept]:
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


def _damage_of_study(study: Path, trust: bool, own_tasks: Sequence[str]) -> tuple[Contents, list[str]]:
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    kept: dict[str, Kept] = {}
    looked_up = bool(cells_of(study))
    for member, name in STORES.items():
        store = find_store(study, name)
        if store is None and looked_up:
            continue
        if store is None:
            wrong.append(f"{study}: no store of {name} here; record with {_HOW[member]}")
            continue
        with closing(store):
            found, damaged, kept[member] = _damage_of_store(store)
        counts += found
        wrong += damaged
    folders = list(run_folders(study))
    for folder in folders:
        try:
            events = read(folder / JOURNAL)[1]
        except (MlesearchError, OSError) as e:
            wrong.append(str(e))
            continue
        wrong += _missing_blobs(folder, events) if looked_up else ()
        wrong += _missing(folder.relative_to(study).as_posix(), events, kept)
    if len(kept) == len(STORES):
        try:
            with ProcessResources() as resources:
                plan_replay(study, study.with_name(f"{study.name}-replay"), resources, trust=trust, own_tasks=own_tasks)
        except (MlesearchError, OSError) as e:
            wrong.append(str(e))
    return Contents(len(folders), counts[CALLS], counts[EXECUTIONS]), wrong


def _missing_blobs(folder: Path, events: Sequence[Event]) -> Iterator[str]:
    """What is wrong with the texts that the events of a run name."""
    blobs = Blobs(folder / BLOBS)
    for e in events:
        named = {e["program"]} if e["type"] == "executed" or e["type"] == "sample_run" else set()
        for digest in named:
            try:
                blobs.get(digest)
            except (MlesearchError, OSError) as error:
                yield str(error)


def _missing(id: str, events: Sequence[Event], kept: dict[str, Kept]) -> Iterator[str]:
    """What the events of a run tell of and its stores lack."""
    asked: dict[int, ProposalJson] = {}
    for e in events:
        match e["type"]:
            case "asked":
                asked[e["p"]["id"]] = e["p"]
            case "reply" | "review" if CALLS in kept:
                address = f"{id}/{asked[e['id']].get('trace', 0)}/{e['id']}/{e['op']}/{e['attempt']}"
                if ("call", address, e.get("prompt")) not in kept[CALLS]:
                    yield f"{id}: the call {address} is in the journal and not in the cassette"
            case "embedded" if e["usage"] and CALLS in kept:  # what calls nobody is not recorded
                address = f"{id}/{asked[e['id']].get('trace', 0)}/{e['id']}/{asked[e['id']]['op']}/0"
                if ("embedding", address, None) not in kept[CALLS]:
                    yield f"{id}: the embedding {address} is in the journal and not in the cassette"
            case "sample_run" | "executed" | "revalidated" | "full_run" if EXECUTIONS in kept:
                address, program = f"{id}/{e['id']}", None
                if e["type"] == "sample_run" or e["type"] == "executed":
                    program = e["program"]
                address += {"executed": "", "sample_run": "/sample", "full_run": "/full"}.get(e["type"], "")
                if e["type"] == "revalidated":
                    address += f"/split-{e['split']}"
                if ("execution", address, program) not in kept[EXECUTIONS]:
                    yield f"{id}: the execution {address} is in the journal and not in the store"
