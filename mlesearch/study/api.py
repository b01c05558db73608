"""The Python interface: what `import mlesearch as ml` offers. docs/python_api.md says what of it is stable.

It checks, writes and reads what the command line does: a study begun by one is gone on with by the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from mlesearch.config.loading.plain import Given, cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning import plan as planning
from mlesearch.config.planning.checks import LOCAL
from mlesearch.config.planning.plan import StudyPlan
from mlesearch.config.planning.preflight import preflight, refuse_faults
from mlesearch.config.settings import Settings
from mlesearch.storage.documents import read_study
from mlesearch.study.archive import replay as replays
from mlesearch.study.estimates.estimate import Estimate, estimate_plan, spends
from mlesearch.study.launches.interrupt import stop_file_of, stoppable
from mlesearch.study.launches.launch import begin, run_cell
from mlesearch.study.launches.left_out import without_left_out
from mlesearch.study.monitoring.progress import Progress
from mlesearch.study.output import complain
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.tables.collect import collect, collect_for_report, tables
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from mlesearch.analysis.data.policies import Policy


@dataclass(frozen=True, slots=True)
class LaunchReport:
    """What came of a launch or a replay.

    Attributes:
        folder: of the study.
        runs: one report a run that was asked for: its id, its status, and why where it is not `ok`.
    """

    folder: Path
    runs: tuple[RunReport, ...]

    @property
    def complete(self) -> bool:
        """Whether every run has a result, of this launch or of an earlier one; a replay: whether all came out alike."""
        return not any(r.status in ("failed", "interrupted", "unpaid", "missing", "lost") for r in self.runs)


@dataclass(frozen=True, slots=True, eq=False)
class StudyTables:
    """A study as it stands on disk.

    Attributes:
        folder: of the study.
        header: of study.json: `name`, the frozen `claim` (or None), versions.
        runs: one row a run that any launch asked for; `run_id`, `model`, `strategy`, `task`, `seed`, `status`, ...
        nodes: one row a program.
        calls: one row a model call.
    """

    folder: Path
    header: Mapping[str, object]
    runs: pd.DataFrame
    nodes: pd.DataFrame
    calls: pd.DataFrame


def settings(**given: Unpack[Given]) -> Settings:
    """The settings of one cell.

    Args:
        **given: see `Given`.

    Raises:
        ConfigError: something is unknown or of the wrong type, or a list makes several cells; in one line.
    """
    made = cells(given)
    if len(made) > 1:
        raise ConfigError(f"settings: these are {len(made)} cells; give one model, one strategy and one variant")
    return made[0]


def plan(*chosen: Settings, **given: Unpack[Given]) -> StudyPlan:
    """Check a launch as a whole, as `mlesearch run --check` does; nothing is run or written.

    Args:
        *chosen: cells, made by `settings`; none: those that `given` says.
        **given: see `Given`; only where there are no cells.

    Returns:
        All runs of the launch, and by the key of each what its folder holds: new, begun, failed or finished.

    Raises:
        ConfigError: the first thing that can't work, in one line.
    """
    with ProcessResources() as resources:
        return planning.plan(_cells(chosen, given), resources)


def estimate(*chosen: Settings, like: Sequence[str | Path] = (), **given: Unpack[Given]) -> Estimate:
    """What a launch would take: calls, tokens, US dollars, GPU hours and time; no key is needed.

    Args:
        *chosen: as in `plan`.
        like: folders of studies in whose runs to measure, beside its own.
        **given: as in `plan`.

    Raises:
        ConfigError: as in `plan`.
    """
    with ProcessResources() as resources:
        planned = planning.plan(_cells(chosen, given), resources, keys=False, on="workers")
        return estimate_plan(planned, resources, [Path(path) for path in like])


def run(
    *chosen: Settings,
    confirmed: bool = False,
    progress: bool = False,
    left_out: bool = False,
    **given: Unpack[Given],
) -> LaunchReport:
    """Check a launch as a whole and carry it out: a finished run is skipped, a begun or failed one goes on.

    Several runs are carried out in processes of their own, `launcher.n_jobs` at a time. Ctrl-C (interrupting the
    kernel of a notebook) once lets what is in flight finish; twice stops at once. Nothing that was journaled is lost.

    Args:
        *chosen: as in `plan`.
        confirmed: run it though it is estimated to cost more than `budget.confirm_usd`.
        progress: show a bar, or one line a finished run where there is no terminal.
        left_out: carry out runs, too, that the study leaves out by design; else they stay out.
        **given: as in `plan`.

    Returns:
        What became of each run. A run that fails raises nothing.

    Raises:
        ConfigError: as in `plan`, a task fails its preflight, or it costs too much.
    """
    made = _cells(chosen, given)
    if elsewhere := next((s.launcher.backend for s in made if s.launcher.backend != LOCAL), ""):
        raise ConfigError(f"launcher.backend: workers on {elsewhere} are started by the command line: mlesearch run")
    with ProcessResources() as resources:
        planned = planning.plan(made, resources)
        if not left_out:
            planned = without_left_out(planned, "left_out=True", complain)
        found = preflight(planned, resources)
        for told in found:
            if not told.known:
                complain(str(told))
        refuse_faults(found, made)
        if not confirmed:
            _check_cost(planned, resources)
        number = begin(planned, resources)
        stop_file = stop_file_of(planned.folder)
        launcher = made[0].launcher
        with stoppable(stop_file, complain, launcher.grace_s):
            beside = Progress(planned.runs) if progress else nullcontext()
            reports = run_cell(planned.runs, launcher.n_jobs, stop_file, resources, number=number, beside=beside)
    return LaunchReport(planned.folder, tuple(reports))


def read(study: str | Path) -> StudyTables:
    """A study's header, runs, nodes and calls as they stand on disk now; nothing is written.

    Raises:
        ConfigError: there is no study in this folder.
        JournalError: a run's journal is corrupt.
    """
    folder = Path(study)
    runs, nodes, calls = tables(folder)
    return StudyTables(folder, read_study(folder), runs, nodes, calls)


def report(study: str | Path, out: str | Path | None = None, missing: Policy | None = None) -> Path:
    """Write a study's tables and its report (HTML); returns where the report is.

    Of a study of which a planned run was not made, the report is how far it is, with no verdict.

    Args:
        study: its folder.
        out: where the report goes; None: `report.html` in the study's folder.
        missing: what is done with runs without a result: `fail` (one that failed is without success), `drop_task` or
            `drop_seed`. None: `fail`, once all planned runs were made. Where it is named, an unfinished study is
            analysed too, and nothing in it is confirmatory.

    Raises:
        ConfigError: there is no study in this folder, or its tables are refused.
        JournalError: a run's journal is corrupt.
    """
    from mlesearch.analysis.report import report_place, write_report

    page = report_place(Path(study), out)
    return write_report(collect_for_report(Path(study), page), page, missing)


def results(study: str | Path, missing: Policy | None = None) -> dict[str, pd.DataFrame]:
    """The numbers of a study's report as data frames: its tables are written, its report is not.

    Args:
        study: its folder.
        missing: what is done with runs that have no result: `fail`, `drop_task` or `drop_seed` (docs/statistics.md);
            None: `fail`, and an unfinished study has its progress and costs alone.

    Returns:
        By name: `rates`, `gaps`, `gaps_by_task`, `capability`, `crossover`, `cost`, `dynamics`, ..., those that the
        study has. They are the files in `report_tables`: unrounded, rates as fractions; simulated ones say so.

    Raises:
        ConfigError: there is no study in this folder, its tables are refused, or the policy is unknown.
        JournalError: a run's journal is corrupt.
    """
    from mlesearch.analysis.data.tables import read as read_tables
    from mlesearch.analysis.report import all_frames
    from mlesearch.analysis.results import analyse

    return all_frames(analyse(read_tables(collect(Path(study))), missing))


def replay(
    study: str | Path,
    out: str | Path | None = None,
    *,
    cassette: str | Path | None = None,
    executions: str | Path | None = None,
    n_jobs: int = 1,
    trust: bool = False,
    own_tasks: Sequence[str] = (),
) -> LaunchReport:
    """Replay a recorded study from its journals and stores: nothing is called or executed.

    Args:
        study: its folder.
        out: where the replayed study goes; None: beside it, with `-replay` to its name.
        cassette: where the model calls are, if not in the study's folder.
        executions: likewise, the executions.
        n_jobs: processes; -1: one per processor.
        trust: whether tasks may be loaded that came with the study, and their graders run.
        own_tasks: folders of one's own tasks, which are used wherever they are those of the study.

    Returns:
        What became of each run that had ended: `failed` where it came out otherwise. Runs that had not are taken over.

    Raises:
        ConfigError: there is no study, it was not recorded, or its runs would be other runs here.
    """
    folder = Path(study)
    place = folder.with_name(f"{folder.absolute().name}-replay") if out is None else Path(out)
    stores = (None if path is None else Path(path) for path in (cassette, executions))
    with ProcessResources() as resources:
        planned = replays.plan_replay(folder, place, resources, *stores, trust=trust, own_tasks=own_tasks)
        replays.begin(folder, place, planned.unfinished)
        stop_file = stop_file_of(place)
        with stoppable(stop_file, complain):
            reports = run_cell(planned.runs, n_jobs, stop_file, resources)
    return LaunchReport(place, tuple(reports))


def _cells(chosen: Sequence[Settings], given: Given) -> list[Settings]:
    if chosen and given:
        raise ConfigError(f"{min(given)}: give cells, or what they are made of, and not both")
    return list(chosen) or cells(given)


def _check_cost(planned: StudyPlan, resources: ProcessResources) -> None:
    """Refuse what is estimated to cost more than `budget.confirm_usd`."""
    limit_usd = planned.runs[0].settings.budget.confirm_usd
    if limit_usd is None or not any(spends(r.settings) for r in planned.runs):
        return
    found = estimate_plan(planned, resources)
    if found.exceeds(limit_usd):
        cost = "an unknown sum (a price is not known)" if found.usd is None else f"USD {found.usd:,.2f}"
        raise ConfigError(
            f"budget.confirm_usd: this launch is estimated to cost {cost}, and more than USD {limit_usd:,.2f} needs "
            "consent: give confirmed=True to run it all the same, or see `estimate`"
        )
