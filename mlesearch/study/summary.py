"""One run's journal and grades, folded into the rows of the study's tables.

Column names and meanings are those of `mlesearch.analysis.tables`; this room only reads.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlesearch.models.protocol import total_usage
from mlesearch.sandbox.gpu import devices
from mlesearch.storage.codec import Json, usage_from_json
from mlesearch.storage.files import read_json, read_lines
from mlesearch.storage.journal import JournalError, read
from mlesearch.types import MICROSECONDS, NANODOLLARS, PROGRAM_OPS, Direction, Op, Usage

_RUN_STATUS = {"completed": "ok", "budget": "ok", "finished": "ok", "real_time": "timeout"}
"""Ends of the engine as statuses of the tables."""

_PROGRAMS = frozenset(op.value for op in PROGRAM_OPS)


@dataclass
class Folded:
    """A run's journal, by proposal."""

    header: Json
    asked: dict[int, Json] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)  # reply, review and embedded events
    executed: dict[int, Json] = field(default_factory=dict)
    revalidated: list[Json] = field(default_factory=list)  # reruns on fresh splits
    told: dict[int, Json] = field(default_factory=dict)
    verdicts: dict[int, str] = field(default_factory=dict)  # the latest of each node; void stays void
    ended: Json | None = None
    charged_us: int = 0
    real_us: int = 0


def fold(folder: Path) -> Folded:
    """Read a run's journal.

    Raises:
        JournalError: it is corrupt.
    """
    header, events = read(folder / "journal.jsonl")
    f = Folded(header)
    for e in events:
        kind = e["type"]
        f.charged_us = max(f.charged_us, e["t"])
        f.real_us = e.get("real_us", f.real_us)
        if kind == "asked":
            f.asked[e["p"]["id"]] = e
        elif kind == "executed":
            f.executed[e["id"]] = e
        elif kind == "told":
            f.told[e["id"]] = e
            for v in e.get("verdicts", ()):
                if f.verdicts.get(v["node"]) != "void":
                    f.verdicts[v["node"]] = v["kind"]
        elif kind == "revalidated":
            f.revalidated.append(e)
        elif kind == "ended":
            f.ended = e
        elif kind == "closing":
            continue
        else:
            f.calls.append(e)
    return f


def grades(folder: Path) -> dict[int, Json]:
    """Test grades by node."""
    return {g["id"]: g for g in read_lines(folder / "grades.jsonl")}


def summarise(folder: Path) -> Json:
    """The run's row of the table of runs: status, scores, medals, costs."""
    run = read_json(folder / "run.json")
    f = fold(folder)
    g = grades(folder)
    status = _RUN_STATUS[f.ended["status"]] if f.ended else "failed"
    selected = f.ended["selected"] if f.ended else None
    if selected is not None and selected not in g:
        raise JournalError(f"{folder}/grades.jsonl: no grade of the selected node {selected}; restore the file")
    grade = g[selected] if selected is not None else {}
    medal = grade.get("medal", "none")
    labels = run["labels"]
    direction = Direction.MINIMIZE if labels["lower_is_better"] else Direction.MAXIMIZE
    usage = total_usage([usage_from_json(c["usage"]) for c in f.calls])
    oracle = _oracle(f, g, direction)
    return {
        "run_id": run["id"],
        **run["key"],
        **{k: labels[k] for k in ("tier", "capability", "capability_source", "suite", "simulated", "lower_is_better")},
        "status": status,
        "ended": f.ended["status"] if f.ended else None,
        "reason": "",
        "valid": bool(grade.get("valid", False)),
        "score": grade.get("score"),
        "gold": medal == "gold",
        "silver": medal == "silver",
        "bronze": medal == "bronze",
        "above_median": bool(grade.get("above_median", False)),
        "percentile": grade.get("percentile"),
        "selected": selected,
        "val_selected": f.told[selected]["outcome"].get("score") if selected is not None else None,
        "test_selected": grade.get("score"),
        "test_oracle": oracle.get("score"),
        "medal_oracle": oracle.get("medal", "none") != "none",
        "improvement_rate": improvement_rate(f, direction),
        "direction_accuracy": direction_accuracy(f, direction),
        "charged_s": f.charged_us / MICROSECONDS,
        "wait_s": usage.wait_us / MICROSECONDS,
        "real_s": f.real_us / MICROSECONDS,
        "program_s": _seconds(f, "wall_us"),
        "program_cpu_s": _seconds(f, "cpu_us"),
        "gpu_h": _seconds(f, "gpu_us") / 3600,
        "gpu_wait_s": _seconds(f, "gpu_wait_us"),
        "cost_usd": None if usage.cost_nusd is None else usage.cost_nusd / NANODOLLARS,
        "tokens_in": usage.input_tokens,
        "tokens_out": usage.output_tokens,
        "n_calls": usage.calls,
        "n_executions": len(f.executed) + len(f.revalidated),
        "steps": sum(e["outcome"]["op"] in _PROGRAMS for e in f.told.values()),
        "validation": labels["validation"],
        "promises": ",".join(run["identity"]["sandbox"].get("promises", ())),
        "rung": run["identity"]["sandbox"].get("rung"),
        "environment": run["identity"]["sandbox"].get("environment"),
        "model_answered": ",".join(sorted({c["model"] for c in f.calls if "model" in c})),
        "hardware": _hardware(run["identity"]),
    }


