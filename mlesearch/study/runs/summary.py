"""One run, folded, as rows of the study's tables; the columns are declared in `mlesearch.storage.columns`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mlesearch.sandbox.gpu import devices
from mlesearch.storage.blobs import BlobStore
from mlesearch.storage.columns import CallRow, NodeRow, RowStatus, RunRow
from mlesearch.storage.documents import GRADES, GradeLine, Identity, RunFile
from mlesearch.storage.events import not_passed
from mlesearch.storage.journal import JournalError
from mlesearch.study.runs.fold import PROGRAMS, FoldedRun
from mlesearch.study.runs.mechanism import direction_accuracy, improvement_rate, valid_score
from mlesearch.study.runs.official_reports import board_of, official_facts
from mlesearch.study.runs.program_spread import program_spread
from mlesearch.study.runs.reruns import rerun_facts
from mlesearch.types import MICROSECONDS, NANODOLLARS, Direction, Status, Usage

_STATUS: dict[str, RowStatus] = {"completed": "ok", "budget": "ok", "finished": "ok", "real_time": "timeout"}
"""Ends of the engine as statuses of the tables."""

_NO_PARAMETERS = frozenset({"name", "kind", "version", "tables", "worlds", "sampling", "capability"})
"""What the identity of a simulated engineer holds beside its parameters, and its capability, a column of its own."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A run's rows of the three tables."""

    run: RunRow
    nodes: list[NodeRow]
    calls: list[CallRow]


def rows_of(run: RunFile, f: FoldedRun, blobs: BlobStore | None = None) -> Rows:
    """All rows of a run.

    Args:
        run: content of its run.json.
        f: the run, folded.
        blobs: where its programs are; None: in its folder.

    Raises:
        JournalError: as `summarise`.
    """
    held_out = "validation" in run["identity"].get("mlebench", {})
    ranked = not run["labels"].get("no_board", False)
    simulated = run["labels"]["simulated"]
    nodes = node_rows(f, run["id"], direction_of(run), ranked=ranked, all_graded=not held_out, simulated=simulated)
    return Rows(summarise(run, f, blobs), nodes, call_rows(f, run["id"], simulated=simulated))


def direction_of(run: RunFile) -> Direction:
    """Which way the metric of a run's task is better."""
    return Direction.MINIMIZE if run["labels"]["lower_is_better"] else Direction.MAXIMIZE


