"""What the commands do."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlesearch.cli.lists import experiments, models, strategies, tasks

if TYPE_CHECKING:
    from mlesearch.config.compose import Launch
    from mlesearch.config.plan import StudyPlan
    from mlesearch.study.fold import ProgramTime
    from mlesearch.study.launch import RunReport

SHOWN = 10
"""So many runs are named, where more are missing."""

# run


def run(args: Namespace) -> int:
    """Check a launch as a whole, hand it to Hydra, and say what came of it."""
    from mlesearch.cli import confirm as costs
    from mlesearch.config import compose
    from mlesearch.config import plan as config
    from mlesearch.study.fold import program_time

    launch = compose.jobs(compose.expand(args.overrides), args.multirun)
    plan = config.plan([j.settings for j in launch.jobs])
    finished = sum(s == "finished" for s in plan.states.values())
    print(f"study {plan.header['name']}: {len(plan.runs)} runs, {finished} of them finished, in {_shown(plan.folder)}")
    for why in sorted({str(r.labels["sandbox_why"]) for r in plan.runs}):
        print(f"sandbox: {why}")
    if args.check:
        print("all of it can run; nothing was run or written (--check)")
        return 0
    if not costs.confirmed(plan, args.yes):
        print("nothing was run or written", file=sys.stderr)
        return 1
    begun = [r.folder for r in plan.runs if plan.states[r.key] not in ("new", "finished")]
    before, began_s = program_time(begun), time.monotonic()
    reports, here = _launch(launch, plan)
    launch_s = time.monotonic() - began_s
    failed = [r for r in reports if r.status == "failed"]
    for line in _failures(failed):
        print(line, file=sys.stderr)
    unpaid = [r for r in reports if r.status == "unpaid"]
    for line in _unpaid(unpaid, len(plan.runs)):
        print(line, file=sys.stderr)
    if len(plan.runs) == 1:
        _say_run(plan.runs[0].folder)
    else:
        _say_study(plan.folder)
    unfinished = [r.folder for r in plan.runs if plan.states[r.key] != "finished"]
    if here and unfinished:
        print(_own_time(before, program_time(unfinished), launch_s, _side_by_side(plan, len(unfinished))))
    if any(r.status == "interrupted" for r in reports):
        print("stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 1 if failed or unpaid else 0


def estimate(args: Namespace) -> int:
    """Say what a launch would take."""
    from mlesearch.cli import confirm as costs
    from mlesearch.cli.terminal import table
    from mlesearch.config import compose
    from mlesearch.config import plan as config
    from mlesearch.study import estimate as room

    launch = compose.jobs(compose.expand(args.overrides), args.multirun)
    plan = config.plan([j.settings for j in launch.jobs], keys=False)
    found = costs.of(plan, [Path(p) for p in args.like])
    if not found.rows:
        print("nothing is left to run")
        return 0
    table(room.table(found))
    print("\n".join(costs.say(found, plan, args.gpus, _side_by_side(plan, len(plan.runs)))))
    return 0


def _unpaid(reports: Sequence[RunReport], planned: int) -> list[str]:
    """Which runs a spent budget left unfinished, and why."""
    if not reports:
        return []
    reasons = sorted({r.reason for r in reports})
    names = ", ".join(r.run_id for r in reports[:SHOWN])
    more = f" and {len(reports) - SHOWN} more" if len(reports) > SHOWN else ""
    return [f"stopped: {reasons[0]}", f"missing: {len(reports)} of {planned} runs: {names}{more}"]


def _failures(failed: Sequence[RunReport]) -> list[str]:
    """One line a reason: a refused key ends all runs of its model alike."""
    by_reason: dict[str, list[str]] = {}
    for r in failed:
        by_reason.setdefault(r.reason, []).append(r.run_id)
    more = {reason: f" and {len(ids) - 1} more" if len(ids) > 1 else "" for reason, ids in by_reason.items()}
    return [f"failed: {ids[0]}{more[reason]}: {reason}" for reason, ids in by_reason.items()]


def _side_by_side(plan: StudyPlan, runs: int) -> int:
    """Programs that a launch of this many runs on this machine may have running at once."""
    settings = plan.runs[0].settings
    jobs = (os.cpu_count() or 1) if settings.launcher.n_jobs == -1 else settings.launcher.n_jobs
    return min(runs, jobs) * settings.run.workers


def _own_time(before: ProgramTime, after: ProgramTime, launch_s: float, side_by_side: int) -> str:
    """What the programs of a launch took themselves, against what the launch took."""
    programs, run_s = after.programs - before.programs, after.run_s - before.run_s
    text = f"{programs:,} programs ran for {run_s:,.1f} s ({after.cpu_s - before.cpu_s:,.1f} s of processors)"
    text += f", at most {side_by_side} at a time; the launch took {launch_s:,.1f} s"
    if run_s <= 0:
        return text
    return f"{text}, {launch_s * side_by_side / run_s:.2f} times what the programs alone would have"


def _launch(launch: Launch, plan: StudyPlan) -> tuple[list[RunReport], bool]:
    """Write the study's header, then let Hydra run every cell; see `_hydra`."""
    from mlesearch.config.build import make_sandbox, reset_breakers
    from mlesearch.storage import layout as study
    from mlesearch.study.launch import stoppable
    from mlesearch.study.progress import Progress

    make_sandbox(plan.runs[0].settings).reap_orphans()
    study.open_study(plan.folder, plan.header)
    reset_breakers(plan.runs[0].settings)
    study.note_launch(plan.folder, [r.key for r in plan.runs])
    stop_file = plan.folder / f".stop-{os.getpid()}"
    finished = sum(s == "finished" for s in plan.states.values())
    for r in plan.runs:
        if plan.states[r.key] == "failed":
            (r.folder / "result.json").unlink(missing_ok=True)
    with stoppable(stop_file, lambda text: print(text, file=sys.stderr)), Progress(plan.runs, finished):
        return _hydra(launch, plan, stop_file)


