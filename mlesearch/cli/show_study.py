"""The runs of a study for people to read: what state each is in, its best program, its steps and its cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.terminal import shell_words, shown
from mlesearch.config.catalogue.groups import names
from mlesearch.config.overrides.explain import known_keys
from mlesearch.storage.cell_store import exists
from mlesearch.storage.columns import MEDALS
from mlesearch.storage.documents import BEST, RUN, STUDY, finished_row, read_result, read_run, read_study
from mlesearch.storage.file_systems import why_read_only
from mlesearch.storage.files import read_json
from mlesearch.storage.imported import read_imported
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.layout import declared, run_folders
from mlesearch.study.runs.fold import PROGRAMS, fold
from mlesearch.study.runs.unusable import count
from mlesearch.types import NANODOLLARS, ConfigError, did_you_mean

NAMED = 10
"""So many studies are named."""
_PATH = re.compile(r"[^=,'\"\[\]{}\s]*/[^=,'\"\[\]{}\s]*")
"""A word that can be nothing but a path."""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """One line of the table, with why where it is not well.

    Attributes:
        cells: by column.
        why: why it failed, or what became of its replies; empty where all is well.
    """

    cells: dict[str, str]
    why: str = ""


def study_of(folder: Path) -> Path | None:
    """The study that a folder is, or lies in; None where there is none."""
    here = folder.absolute()
    return next((place for place in (here, *here.parents) if (place / STUDY).is_file()), None)


def find_study(folder: Path) -> Path:
    """The study that a folder is, or lies in, said as it was named.

    Raises:
        ConfigError: there is none; says where there are some.
    """
    if (folder / STUDY).is_file():
        return folder
    study = study_of(folder)
    if study is None:
        raise ConfigError(f"{shown(folder)}: no study here (no {STUDY}); {_elsewhere(folder)}")
    return study


def find_study_to_change(folder: Path) -> Path:
    """As `find_study`, of a study in which something can be written.

    Raises:
        ConfigError: there is none, or it can only be read.
    """
    study = find_study(folder)
    if why := why_read_only(study):
        raise ConfigError(
            f"{shown(study)}: nothing can be written in this study ({why}); go where it can be; what works here: "
            f"{shell_words('status', study)}, {shell_words('report', study, '--out', 'DIR')}"
        )
    return study


def refuse_folder(words: Sequence[str]) -> None:
    """Refuse a folder where an experiment is named: a study is gone on with by other commands.

    Args:
        words: as they were typed behind a command.

    Raises:
        ConfigError: the first is a folder; says what to do with the study that it is, or where studies are.
    """
    word = words[0] if words else ""
    folder = Path(word)
    setting = any(key.partition(".")[0] == word for key in known_keys()) and not (folder / STUDY).is_file()
    if not word or setting or word in names("experiments") or folder.suffix in (".yaml", ".yml"):
        return
    if not (_PATH.fullmatch(word) or folder.is_dir()):
        return
    study = study_of(folder)
    if study is None:
        raise ConfigError(
            f"{word}: no study here (no {STUDY}), and no experiment is called so; {_elsewhere(folder)}; "
            "for all experiments: mlesearch experiments"
        )
    raise ConfigError(
        f"{word}: this study was launched, and its settings are kept; go on with {shell_words('resume', study)}, "
        f"or {shell_words('work', study)}, or {shell_words('submit', '--slurm', study)}"
    )


def study_lines(folder: Path) -> Iterator[str]:
    """All runs of a study, or those below a folder within it.

    Raises:
        ConfigError: there is no study here; says where there are some.
    """
    study = study_of(folder)
    if study is None:
        raise ConfigError(f"{shown(folder)}: no study and no run here; {_elsewhere(folder)}")
    header = read_study(study)
    below = [place for place in _places(study) if place.is_relative_to(folder.absolute())]
    if not below and folder.absolute() != study:
        raise ConfigError(f"{shown(folder)}: no run here; all runs of its study: {shell_words('show', study)}")
    runs = [_shown(study, place) for place in below]
    yield f"study {header['name']}: {_sums(runs)}"
    if not runs:
        return
    lines = [list(runs[0].cells), *([*r.cells.values()] for r in runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    for why in dict.fromkeys(r.why for r in runs if r.why):
        named = [str(r.cells["run"]) for r in runs if r.why == why]
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        yield f"{named[0]}{more}: {why}"
    for content in read_imported(study):
        of = ", ".join(sorted({f"{row['strategy']} with {row['model']}" for row in content["rows"]}))
        results = plural(len(content["rows"]), "result")
        yield f"imported {content['name']}: {results} of {of}; in the report, never pooled"
    yield f"one run: {shell_words('show', below[0])}"


def _places(study: Path) -> list[Path]:
    """The folders of all runs, asked for or begun, in the order of asking."""
    asked = [study / key.id for key in declared(study)]
    return list(dict.fromkeys([*asked, *run_folders(study)]))


def _shown(study: Path, place: Path) -> ShownRun:
    result = read_result(place) if exists(place / RUN) else None
    row = finished_row(place) if exists(place / RUN) else None
    state, why, steps, cost, best, test = "not begun", "", "-", "-", "-", "-"
    if row is not None:
        state, steps, cost = (
            str(row["ended"] or row["status"]),
            str(row["steps"]),
            _usd(row["cost_usd"], row["simulated"]),
        )
        medal = next((m for m in MEDALS if row[m]), "")
        best = _number(row["val_selected"])
        test = "ungraded" if row.get("ungraded", False) else " ".join(filter(None, (_number(row["score"]), medal)))
        if row["selected"] is None:
            best = "none valid"
            why = _unusable(place)
    elif exists(place / JOURNAL):
        f = fold(place)
        state = "begun" if result is None else "failed"
        steps = str(sum(e["outcome"]["op"] in PROGRAMS for e in f.told.values()))
        nusd = [call["usage"].get("cost_nusd", 0) for call in f.calls]
        usd = None if None in nusd else sum(n for n in nusd if n is not None) / NANODOLLARS
        cost = _usd(usd, read_run(place)["labels"]["simulated"])
        best = _best_so_far(place)
        why = _unusable(place)
    if result is not None and result["status"] == "failed":
        state, why = "failed", result["reason"]
    cells = {"run": str(place.relative_to(study)), "state": state, "steps": steps, "validation": best, "test": test}
    return ShownRun({**cells, "cost": cost}, why)


def _unusable(place: Path) -> str:
    """What became of a run's replies, where some could not be used."""
    found = count(fold(place)) if exists(place / JOURNAL) else None
    return str(found) if found is not None and found.count else ""


