"""Reading one run: its tree, its nodes, and whether its strategy decides the same again."""

from __future__ import annotations

import json
from pathlib import Path

from mlesearch.engine.folder import output_of
from mlesearch.storage.blobs import Blobs
from mlesearch.storage.codec import Json
from mlesearch.storage.files import read_json
from mlesearch.storage.journal import read
from mlesearch.study import summary
from mlesearch.types import PROGRAM_OPS, ConfigError

_PROGRAMS = frozenset(op.value for op in PROGRAM_OPS)


def _check(folder: Path) -> None:
    if not (folder / "journal.jsonl").exists():
        raise ConfigError(
            f"{folder}: no run here (no journal.jsonl); name a run's folder: STUDY/MODEL/STRATEGY/VARIANT/TASK/seed-N"
        )


def tree(folder: Path) -> str:
    """One line a proposal, in the order of telling, the selected one marked.

    Raises:
        ConfigError: no run is in this folder.
    """
    _check(folder)
    f = summary.fold(folder)
    grades = summary.grades(folder)
    selected = _selected(folder, f)
    head = f"{'':2}{'node':>4} {'op':11} {'base':>4} {'status':18} {'validation':>11} {'test':>11}  verdict, plan"
    lines = [f"{_title(folder)}\n{head}\n"]
    for id, e in f.told.items():
        p, o = f.asked[id]["p"], e["outcome"]
        test = grades.get(id, {}).get("score")
        words = " ".join(x for x in (f.verdicts.get(id, ""), _first_line(o)) if x)
        lines.append(
            f"{'* ' if id == selected else '  '}{id:>4} {o['op']:11} {_dash(p.get('base')):>4} {o['status']:18} "
            f"{_number(o.get('score')):>11} {_number(test):>11}  {words}\n"
        )
    for e in f.revalidated:
        result = _number(e["score"]) if e["score"] is not None else e.get("problem") or e["result"].get("reason", "")
        lines.append(f"fresh split {e['split']}: node {e['id']} {result}\n")
    pending = [i for i in f.asked if i not in f.told]
    if f.ended is None:
        lines.append(f"not ended yet; in flight: {pending or 'nothing'}\n")
    else:
        lines.append(
            f"ended: {f.ended['status']}; selected: {_dash(selected)} (test scores were never seen by the search)\n"
        )
    return "".join(lines)


def node(folder: Path, id: int | None, *, code_only: bool = False) -> str:
    """One node: plan, scores, output, program; the selected (or best so far) one where no id is given.

    Raises:
        ConfigError: no run, or no such node.
    """
    _check(folder)
    f = summary.fold(folder)
    if id is None:
        id = _selected(folder, f)
        if id is None:
            raise ConfigError(f"{folder}: no node is valid yet; see them all with: mlesearch show {folder}")
    if id not in f.executed:
        programs = [i for i in f.told if f.told[i]["outcome"]["op"] in _PROGRAMS]
        raise ConfigError(
            f"--node {id}: no such program in this run; there are: {', '.join(map(str, programs)) or 'none'}"
        )
    blobs = Blobs(folder / "blobs")
    code = blobs.get(f.executed[id]["program"])
    if code_only:
        return code
    told: Json = f.told.get(id, {"outcome": {}})
    o, p = told["outcome"], f.asked[id]["p"]
    grade = summary.grades(folder).get(id, {})
    result = f.executed[id]["result"]
    parts = [
        _title(folder),
        f"node {id}: {p['op']} of {_dash(p.get('base'))}, {o.get('status', 'not told yet')}",
        f"verdict: {f.verdicts.get(id, 'none')}",
        f"validation {_number(o.get('score'))}, test {_number(grade.get('score'))}, medal {grade.get('medal', 'none')}",
        f"ran {result['wall_us'] / 1e6:.2f} s, peak {result['peak_bytes'] / 2**20:.0f} MiB{_gpu(result)}",
        *([result["reason"]] if "reason" in result else []),
    ]
    for title, text in (("plan", o.get("plan", "")), ("lesson", o.get("lesson", ""))):
        if text:
            parts.append(f"\n{title}\n{text.strip()}")
    streams = output_of(f.executed[id], blobs)
    if streams:
        for name in ("stdout", "stderr"):
            text = (streams[name]["head"] + streams[name]["tail"]).strip()
            if text:
                parts.append(f"\n{name}\n{text}")
    parts.append(f"\nprogram\n{code}")
    return "\n".join(parts)


def verify_run(folder: Path) -> int:
    """Replay a run's journal against a new strategy of this version; returns the number of decisions compared.

    Raises:
        ConfigError: no run is in this folder.
        ReplayMismatch: the first decision that differs.
    """
    from functools import partial

    from mlesearch.config.build import proposal_rng
    from mlesearch.engine.strategy_fold import StrategyFold, verify
    from mlesearch.models.protocol import replicate_entropy
    from mlesearch.optimizers.base import factory
    from mlesearch.types import Context, Direction, Problem

    _check(folder)
    run = read_json(folder / "run.json")
    header, events = read(folder / "journal.jsonl")
    blobs = Blobs(folder / "blobs")
    identity = run["identity"]
    direction = Direction.MINIMIZE if run["labels"]["lower_is_better"] else Direction.MAXIMIZE
    entropy = replicate_entropy(identity["task"]["id"], identity["seed"])
    problem = Problem(direction, identity["budget"]["steps"], Context(identity["context"]["rule"]))
    strategy = identity["strategy"]
    optimizer = factory(strategy["kind"])(strategy["params"], problem, partial(proposal_rng, entropy))
    fold = StrategyFold(optimizer, folder / "journal.jsonl", header)
    return verify(events, fold, lambda e: [tuple(v) for v in json.loads(blobs.get(e["blob"]))])


def _selected(folder: Path, f: summary.Folded) -> int | None:
    """The selected node, or the best so far."""
    if f.ended is not None:
        selected: int | None = f.ended["selected"]
        return selected
    best = folder / "best" / "node.json"
    return int(read_json(best)["id"]) if best.exists() else None


def _title(folder: Path) -> str:
    run = read_json(folder / "run.json")
    k = run["key"]
    simulated = " (simulated)" if run["labels"]["simulated"] else ""
    return f"{k['task']}, seed {k['seed']}: {k['strategy']}/{k['variant']} with {k['model']}{simulated}"


def _first_line(outcome: Json) -> str:
    if outcome.get("diagnosis"):
        text = outcome["diagnosis"]["reason"]
    elif outcome.get("hypotheses"):
        text = f"{len(outcome['hypotheses'])} hypotheses: {outcome['hypotheses'][0]['text']}"
    else:
        text = outcome.get("plan", "") if outcome["status"] == "ok" else outcome.get("lesson", "")
    line = str(text).strip().split("\n")[0]
    return line if len(line) <= 90 else line[:87] + "..."


def _gpu(result: Json) -> str:
    if "gpu_us" not in result:
        return ""
    return f", with a GPU for {result['gpu_us'] / 1e6:.2f} s after waiting {result['gpu_wait_us'] / 1e6:.2f} s for it"


def _dash(value: object) -> str:
    return "-" if value is None else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