@dataclass(frozen=True, slots=True)
class ProgramTime:
    """What programs took, of one run or several.

    Attributes:
        programs: executions.
        run_s: their run times, seconds.
        cpu_s: their processor time, seconds.
    """

    programs: int = 0
    run_s: float = 0.0
    cpu_s: float = 0.0


def program_time(folders: Iterable[Path]) -> ProgramTime:
    """Of all executions in the journals of these run folders; those without a journal count nothing."""
    programs, run_s, cpu_s = 0, 0.0, 0.0
    for folder in folders:
        if (folder / "journal.jsonl").exists():
            f = fold(folder)
            programs += len(f.executed) + len(f.revalidated)
            run_s += _seconds(f, "wall_us")
            cpu_s += _seconds(f, "cpu_us")
    return ProgramTime(programs, run_s, cpu_s)


def _seconds(f: Folded, duration: str) -> float:
    """Of all executions of a run, reruns on fresh splits included."""
    micro: int = sum(e["result"].get(duration, 0) for e in (*f.executed.values(), *f.revalidated))
    return micro / MICROSECONDS


def _hardware(identity: Mapping[str, Json]) -> str:
    limits = identity["limits"]
    gpu = devices.describe(identity["sandbox"])
    return f"{limits['cpu_count']} CPU, {limits['memory_bytes'] / 2**30:g} GiB" + (f", {gpu}" if gpu else "")


def _oracle(f: Folded, g: Mapping[int, Json], direction: Direction) -> Json:
    """The grade of the node that is best on the test set, void ones left out."""
    best: Json = {}
    for id, grade in g.items():
        score = grade["score"]
        counts = id in f.told and f.verdicts.get(id) != "void" and score is not None
        if counts and (not best or direction.better(score, best["score"])):
            best = grade
    return best


def _valid_score(f: Folded, id: int | None) -> float | None:
    told = f.told.get(id) if id is not None else None
    if told is None or told["outcome"]["status"] != "ok":
        return None
    score: float | None = told["outcome"].get("score")
    return score


def _counted_score(f: Folded, id: int | None) -> float | None:
    """The validation score of a node that is valid and not void."""
    return None if id is not None and f.verdicts.get(id) == "void" else _valid_score(f, id)


def _improves(f: Folded, id: int, direction: Direction) -> bool | None:
    """Whether an improvement beat its base; None where that can't be said. A void score beats nothing."""
    base = _counted_score(f, f.asked[id]["p"].get("base"))
    if base is None or id not in f.told:
        return None
    score = _counted_score(f, id)
    return score is not None and direction.better(score, base)


def improvement_rate(f: Folded, direction: Direction) -> float | None:
    """Share of improvement steps whose validated score beats their base; None without any."""
    steps = [i for i, e in f.asked.items() if e["p"]["op"] == Op.IMPROVE.value]
    known = [x for x in (_improves(f, i, direction) for i in steps) if x is not None]
    return sum(known) / len(known) if known else None


