"""The preflight of a competition: what must hold before a search on it is worth money."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator

from mlesearch.tasks import grading
from mlesearch.tasks.mlebench import archives, public_view
from mlesearch.tasks.mlebench.competition import load, recorded_sums, wrong_sums
from mlesearch.tasks.mlebench.digests import Digests
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.official import REAL_BOARD, OfficialReport
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.prepared import Prepared, data_folder, kept_folder, look
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.mlebench.twice import data_folder_of
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError, Finding, Level

PASSED = "preflight.txt"
"""Which version has passed, with which grader; kept beside the data."""


def check(id: str, terms: MlebenchTerms, graders: GraderPool) -> list[Finding]:
    """Check a competition: its data, its grader, its board.

    Args:
        id: of the competition.
        terms: on which it is used.
        graders: of the interpreter that has MLE-bench.

    Returns:
        Findings; those of the level ok are notes: worth knowing, and no fault.

    Raises:
        GraderUnavailable: the grader can't be run.
    """
    try:
        task = load(id, terms, graders)
    except ConfigError as error:
        return [Finding(Level.ERROR, "load", str(error))]
    found = look(data_folder(terms.data_dir), facts(id))
    return [
        *_libraries(id, graders),
        *_sums(found, terms, graders),
        *_board(task, graders),
        *_gold(found, graders),
        *_sample(found, graders),
        *_held_out(task, found, graders),
        *_thresholds(task),
        *_data(found, terms),
        *(Finding(Level.OK, "quirk", text) for text in task.known_issues),
    ]


def check_once(id: str, terms: MlebenchTerms, graders: GraderPool) -> list[Finding]:
    """`check`, but of a version that has passed it with the same grader nothing is found any more.

    Raises:
        GraderUnavailable: the grader can't be run.
    """
    found = look(data_folder(terms.data_dir), facts(id))
    try:
        task = load(id, terms, graders)
    except ConfigError as error:
        return [Finding(Level.ERROR, "load", str(error))]
    passed = kept_folder(found) / PASSED
    key = repr((task.version, task.official, graders.hello().digest))
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if passed.read_text(encoding="utf-8") == key:
            return []
    findings = check(id, terms, graders)
    if not any(f.level is Level.ERROR for f in findings):
        with contextlib.suppress(OSError):
            passed.write_text(key, encoding="utf-8")
    return findings


def _libraries(id: str, graders: GraderPool) -> Iterator[Finding]:
    hello = graders.hello()
    for text in hello.warnings((id,)):
        yield Finding(Level.WARNING, "libraries", text)


def _sums(found: Prepared, terms: MlebenchTerms, graders: GraderPool) -> Iterator[Finding]:
    recorded = recorded_sums(graders.describe(found.facts.id).checksums)
    count = sum(len(sums) for name, sums in recorded.items() if name in ("public", "private"))
    if not count:
        yield Finding(Level.WARNING, "checksums", "MLE-bench records none of this competition's files")
        return
    if terms.verify == "checksums":
        yield Finding(Level.OK, "checksums", f"{count} files are those that MLE-bench records")
        return
    digests = Digests(kept_folder(found))
    wrong = list(wrong_sums(found, recorded, digests))
    digests.keep()
    if wrong:
        text = f"{len(wrong)} of {count} files are not those that MLE-bench records: {', '.join(wrong)}"
        yield Finding(Level.WARNING, "checksums", f"{text} (mlebench.verify=off takes them as they are)")


def _board(task: Task, graders: GraderPool) -> Iterator[Finding]:
    if graders.describe(task.id).board != REAL_BOARD:
        text = "MLE-bench's board is a Git-LFS pointer: medals are by the table of thresholds that comes with mlesearch"
        yield Finding(Level.OK, "board", f"{text}, which is equal to it")


def _gold(found: Prepared, graders: GraderPool) -> Iterator[Finding]:
    report = graders.grade(found.facts.id, found.gold, aligned=False)
    if not report.gold_medal:
        text = f"a perfect submission ({found.facts.gold}) is graded {_earned(report)}, and not gold"
        yield Finding(
            Level.ERROR, "gold", f"{text}: data and grader do not belong together, or its libraries are others"
        )


def _sample(found: Prepared, graders: GraderPool) -> Iterator[Finding]:
    report = graders.grade(found.facts.id, found.sample, aligned=False)
    if not report.valid_submission:
        yield Finding(Level.ERROR, "sample", f"the sample submission is invalid: {' '.join(report.reason.split())}")
    elif report.any_medal:
        yield Finding(Level.ERROR, "sample", f"the sample submission is graded {_earned(report)}")
    elif report.nan and not found.facts.sample_scores_nan:
        yield Finding(Level.WARNING, "sample", "the sample submission scores NaN")


def _held_out(task: Task, found: Prepared, graders: GraderPool) -> Iterator[Finding]:
    """Where a held-out set scores programs, the grader must be able to."""
    if task.full is None:
        return
    place = data_folder_of(task)
    split, scores = look(place, found.facts), []
    for what, path in (("a perfect submission", split.gold), ("the sample", split.sample)):
        report = graders.grade(task.id, path, aligned=False, data_dir=place)
        scores.append(f"{what} scores {report.score}")
        if report.score is None or not math.isfinite(report.score):
            why = " ".join(report.reason.split()) or f"its score is {report.score}"
            text = f"{what} for the held-out validation set is not scored ({why}); set mlebench.validation=reported"
            yield Finding(Level.ERROR, "validation", text)
            return
    yield Finding(Level.OK, "validation", f"on the held-out set {' and '.join(scores)}")


def _earned(report: OfficialReport) -> str:
    medals = (("gold", report.gold_medal), ("silver", report.silver_medal), ("bronze", report.bronze_medal))
    medal = next((name for name, won in medals if won), "no medal")
    return f"{'invalid' if report.score is None else f'{report.score:g}'}, {medal}"


def _thresholds(task: Task) -> Iterator[Finding]:
    """Thresholds that coincide: a property of the real board, which nobody can mend."""
    limits = task.thresholds
    named = [(name, getattr(limits, name)) for name in grading.THRESHOLDS]
    equal = [f"{better} = {worse}" for (better, a), (worse, b) in itertools.pairwise(named) if a == b]
    if equal:
        yield Finding(
            Level.OK, "thresholds", f"on the real board {' and '.join(equal)}: these medals can't tell runs apart"
        )


def _data(found: Prepared, terms: MlebenchTerms) -> Iterator[Finding]:
    packed = public_view.archives(found.public)
    if packed and terms.unpack == "off":
        text = f"each program has to unpack {', '.join(packed)}; mlebench.unpack=auto does it once for all of them"
        yield Finding(Level.WARNING, "archives", text)
    elif packed:
        yield Finding(Level.OK, "archives", f"unpacked once for all programs: {', '.join(packed)}")
    if any(name.endswith(archives.SEVEN_ZIP) for name in packed) and terms.unpack == "off":
        yield Finding(Level.WARNING, "archives", "7z archives need a library in the sandbox")
