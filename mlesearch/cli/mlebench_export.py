"""`mlesearch mlebench export`: a study as MLE-bench's run groups, with what a published result has to disclose."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.export_page import DONE, disclosure_page
from mlesearch.cli.terminal import shown
from mlesearch.config.parts.mlebench import GraderRequest
from mlesearch.storage.documents import BEST, RUN, best_so_far, finished_row, read_run, read_study
from mlesearch.storage.layout import RunKey, declared, run_folders, slug
from mlesearch.study.archive.disclosure import disclosure_of
from mlesearch.study.output import complain, say
from mlesearch.tasks.mlebench.facts import table
from mlesearch.tasks.mlebench.run_groups import (
    RUNS,
    ExportedGroup,
    ExportedRun,
    ReportNames,
    begin_export,
    write_groups,
    write_split,
)
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.types import ConfigError

NAMED = 4
"""So many runs are named in a refusal."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """The runs of one model, strategy and variant.

    Attributes:
        id: for run_group_experiments.csv.
        key: of any of its runs; it names model, strategy and variant.
        runs: by seed, then by competition: the folder of each; None where it was never begun.
    """

    id: str
    key: RunKey
    runs: Mapping[int, Mapping[str, Path | None]]

    @property
    def competitions(self) -> list[str]:
        """All of them, sorted."""
        return sorted({name for group in self.runs.values() for name in group})

    @property
    def folders(self) -> list[Path]:
        """Of the runs that were begun."""
        return [folder for group in self.runs.values() for folder in group.values() if folder is not None]


def export(args: Namespace) -> int:
    """Write a study's runs on competitions as run groups, graded anew by MLE-bench's own package."""
    study, target = Path(args.study), Path(args.to)
    header = read_study(study)
    experiments = _experiments(study, args.name or header["name"])
    groups = {e.id: _seeds(e, refuse=args.unfinished == "refuse") for e in experiments}
    request = GraderRequest.of(MlebenchTerms(data_dir=args.data, python=args.python))
    begin_export(target)
    names, done, pages = ReportNames(), list[ExportedGroup](), []
    with request.open() as graders:
        for line in graders.hello().warnings(tuple(sorted({c for e in experiments for c in e.competitions}))):
            complain(f"warning: {line}")
        for e in experiments:
            written = []
            for group in write_groups(target, e.id, groups[e.id], partial(graders.grade, aligned=False), names):
                _say(group)
                written.append(group)
            pages.append(_facts(target, e, written))
            done += written
    (target / "DISCLOSURE.md").write_text("\n".join(pages), encoding="utf-8")
    say(DONE.format(folder=shown(target), runs=shown(target / RUNS)))
    failed = sum(len(group.failed) for group in done)
    if failed:
        complain(f"{plural(failed, 'report')} missing; MLE-bench's script takes what is there with --pad-missing")
    return 1 if failed or any(group.differing for group in done) else 0


def _facts(target: Path, e: Experiment, groups: Sequence[ExportedGroup]) -> str:
    """Write the split of an experiment, and what its runs recorded as JSON; returns the same as a page."""
    split, disclosed = write_split(target, e.id, e.competitions), disclosure_of(e.folders)
    seeds = dict(zip(sorted(e.runs), (group.name for group in groups), strict=True))
    text = json.dumps({"experiment": e.id, "seeds": seeds, "disclosure": disclosed.to_json()}, indent=1)
    (target / f"{e.id}.json").write_text(f"{text}\n", encoding="utf-8")
    say(f"{e.id}: to aggregate with MLE-bench's script: --experiment-id {e.id} --split {split.absolute()}")
    return disclosure_page(e.id, e.key, groups, e.competitions, disclosed)


def _say(group: ExportedGroup) -> None:
    """Say what a group holds, what has no report, and what is graded otherwise than in its run."""
    say(_said(group))
    for competition, why in group.failed.items():
        complain(f"no report of {competition} in {group.name}: {why}")
    for line in group.differing:
        complain(f"graded otherwise: {line}")


def _said(group: ExportedGroup) -> str:
    reports = group.reports.values()
    medals, submitted = sum(r.any_medal for r in reports), sum(r.submission_exists for r in reports)
    return (
        f"{group.name}: {plural(len(reports), 'report')}, {plural(submitted, 'submission')}, {plural(medals, 'medal')}"
    )


def _experiments(study: Path, name: str) -> list[Experiment]:
    """The study's runs on competitions, by model, strategy and variant.

    Raises:
        ConfigError: there are none.
    """
    places = {study / key.id: key for key in declared(study)}
    for folder in run_folders(study):
        places.setdefault(folder, RunKey(**read_run(folder)["key"]))
    cells: dict[str, dict[int, dict[str, Path | None]]] = {}
    keys: dict[str, RunKey] = {}
    others: set[str] = set()
    for place, key in places.items():
        begun = (place / RUN).is_file()
        if not ("mlebench" in read_run(place)["identity"] if begun else key.task in table()):
            others.add(key.task)
            continue
        keys.setdefault(key.cell, key)
        cells.setdefault(key.cell, {}).setdefault(key.seed, {})[key.task] = place if begun else None
    if not cells:
        raise ConfigError(
            f"{study}: no run of it is on a competition of MLE-bench (tasks=[mlebench:NAME]); nothing to export"
        )
    if others:
        complain(f"left out, as they are no competitions of MLE-bench: {', '.join(sorted(others))}")
    return [
        Experiment(slug(name) if len(cells) == 1 else f"{slug(name)}+{cell.replace('/', '+')}", keys[cell], cells[cell])
        for cell in sorted(cells)
    ]


def _seeds(experiment: Experiment, *, refuse: bool) -> list[list[ExportedRun]]:
    """The runs of each seed, in the order of the seeds; a competition that a seed lacks has no submission.

    Raises:
        ConfigError: a run has no result and is to be refused, or its submission is not here.
    """
    competitions = experiment.competitions
    unfinished = [
        f"{competition}, seed {seed}"
        for seed, group in sorted(experiment.runs.items())
        for competition in competitions
        if (folder := group.get(competition)) is None or finished_row(folder) is None
    ]
    if unfinished and refuse:
        shown_ids = "; ".join(unfinished[:NAMED]) + ("; ..." if len(unfinished) > NAMED else "")
        raise ConfigError(
            f"{experiment.id}: {plural(len(unfinished), 'run')} without a result ({shown_ids}); launch the same "
            "command again, or export them without a submission, as failures: --unfinished null"
        )
    return [
        [_exported(competition, group.get(competition)) for competition in competitions]
        for _, group in sorted(experiment.runs.items())
    ]


def _exported(competition: str, folder: Path | None) -> ExportedRun:
    row = None if folder is None else finished_row(folder)
    if folder is None or row is None or row["selected"] is None:
        return ExportedRun(competition, None, None)
    best, kept = folder / "best", best_so_far(folder)
    if not row["valid"] and not (best / "submission.csv").is_file():
        return ExportedRun(competition, None, None)
    if kept != row["selected"] or not (best / "submission.csv").is_file():
        what = f"its {BEST} is of node {kept}" if kept is not None else "there is no folder best in it"
        raise ConfigError(
            f"{folder}: the submission of the selected node {row['selected']} is not here ({what}); a study that was "
            "imported has none: export where it was run"
        )
    medal = next((name for name in ("gold", "silver", "bronze") if row[name]), "none")
    return ExportedRun(competition, best / "submission.csv", best / "solution.py", (row["score"], medal))
