"""One run for people to read: its tree, and its nodes."""

from __future__ import annotations

from pathlib import Path

from mlesearch.storage.blobs import Blobs, output_of
from mlesearch.storage.documents import best_so_far, read_run
from mlesearch.storage.events import SampleRan, not_passed
from mlesearch.storage.nouns import OutcomeJson, ResultJson
from mlesearch.study.fold import PROGRAMS, FoldedRun, check_run_folder, fold
from mlesearch.types import ConfigError


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
    check_run_folder(folder)
    f = fold(folder)
    if id is None:
        id = _selected(f)
        if id is None:
            raise ConfigError(f"{folder}: no node is valid yet; see them all with: mlesearch show {folder}")
    ran = f.last_run(id)
    if ran is None:
        programs = [i for i in f.told if f.told[i]["outcome"]["op"] in PROGRAMS]
        raise ConfigError(
            f"--node {id}: no such program in this run; there are: {', '.join(map(str, programs)) or 'none'}"
        )
    blobs = Blobs(folder / "blobs")
    code = blobs.get(ran["program"])
    if code_only:
        return code
    o = f.told[id]["outcome"] if id in f.told else None
    p, grade, result = f.asked[id]["p"], f.grades.get(id), ran["result"]
    validation, test = o.get("score") if o else None, grade["score"] if grade else None
    problem = (f.told[id].get("problem") if o else None) or result.get("reason", "")
    parts = [
        _title(folder),
        f"node {id}: {p['op']} of {_dash(p.get('base'))}, {o['status'] if o else 'not told yet'}",
        f"verdict: {f.verdicts.get(id, 'none')}",
        f"validation {_number(validation)}, test {_number(test)}, medal {grade['medal'] if grade else 'none'}",
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
    if diagnosis:
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


def _dash(value: object) -> str:
    return "-" if value is None else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
