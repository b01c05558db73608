"""Makes a task of a prepared competition: nothing is copied or converted, and data are not read at each load."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mlesearch.tasks import leaderboard, medals
from mlesearch.tasks.mlebench import brief, twice
from mlesearch.tasks.mlebench.digests import Digests, mismatches, public_lines
from mlesearch.tasks.mlebench.facts import Facts, facts
from mlesearch.tasks.mlebench.interpreter import Hello
from mlesearch.tasks.mlebench.names import SOURCE
from mlesearch.tasks.mlebench.official import REAL_BOARD, OfficialCompetition
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.prepared import Prepared, data_folder, kept_folder, look, need
from mlesearch.tasks.mlebench.public_view import view
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.protocol import OfficialGrading, Task, Thresholds, Validation
from mlesearch.types import ConfigError

PROGRAM_TIME_S = 32_400.0
"""Of a program, where `sandbox.program_time_s` says nothing: nine hours, as MLE-bench's rules of Kaggle notebooks."""

COMMIT_CHARS = 12
_FORMAT = 1


def load(id: str, terms: MlebenchTerms, graders: GraderPool, tell: Callable[[str], None] = lambda text: None) -> Task:
    """A competition as a task of the engine.

    Args:
        id: of the competition.
        terms: where it lies, and how it is used.
        graders: of the interpreter that has MLE-bench.
        tell: is told what takes long: that a validation set is being split off.

    Returns:
        The task. Its version has digests of answers, sample submission, description, configuration, grader and
        public data, so other data are another version, and the same bytes in another place are the same.

    Raises:
        ConfigError: it is not prepared, its files are not those that MLE-bench records, the package knows it otherwise
            than our table, its grader would grade wrongly with the libraries of that interpreter, or it can't hold out
            a validation set.
        GraderUnavailable: that interpreter can't be run.
    """
    known = facts(id)
    twice.check_possible(known, terms)
    found = need(look(data_folder(terms.data_dir), known))
    hello, package = graders.hello(), graders.describe(id)
    check_grader(known, hello)
    check_agreement(found, package)
    digests = Digests(kept_folder(found))
    try:
        if terms.verify == "checksums":
            check_sums(found, recorded_sums(package.checksums), digests)
        seen = view(found, unpacks=terms.unpack == "auto", python=graders.python)
        columns = header(seen.folder / seen.sample)
        description = brief.description(package.description, unpacked=bool(seen.unpacked))
        contract = brief.contract(seen.sample, columns, known.metric)
        version = _version(found, package, digests, (description, contract))
    finally:
        digests.keep()
    board, limits = board_of(known, package)
    task = Task(
        id=id,
        title=package.title,
        version=version,
        metric=known.metric,
        direction=known.direction,
        validation=Validation.REPORTED,
        description=description,
        public_dir=seen.folder,
        private_dir=found.private.resolve(),
        id_column=columns[0],
        target_columns=tuple(columns[1:]),
        thresholds=limits,
        program_time_s=PROGRAM_TIME_S,
        suite=SOURCE,
        category=known.category,
        tags=tuple(filter(None, (known.split, known.category))),
        known_issues=tuple(filter(None, (*known.quirks, known.issue))),
        board=board,
        max_submission_bytes=16 * 2**20 + 8 * found.sample.stat().st_size,
        modality=known.modality,
        contract=contract,
        official=OfficialGrading(
            commit=(hello.commit or hello.digest)[:COMMIT_CHARS],
            versions=tuple(sorted(hello.versions.items())),
            feedback=terms.feedback,
            unpack=terms.unpack,
            board=package.board,
        ),
    )
    if terms.validation == "twice" and twice.is_possible(id):
        return twice.with_held_out(task, found, graders, terms, tell)
    return task


def fresh_split(task: Task, terms: MlebenchTerms, graders: GraderPool, seed: int) -> Task:
    """A competition with another held-out validation set than `load` gave it.

    Args:
        task: that holds one out.
        terms: on which it was loaded.
        graders: of the interpreter that has MLE-bench.
        seed: of the split; the same one gives the same split to every run.

    Raises:
        ConfigError: it is not there any more, or the split can't be made.
    """
    return twice.fresh(task, need(look(data_folder(terms.data_dir), facts(task.id))), graders, terms, seed)


def check_grader(known: Facts, hello: Hello) -> None:
    """Refuse an interpreter whose libraries make right submissions to this competition invalid.

    Raises:
        ConfigError: they do.
    """
    if known.id in hello.graded_wrongly:
        raise ConfigError(f"mlebench:{known.id}: {hello.warnings((known.id,))[0]}")