def _hydra(launch: Launch, plan: StudyPlan, stop_file: Path) -> tuple[list[RunReport], bool]:
    """Hand over to Hydra's own main; its task function never raises.

    Hydra's own launcher runs job after job in this process. There the first job carries out the runs of all of them, so
    that no processor idles while a cell's last run ends. Other launchers send each job to a place of its own.

    Returns:
        The reports, and whether all ran on this machine in one pool.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig

    from mlesearch.config import compose
    from mlesearch.config import plan as config
    from mlesearch.study.launch import run_cell

    reports: list[RunReport] = []
    here = False

    def task(cfg: object) -> None:
        nonlocal here
        settings = compose.to_settings(cfg)
        if here:
            return
        here = HydraConfig.get().runtime.choices.get("hydra/launcher") == "basic"
        runs = plan.runs if here else config.plan([settings]).runs
        reports.extend(run_cell(runs, settings.launcher.n_jobs, stop_file))

    argv = sys.argv
    sys.argv = ["mlesearch", *(["-m"] if launch.sweep else []), *launch.overrides]
    try:
        compose.register()
        hydra.main(version_base="1.3", config_path=f"pkg://{compose.CONFIG_MODULE}", config_name="config")(task)()
    finally:
        sys.argv = argv
    return reports, here


def _say_run(folder: Path) -> None:
    from mlesearch.storage.files import read_json
    from mlesearch.study.progress import describe

    if (folder / "result.json").exists() and read_json(folder / "result.json")["status"] != "failed":
        print(f"{describe(folder)}\nsee it with: mlesearch show {_shown(folder)} --best")


def _say_study(folder: Path) -> None:
    """Tables, medal table, report."""
    print(_report(folder, None))


def _report(folder: Path, out: Path | None) -> str:
    from mlesearch.analysis.report import write_report
    from mlesearch.analysis.tables import read
    from mlesearch.analysis.terminal import medal_table
    from mlesearch.study.collect import collect

    collect(folder)
    path = write_report(folder, out)
    return f"{medal_table(read(folder))}\nreport: {_shown(path)}"


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


# reading


def show(args: Namespace) -> int:
    """Print a run's tree, or one node of it."""
    from mlesearch.cli import show as room

    folder = Path(args.run)
    if args.best or args.node is not None or args.code:
        print(room.node(folder, args.node, code_only=args.code), end="")
    else:
        print(room.tree(folder), end="")
    return 0


def verify(args: Namespace) -> int:
    """Replay a journal against a new strategy."""
    from mlesearch.study.verify import verify_run

    decisions = verify_run(Path(args.run))
    print(f"{decisions} decisions, all the same")
    return 0


