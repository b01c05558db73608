"""One run for people to read: its tree, its nodes, and what models answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlesearch.cli.replies import no_such_node, reply_texts
from mlesearch.cli.terminal import shell_words
from mlesearch.storage.blobs import Blobs, output_of
from mlesearch.storage.documents import GradeLine, best_so_far, read_result, read_run
from mlesearch.storage.events import SampleRan, not_passed
from mlesearch.storage.nouns import OutcomeJson, ResultJson
from mlesearch.study.runs.fold import FoldedRun, check_run_folder, fold
from mlesearch.study.runs.official_reports import node_line, official_lines
from mlesearch.study.runs.unusable import count, reason
from mlesearch.types import ConfigError, Status

_ENDS = {
    "completed": "the steps of the budget were spent",
    "budget": "what came next fitted no more into the budget, which ended the run",
    "real_time": "budget.real_time_s was over, which ended the run",
}
"""What ends a run while something is under way, by its status."""


def tree(folder: Path) -> str:
    """One line a proposal, in the order of telling, the selected one marked.

    Raises:
        ConfigError: no run is in this folder.
    """
    check_run_folder(folder)
    f = fold(folder)
    selected = _selected(f)
    head = f"{'':2}{'node':>4} {'op':11} {'base':>4} {'status':18} {'validation':>11} {'test':>11}  verdict, plan"
    lines = [f"{_title(folder)}\n{head}\n"]
    for id, e in f.told.items():
        p, o = f.asked[id]["p"], e["outcome"]
        test = f.grades[id]["score"] if id in f.grades else None
        words = " ".join(x for x in (f.verdicts.get(id, ""), _first_line(o)) if x)
        lines.append(
            f"{'* ' if id == selected else '  '}{id:>4} {o['op']:11} {_dash(p.get('base')):>4} {o['status']:18} "
            f"{_number(o.get('score')):>11} {_number(test):>11}  {words}\n"
        )
    for r in f.revalidated:
        result = _number(r["score"]) if r["score"] is not None else r.get("problem") or r["result"].get("reason", "")
        lines.append(f"fresh split {r['split']}: node {r['id']} {result}\n")
    for full in f.full_runs:
        lines.append(f"all of the data: node {full['id']} {full.get('problem') or 'valid'}\n")
    return "".join(lines) + "".join(f"{line}\n" for line in _ends(folder, f, selected))


def _ends(folder: Path, f: FoldedRun, selected: int | None) -> Iterator[str]:
    """How a run ended, or what it is doing; its unusable replies by reason; what to look at next."""
    unusable, result = count(f), read_result(folder)
    yield from official_lines(f)
    if f.ended is not None:
        chosen = "no program was valid" if selected is None else f"selected: {selected}"
        yield f"ended: {f.ended['status']}; {chosen} (test scores were never seen by the search)"
    elif result is not None and result["status"] == "failed":
        yield f"failed: {result['reason']}"
        yield "the command that began it goes on with it"
    else:
        doing = "; ".join(f"{id} ({f.asked[id]['p']['op']}: {_stage(f, id)})" for id in f.asked if id not in f.told)
        yield f"not ended yet; in flight: {doing or 'nothing'}"
    if unusable.count:
        last = next(id for id in reversed(f.told) if f.told[id]["outcome"]["status"] == Status.REPLY_UNUSABLE.value)
        yield f"{unusable}; see one with: {shell_words('show', folder, '--node', str(last), '--reply')}"


def _stage(f: FoldedRun, id: int) -> str:
    """What a proposal that was not told yet waits for."""
    if id in f.executed:
        return "its program ended, its review is under way"
    if id in f.sample_runs:
        return "its program runs in full"
    calls = [call for call in f.calls if call["id"] == id]
    return "its reply came, its program runs or is next" if calls else "waiting for a reply"


def reply(folder: Path, id: int | None) -> str:
    """What models answered to one proposal, every attempt; to the last one without a usable reply where no id is given.

    Raises:
        ConfigError: no run, or no such proposal.
    """
    check_run_folder(folder)
    f = fold(folder)
    if id is None:
        failed = [i for i in f.told if f.told[i]["outcome"]["status"] == Status.REPLY_UNUSABLE.value]
        id = failed[-1] if failed else _selected(f)
    if id is None:
        id = next(reversed(f.asked), 0)
    return f"{_title(folder)}\n{_headline(f, id)}\n\n{reply_texts(folder, f, id)}"


def _headline(f: FoldedRun, id: int) -> str:
    """What a proposal was, and how it ended."""
    if id not in f.asked:
        return ""
    p = f.asked[id]["p"]
    status = f.told[id]["outcome"]["status"] if id in f.told else _untold(f, id)
    return f"node {id}: {p['op']} of {_dash(p.get('base'))}, {status}"


def _untold(f: FoldedRun, id: int) -> str:
    """Why a proposal has no outcome: it is under way, or the run has ended before it."""
    if f.ended is None:
        return f"not told yet ({_stage(f, id)})"
    why = _ENDS.get(f.ended["status"], f"the run ended ({f.ended['status']})")
    replied = any(call["id"] == id for call in f.calls)
    at = "after its program" if id in f.executed else "after its reply" if replied else "before its first reply"
    return f"never told: {why}, {at}"


def node(folder: Path, id: int | None, *, code_only: bool = False) -> str:
    """One node: plan, scores, output, program; the selected (or best so far) one where no id is given.

    Raises:
        ConfigError: no run, or no such node.
    """
    check_run_folder(folder)
    f = fold(folder)
    if id is None:
        id = _selected(f)
        if id is None:
            unusable = count(f)
            why = f" ({unusable})" if unusable.count else ""
            raise ConfigError(f"{folder}: no node is valid yet{why}; see them all with: {shell_words('show', folder)}")
    if id not in f.asked:
        raise ConfigError(no_such_node(folder, f, id))
    ran = f.last_run(id)
    if ran is None:
        if code_only:
            raise ConfigError(
                f"--node {id}: it has no program: {_headline(f, id)}; see what was answered with: "
                f"{shell_words('show', folder, '--node', str(id), '--reply')}"
            )
        return _without_program(folder, f, id)
    blobs = Blobs(folder / "blobs")
    code = blobs.get(ran["program"])
    if code_only:
        return code
    o = f.told[id]["outcome"] if id in f.told else None
    grade, result = f.grades.get(id), ran["result"]
    validation, test = o.get("score") if o else None, grade["score"] if grade else None
    problem = (f.told[id].get("problem") if o else None) or result.get("reason", "")
    parts = [
        _title(folder),
        _headline(f, id),
        f"verdict: {f.verdicts.get(id, 'none')}",
        f"validation {_number(validation)}, test {_number(test)}, {_medal(folder, grade)}",
        *([said] if (said := node_line(f, id)) else []),
        *([_sample_run(f.sample_runs[id])] if id in f.sample_runs else []),
        *([_ran(result)] if id in f.executed else []),
        *([problem] if problem else []),
    ]
    for title, text in (("plan", o.get("plan")), ("lesson", o.get("lesson"))) if o else ():
        if text:
            parts.append(f"\n{title}\n{text.strip()}")
    streams = output_of(ran, blobs)
    if streams:
        for name, stream in (("stdout", streams["stdout"]), ("stderr", streams["stderr"])):
            printed = (stream["head"] + stream["tail"]).strip()
            if printed:
                parts.append(f"\n{name}\n{printed}")
    parts.append(f"\nprogram\n{code}")
    return "\n".join(parts)


def _without_program(folder: Path, f: FoldedRun, id: int) -> str:
    """A node that has no program: a judgement, one whose reply was unusable, or one that is under way."""
    parts = [_title(folder), _headline(f, id), f"verdict: {f.verdicts.get(id, 'none')}"]
    if id in f.told:
        o = f.told[id]["outcome"]
        if o["status"] == Status.REPLY_UNUSABLE.value:
            parts.append(f"no usable reply: {reason(f, id)}")
        for key in ("plan", "lesson"):
            if text := str(o.get(key, "")).strip():
                parts.append(f"\n{key}\n{text}")
        if diagnosis := o.get("diagnosis"):
            parts.append("\ndiagnosis\n" + "\n".join(f"{key}: {value}" for key, value in diagnosis.items()))
        parts += [f"\nhypothesis\n{h['text']}" for h in o.get("hypotheses", ())]
    parts.append(f"\nsee what was answered with: {shell_words('show', folder, '--node', str(id), '--reply')}\n")
    return "\n".join(parts)


def _selected(f: FoldedRun) -> int | None:
    """The selected node, or the best so far."""
    return best_so_far(f.folder) if f.ended is None else f.ended["selected"]


def _title(folder: Path) -> str:
    run = read_run(folder)
    k = run["key"]
    simulated = " (simulated)" if run["labels"]["simulated"] else ""
    return f"{k['task']}, seed {k['seed']}: {k['strategy']}/{k['variant']} with {k['model']}{simulated}"


def _first_line(o: OutcomeJson) -> str:
    diagnosis, hypotheses = o.get("diagnosis"), o.get("hypotheses")
    if o["status"] == Status.REPLY_UNUSABLE.value:
        text = o.get("lesson", "")
    elif diagnosis:
        text = diagnosis["reason"]
    elif hypotheses:
        text = f"{len(hypotheses)} hypotheses: {hypotheses[0]['text']}"
    else:
        text = o.get("plan", "") if o["status"] == "ok" else o.get("lesson", "")
    line = text.strip().split("\n")[0]
    return line if len(line) <= 90 else line[:87] + "..."


def _ran(result: ResultJson) -> str:
    return f"ran {result['wall_us'] / 1e6:.2f} s, peak {result['peak_bytes'] / 2**20:.0f} MiB{_gpu(result)}"


def _sample_run(event: SampleRan) -> str:
    """A trial run in a line; a score that was reported there counts for nothing, and is not shown as one."""
    return f"trial run on a sample {'not passed' if not_passed(event) else 'passed'}: {_ran(event['result'])}"


def _gpu(result: ResultJson) -> str:
    if "gpu_us" not in result:
        return ""
    ran_s, waited_s = result["gpu_us"] / 1e6, result.get("gpu_wait_us", 0) / 1e6
    return f", with a GPU for {ran_s:.2f} s after waiting {waited_s:.2f} s for it"


def _medal(folder: Path, grade: GradeLine | None) -> str:
    labels = read_run(folder)["labels"]
    if labels.get("ungraded", False):
        return "ungraded"
    if labels.get("no_board", False):
        return "no board"
    return f"medal {grade['medal'] if grade else 'none'}"


def _dash(value: object) -> str:
    return "-" if value is None else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