def direction_accuracy(f: Folded, direction: Direction) -> float | None:
    """Share of implemented hypotheses whose predicted sign came true; None without any.

    The prediction, made before execution: a gain, if the impact score lies above the median of its candidates. Where
    all candidates have one impact, nothing was predicted, and the hypothesis is left out.
    """
    right = []
    candidates: dict[int, list[Json]] = {}  # of the latest HYPOTHESIZE of each trace
    for id, e in f.asked.items():
        p = e["p"]
        trace = p.get("trace", 0)
        if p["op"] == Op.HYPOTHESIZE.value and id in f.told:
            candidates[trace] = f.told[id]["outcome"].get("hypotheses", [])
        if p["op"] != Op.IMPROVE.value:
            continue
        texts = [x["text"] for x in p.get("guidance", ()) if x["kind"] == "hypothesis"]
        chosen = [h for h in candidates.get(trace, ()) if h["text"] in texts]
        gained = _improves(f, id, direction)
        if len(chosen) == 1 and gained is not None:
            impacts = [h["scores"][1] for h in candidates[trace]]
            if len(set(impacts)) > 1:
                right.append((chosen[0]["scores"][1] > statistics.median(impacts)) == gained)
    return sum(right) / len(right) if right else None


def node_rows(folder: Path, f: Folded, run_id: str, direction: Direction) -> list[Json]:
    """The run's rows of the table of nodes: one a told program, in the order of telling."""
    g = grades(folder)
    usage: dict[int, list[Usage]] = {}
    for c in f.calls:
        usage.setdefault(c["id"], []).append(usage_from_json(c["usage"]))
    rows: list[Json] = []
    total = Usage()
    best: float | None = None
    step = 0
    for id, e in f.told.items():
        total = total + total_usage(usage.get(id, []))
        o = e["outcome"]
        if o["op"] not in _PROGRAMS:
            continue
        p = f.asked[id]["p"]
        score = _valid_score(f, id)
        verdict = f.verdicts.get(id, "")
        if score is not None and verdict != "void" and (best is None or direction.better(score, best)):
            best = score
        step += 1
        rows.append(
            {
                "run_id": run_id,
                "proposal": id,
                "step": step,
                "op": o["op"],
                "trace": p.get("trace", 0),
                "base": p.get("base"),
                "parents": ",".join(map(str, p.get("parents", ()))),
                "status": o["status"],
                "verdict": verdict,
                "t_charged_s": e["t"] / MICROSECONDS,
                "cum_tokens": total.tokens,
                "cum_usd": None if total.cost_nusd is None else total.cost_nusd / NANODOLLARS,
                "val_score": score,
                "test_score": g.get(id, {}).get("score"),
                "medal": g.get(id, {}).get("medal", "none"),
                "valid": score is not None,
                "best_so_far": best,
            }
        )
    return rows


def call_rows(f: Folded, run_id: str) -> list[Json]:
    """The run's rows of the table of calls, in the order of completion."""
    rows = []
    for c in f.calls:
        u = usage_from_json(c["usage"])
        rows.append(
            {
                "run_id": run_id,
                "proposal": c["id"],
                "op": c.get("op", "embed"),
                "attempt": c.get("attempt", 0),
                "tokens_in": u.input_tokens,
                "tokens_out": u.output_tokens,
                "cost_usd": None if u.cost_nusd is None else u.cost_nusd / NANODOLLARS,
                "service_s": u.service_us / MICROSECONDS,
                "model_answered": c.get("model"),
            }
        )
    return rows


def rows_of(folders: Sequence[Path]) -> tuple[list[Json], list[Json], list[Json]]:
    """Rows of runs, nodes and calls of some run folders."""
    runs: list[Json] = []
    nodes: list[Json] = []
    calls: list[Json] = []
    for folder in folders:
        row = summarise(folder)
        f = fold(folder)
        direction = Direction.MINIMIZE if row["lower_is_better"] else Direction.MAXIMIZE
        runs.append(row)
        nodes += node_rows(folder, f, row["run_id"], direction)
        calls += call_rows(f, row["run_id"])
    return runs, nodes, calls