def check_agreement(found: Prepared, package: OfficialCompetition) -> None:
    """Refuse a package that knows a competition otherwise than our table.

    Raises:
        ConfigError: they disagree on a path or on the direction; names both.
    """
    id, prepared = found.facts.id, found.folder / "prepared"
    for what, ours, theirs in (
        ("the sample submission", found.sample, package.sample_submission),
        ("the answers", found.answers, package.answers),
    ):
        if ours.relative_to(prepared).as_posix() != _below_prepared(theirs):
            raise ConfigError(
                f"mlebench:{id}: {what}: MLE-bench's {package.config} says {_below_prepared(theirs)}, the table of "
                f"mlesearch {ours.relative_to(prepared)}; use the MLE-bench that this version was made for, or a newer "
                "mlesearch"
            )
    if package.direction is not None and package.direction is not found.facts.direction:
        raise ConfigError(
            f"mlebench:{id}: the board {package.leaderboard} runs as if the metric were to {package.direction}, and it "
            f"is to {found.facts.direction}; restore the board (git lfs pull)"
        )


def _below_prepared(path: Path) -> str:
    parts = path.parts
    return "/".join(parts[parts.index("prepared") + 1 :]) if "prepared" in parts else str(path)


def recorded_sums(checksums: Path) -> Mapping[str, Mapping[str, str]]:
    """The md5s that MLE-bench records, by folder (public, private) and name; none where it has no such file."""
    try:
        content: Any = yaml.safe_load(checksums.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    folders = content if isinstance(content, dict) else {}
    return {name: sums for name, sums in folders.items() if isinstance(sums, dict)}


def check_sums(found: Prepared, recorded: Mapping[str, Mapping[str, str]], digests: Digests) -> None:
    """Refuse data that are not those that MLE-bench records.

    Raises:
        ConfigError: files differ or are missing; names them.
    """
    wrong = list(wrong_sums(found, recorded, digests))
    if wrong:
        raise ConfigError(
            f"mlebench:{found.facts.id}: md5 differs from what MLE-bench records: {', '.join(wrong)} in "
            f"{found.folder / 'prepared'}; move that folder away and prepare it again "
            f"(mlesearch mlebench prepare {found.facts.id}), or set mlebench.verify=off to use it as it is"
        )


def wrong_sums(found: Prepared, recorded: Mapping[str, Mapping[str, str]], digests: Digests) -> Iterator[str]:
    """The files of a competition that are missing, or not those that MLE-bench records."""
    for name, folder in (("public", found.public), ("private", found.private)):
        for wrong in mismatches(folder, recorded.get(name, {}), digests):
            yield f"{name}/{wrong}"


def header(sample: Path) -> list[str]:
    """The columns of a sample submission.

    Raises:
        ConfigError: it has fewer than two, or is no UTF-8 text.
    """
    try:
        with sample.open(encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{sample}: it can't be read as a CSV ({error}); prepare the competition again") from None
    if len(columns) < 2:
        raise ConfigError(
            f"{sample}: columns for ids and predictions are expected; found {', '.join(columns) or 'none'}"
        )
    return columns


def board_of(known: Facts, package: OfficialCompetition) -> tuple[Path, Thresholds]:
    """The board of a competition and its thresholds: the package's where it is there, else those of our table.

    Raises:
        ConfigError: the board has other thresholds than the table; both are named.
    """
    ours = leaderboard.mlebench_thresholds(known.id)[0]
    if package.board != REAL_BOARD:
        return leaderboard.MLEBENCH_TABLE, ours
    theirs = medals.thresholds(leaderboard.scores(package.leaderboard), known.direction)
    pairs = zip(_numbers(theirs), _numbers(ours), strict=True)
    if theirs.teams != ours.teams or not all(math.isclose(a, b, rel_tol=1e-9) for a, b in pairs):
        raise ConfigError(
            f"mlebench:{known.id}: the board {package.leaderboard} gives {_shown(theirs)}, the table of mlesearch "
            f"{_shown(ours)}; restore the board (git lfs pull), or use the MLE-bench that this version was made for"
        )
    return package.leaderboard, ours


def _shown(limits: Thresholds) -> str:
    return f"{'/'.join(f'{number:g}' for number in _numbers(limits))} from {limits.teams} teams"


def _numbers(limits: Thresholds) -> tuple[float, float, float, float]:
    return limits.gold, limits.silver, limits.bronze, limits.median


def _version(found: Prepared, package: OfficialCompetition, digests: Digests, texts: tuple[str, ...]) -> str:
    """What changes whenever anything that changes a result does; the same for the same bytes in any place."""
    lines = [f"format {_FORMAT}", *public_lines(found.public, digests)]
    for path in (found.answers, found.sample):
        lines.append(f"{path.parent.name}/{path.name} {digests.of(path, 'sha256')}")
    for path in (package.config, package.grader):
        lines.append(f"package {path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    lines += [f"text {hashlib.sha256(text.encode()).hexdigest()}" for text in texts]
    return "mlebench-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