def _best_so_far(place: Path) -> str:
    if not exists(place / BEST):
        return "-"
    score = read_json(place / BEST).get("validation_score")
    return f"{_number(score)} so far"


def _sums(runs: list[ShownRun]) -> str:
    """How many runs are in which state."""
    states: dict[str, int] = {}
    for r in runs:
        states[str(r.cells["state"])] = states.get(str(r.cells["state"]), 0) + 1
    said = ", ".join(f"{n} {state}" for state, n in states.items())
    return f"{plural(len(runs), 'run')} ({said})" if runs else "no run was asked for yet"


def _elsewhere(folder: Path) -> str:
    """Where studies are, near a folder that is none."""
    places = [folder, folder / "studies", folder.parent, Path("studies")]
    found = sorted({shown(s.parent) for place in places if place.is_dir() for s in place.glob(f"*/{STUDY}")})
    if not found:
        return "name a study's folder (studies/NAME by default), or a run's in it: MODEL/STRATEGY/VARIANT/TASK/seed-N"
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return f"studies are in: {', '.join(found[:NAMED])}{more}{did_you_mean(shown(folder), found)}"


def _usd(usd: float | None, virtual: bool) -> str:
    return "unknown" if usd is None else f"${usd:,.4f}{' virtual' if virtual else ''}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"