def summarise(run: RunFile, f: FoldedRun, blobs: BlobStore | None = None) -> RunRow:
    """The run's row of the table of runs: status, scores, medals, costs.

    Args:
        run: content of its run.json.
        f: the run, folded.
        blobs: where its programs are; None: in its folder.

    Raises:
        JournalError: the selected node has no grade.
    """
    selected = f.ended["selected"] if f.ended else None
    if selected is not None and selected not in f.grades:
        raise JournalError(f"{f.folder}/{GRADES}: no grade of the selected node {selected}; restore the file")
    grade = f.grades[selected] if selected is not None else None
    labels, key, sandbox, direction = run["labels"], run["key"], run["identity"]["sandbox"], direction_of(run)
    usage = sum(f.usages, Usage())
    budget = cast("Mapping[str, Any]", run["identity"].get("budget", {}))
    oracle = _oracle(f, direction)
    official = official_facts(f, selected) if selected is not None else None
    spread, reach = program_spread(f, blobs)
    again = rerun_facts(f, direction)
    return {
        "run_id": run["id"],
        "model": key["model"],
        "strategy": key["strategy"],
        "variant": key["variant"],
        "family": labels.get("family"),
        "engineer": _engineer(run["identity"].get("model", {})),
        "task": key["task"],
        "seed": key["seed"],
        "launch": None,  # no run knows it: the list of launches does, when tables are made
        "tier": labels["tier"],
        "capability": labels["capability"],
        "capability_source": labels["capability_source"],
        "suite": labels["suite"],
        "category": labels.get("category"),
        "simulated": labels["simulated"],
        "lower_is_better": labels["lower_is_better"],
        "status": _STATUS[f.ended["status"]] if f.ended else "failed",
        "ended": f.ended["status"] if f.ended else None,
        "reason": "",
        "valid": grade is not None and grade["valid"],
        "score": grade["score"] if grade else None,
        "gold": grade is not None and grade["medal"] == "gold",
        "silver": grade is not None and grade["medal"] == "silver",
        "bronze": grade is not None and grade["medal"] == "bronze",
        "above_median": grade is not None and grade["above_median"],
        "no_board": labels.get("no_board", False),
        "ungraded": labels.get("ungraded", False),
        "percentile": grade["percentile"] if grade else None,
        "official_board": board_of(f),
        "odd_score": official.odd_score or None if official else None,
        "aligned_score": official.finite_aligned_score if official else None,
        "aligned_medal": official.aligned_medal if official else None,
        "selected": selected,
        "val_selected": f.told[selected]["outcome"].get("score") if selected is not None else None,
        "test_selected": grade["score"] if grade else None,
        "test_oracle": oracle["score"] if oracle else None,
        "medal_oracle": oracle is not None and oracle["medal"] != "none",
        "improvement_rate": improvement_rate(f, direction),
        "direction_accuracy": direction_accuracy(f, direction),
        "program_spread": spread,
        "program_reach": reach,
        "fresh_splits": again.splits if again else None,
        "val_first": again.validation if again else None,
        "fresh_first": again.fresh if again else None,
        "test_first": again.test if again else None,
        "choice_noise": again.by_noise if again else None,
        "charged_s": f.charged_us / MICROSECONDS,
        "wait_s": usage.wait_us / MICROSECONDS,
        "real_s": f.real_us / MICROSECONDS,
        "program_s": f.seconds("wall_us"),
        "program_cpu_s": f.seconds("cpu_us"),
        "gpu_h": f.seconds("gpu_us") / 3600,
        "gpu_wait_s": f.seconds("gpu_wait_us"),
        "cost_usd": _usd(usage),
        "tokens_in": usage.input_tokens,
        "tokens_out": usage.output_tokens,
        "n_calls": usage.calls,
        "n_executions": f.n_executions,
        "n_sample_runs": len(f.sample_runs),
        "n_sample_failures": sum(map(not_passed, f.sample_runs.values())),
        "sample_run_s": sum(e["result"]["wall_us"] for e in f.sample_runs.values()) / MICROSECONDS,
        "steps": sum(e["outcome"]["op"] in PROGRAMS for e in f.told.values()),
        "budget_steps": budget.get("steps"),
        "budget_time_s": budget.get("time_s"),
        "budget_usd": budget.get("cost_usd"),
        "budget_tokens": budget.get("tokens"),
        "validation": labels["validation"],
        "promises": ",".join(sandbox.get("promises", ())),
        "rung": sandbox.get("rung"),
        "environment": sandbox.get("environment"),
        "model_answered": ",".join(sorted({c["model"] for c in f.calls if c["type"] != "embedded"})),
        "hardware": _hardware(run["identity"]),
    }