def collect(args: Namespace) -> int:
    """Write the tables."""
    from mlesearch.study.collect import collect as write

    folder = write(Path(args.study))
    print("\n".join(_shown(folder / f"{name}.parquet") for name in ("runs", "nodes", "calls")))
    return 0


def report(args: Namespace) -> int:
    """Write the tables and the report."""
    print(_report(Path(args.study), Path(args.out) if args.out else None))
    return 0


# the machine


def doctor(args: Namespace) -> int:
    """Print what is there and what is lacking, each line as soon as it is known."""
    from mlesearch.cli import doctor as room
    from mlesearch.types import Level

    print(room.versions(), flush=True)
    lacking = 0
    for finding in room.examine():
        print(room.line(finding), flush=True)
        lacking += finding.level is Level.ERROR
    print(f"{lacking} lacking: see the arrows above" if lacking else "all that is needed is there")
    return 1 if lacking else 0


def sandbox(args: Namespace) -> int:
    """Check, bench, build."""
    if args.action == "build":
        from mlesearch.sandbox.rungs.docker_image import build

        name = build(args.cuda, base=args.base)
        named = f" sandbox.params.image={name}" if args.cuda or args.base is not None else ""
        print(f"{name} is ready; use it with: sandbox=docker{named}")
        return 0
    from mlesearch.cli import sandbox as machine

    params = {} if args.image is None else {"image": args.image}
    return machine.check(args.rungs, params) if args.action == "check" else machine.bench(args.rungs, params)


def replay(args: Namespace) -> int:
    """Replay a recorded study and say whether it came out the same."""
    from mlesearch.study import replay as rerun
    from mlesearch.study.launch import run_cell, stoppable

    study = Path(args.study)
    out = Path(args.out) if args.out else study.with_name(f"{study.absolute().name}-replay")
    began_s = time.monotonic()
    plan = rerun.plan_replay(study, out, *_stores(args))
    rerun.begin(study, out, plan.unfinished)
    stop_file = out / f".stop-{os.getpid()}"
    with stoppable(stop_file, lambda text: print(text, file=sys.stderr)):
        reports = run_cell(plan.runs, args.jobs, stop_file)
    took_s = time.monotonic() - began_s
    failed = [r for r in reports if r.status == "failed"]
    for r in failed:
        print(f"failed: {r.run_id}: {r.reason}", file=sys.stderr)
    same = sum(r.status not in ("failed", "interrupted") for r in reports)
    print(
        f"{same} of {len(plan.runs)} runs came out the same, event by event, in {_shown(out)}: {plan.calls:,} calls "
        f"and {plan.executions:,} executions from the stores; {len(plan.unfinished)} unfinished runs were taken over"
    )
    print(f"recorded in {plan.recorded_s:,.1f} s of runs, replayed in {took_s:,.2f} s")
    return 1 if failed else 0 if same == len(plan.runs) else 130


def cassette(args: Namespace) -> int:
    """Export, import, verify."""
    from mlesearch.study import archive
    from mlesearch.study.verify import find_damage

    if args.action == "export":
        print(f"{_shown(Path(args.file))}: {archive.export(Path(args.study), Path(args.file), *_stores(args))}")
        return 0
    if args.action == "import":
        print(f"{_shown(Path(args.study))}: {archive.unpack(Path(args.file), Path(args.study), args.form)}")
        return 0
    contents, wrong = find_damage(Path(args.path))
    print("\n".join(wrong), end="\n" if wrong else "", file=sys.stderr)
    print(f"{args.path}: {contents}; {len(wrong)} faults")
    return 1 if wrong else 0


def _stores(args: Namespace) -> tuple[Path | None, Path | None]:
    """Where calls and executions are, if not in the study's folder."""
    cassette, executions = (None if p is None else Path(p) for p in (args.cassette, args.executions))
    return cassette, executions


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "run": run,
    "estimate": estimate,
    "show": show,
    "verify": verify,
    "collect": collect,
    "report": report,
    "doctor": doctor,
    "sandbox": sandbox,
    "replay": replay,
    "cassette": cassette,
    "tasks": tasks,
    "models": models,
    "strategies": strategies,
    "experiments": experiments,
}