def node_rows(
    f: FoldedRun,
    run_id: str,
    direction: Direction,
    *,
    ranked: bool = True,
    all_graded: bool = True,
    simulated: bool = False,
) -> list[NodeRow]:
    """The run's rows of the table of nodes.

    Args:
        f: the run, folded.
        run_id: of it.
        direction: of its metric.
        ranked: whether its task has a board.
        all_graded: whether all valid nodes have a test grade, and not only what was run on the full data.
        simulated: whether a simulated engineer answered.
    """
    usage: dict[int, list[Usage]] = {}
    for c, u in zip(f.calls, f.usages, strict=True):
        usage.setdefault(c["id"], []).append(u)
    rows: list[NodeRow] = []
    total = Usage()
    best: float | None = None
    for id, e in f.told.items():
        total = sum(usage.get(id, []), total)
        o, p = e["outcome"], f.asked[id]["p"]
        if o["op"] not in PROGRAMS:
            continue
        score = valid_score(f, id)
        verdict = f.verdicts.get(id, "")
        if score is not None and verdict != "void" and (best is None or direction.better(score, best)):
            best = score
        grade = f.grades.get(id)
        rows.append(
            {
                "run_id": run_id,
                "proposal": id,
                "step": len(rows) + 1,
                "op": o["op"],
                "trace": p.get("trace", 0),
                "base": p.get("base"),
                "parents": ",".join(map(str, p.get("parents", ()))),
                "status": o["status"],
                "failed_on_sample": id in f.sample_runs and not_passed(f.sample_runs[id]),
                "reason": _why_failed(f, id),
                "verdict": verdict,
                "t_charged_s": e["t"] / MICROSECONDS,
                "cum_tokens": total.tokens,
                "cum_usd": _usd(total),
                "val_score": score,
                "test_score": grade["score"] if grade else None,
                "medal": _medal(grade, known=all_graded or score is None) if ranked else None,
                "above_median": grade["above_median"] if grade and ranked else False,
                "percentile": grade["percentile"] if grade and ranked else None,
                "valid": score is not None,
                "best_so_far": best,
                "simulated": simulated,
            }
        )
    return rows


def _medal(grade: GradeLine | None, *, known: bool) -> str | None:
    """The medal of a node; None where its test score is not known."""
    if grade is not None:
        return grade["medal"]
    return "none" if known else None


def _why_failed(f: FoldedRun, id: int) -> str:
    """Why a program counts as failed: what its telling says, else what ended it, else what its reply lacked."""
    told, ran = f.told[id], f.last_run(id)
    if told["outcome"]["status"] == Status.OK.value:
        return ""
    if "problem" in told:
        return told["problem"]
    return told["outcome"].get("lesson", "") if ran is None else ran["result"].get("reason", "")


def call_rows(f: FoldedRun, run_id: str, *, simulated: bool = False) -> list[CallRow]:
    """The run's rows of the table of calls.

    Args:
        f: the run, folded.
        run_id: of it.
        simulated: whether a simulated engineer answered.
    """
    rows: list[CallRow] = []
    for c, u in zip(f.calls, f.usages, strict=True):
        rows.append(
            {
                "run_id": run_id,
                "proposal": c["id"],
                "op": "embed" if c["type"] == "embedded" else c["op"],
                "attempt": 0 if c["type"] == "embedded" else c["attempt"],
                "tokens_in": u.input_tokens,
                "tokens_out": u.output_tokens,
                "cost_usd": _usd(u),
                "service_s": u.service_us / MICROSECONDS,
                "model_answered": None if c["type"] == "embedded" else c["model"],
                "simulated": simulated,
            }
        )
    return rows


def _usd(usage: Usage) -> float | None:
    return None if usage.cost_nusd is None else usage.cost_nusd / NANODOLLARS


def _oracle(f: FoldedRun, direction: Direction) -> GradeLine | None:
    """The grade of the node that is best on the test set, void ones left out; of equal ones, the first."""
    best: tuple[float, GradeLine] | None = None
    for id, grade in f.grades.items():
        score = grade["score"]
        counts = id in f.told and f.verdicts.get(id) != "void"
        if counts and score is not None and (best is None or direction.better(score, best[0])):
            best = score, grade
    return None if best is None else best[1]


def _engineer(model: Mapping[str, Any]) -> str | None:
    """The parameters of a simulated engineer as JSON, its capability aside; None of another model."""
    if model.get("kind") != "simulated":
        return None
    return json.dumps({name: model[name] for name in sorted(model) if name not in _NO_PARAMETERS})


def _hardware(identity: Identity) -> str:
    limits = identity["limits"]
    gpu = devices.describe(identity["sandbox"])
    return f"{limits['cpu_count']} CPU, {limits['memory_bytes'] / 2**30:g} GiB" + (f", {gpu}" if gpu else "")
