"""`mlesearch mlebench import`: results of others, said or kept beside a study's own."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import cast

from mlesearch import __version__
from mlesearch.analysis.page.imported import import_rates
from mlesearch.analysis.text import plural
from mlesearch.cli.terminal import shell_words, shown, table
from mlesearch.storage.documents import STUDY
from mlesearch.storage.imported import IMPORT_FORMAT, ImportedFile, ImportedRow, write_imported
from mlesearch.storage.layout import declared, is_simulated, slug
from mlesearch.study.output import complain, say
from mlesearch.tasks.imported.read import read_results
from mlesearch.tasks.imported.recheck import rechecked
from mlesearch.tasks.imported.results import ImportedResult, SourceHints
from mlesearch.tasks.imported.seeds import complete_seeds
from mlesearch.tasks.mlebench.names import asked
from mlesearch.types import ConfigError

SHOWN = 8
"""So many medals that disagree with their score are said; all of them are kept."""


def take(args: Namespace) -> int:
    """Read results, say what they come to, and keep them where a study is named."""
    paths = [Path(file) for file in args.files]
    hints = SourceHints(args.model, args.strategy, args.experiment)
    results, mismatches = rechecked(read_results(paths, hints))
    tasks = asked(args.tasks) if args.tasks else None
    results, notes = complete_seeds(results, args.incomplete, tasks)
    left = {result.source for result in results}
    mismatches = [line for line in mismatches if line.split(": ", 1)[0] in left]
    content: ImportedFile = {
        "format": IMPORT_FORMAT,
        "name": slug(args.name or args.experiment or paths[0].stem),
        "imported": True,
        "mlesearch": __version__,
        "sources": _digests(results),
        "incomplete": args.incomplete,
        "notes": notes,
        "mismatches": mismatches,
        "rows": [_row(result) for result in results],
    }
    if args.tasks:
        content["tasks"] = args.tasks
    _say(content)
    if args.into is None:
        return 0
    study = Path(args.into)
    path = write_imported(study, content, _own(study), simulated=bool(is_simulated(study)))
    say(f"{shown(path)}: {plural(len(results), 'result')}, beside the study's own: {shell_words('report', study)}")
    return 0


def _own(study: Path) -> list[tuple[str, str]]:
    """Model and strategy of a study's runs; a variant is named as reports name it, too."""
    if not (study / STUDY).is_file():
        return []
    return [pair for k in declared(study) for pair in ((k.model, k.strategy), (k.model, f"{k.strategy}/{k.variant}"))]


def _say(content: ImportedFile) -> None:
    rates = import_rates(content)
    table(
        [
            {
                "model": rate.model,
                "strategy": rate.strategy,
                "tasks": rate.tasks,
                "seeds": rate.seeds,
                "any medal, %": rate.words("any_medal"),
                "gold, %": rate.words("gold"),
                "above median, %": rate.words("above_median"),
                "valid, %": rate.words("valid"),
            }
            for rate in rates
        ]
    )
    say("imported: mean ± SEM over seeds; nothing of it was run or graded here")
    for note in content["notes"]:
        complain(f"note: {note}")
    for line in content["mismatches"][:SHOWN]:
        complain(f"mismatch: {line}")
    more = len(content["mismatches"]) - SHOWN
    if more > 0:
        complain(f"{more} more mismatches; with --into, all of them are kept")


def _digests(results: Sequence[ImportedResult]) -> dict[str, str]:
    found = {}
    for source in sorted({result.source for result in results}):
        if Path(source).is_file():  # what was padded has none
            with Path(source).open("rb") as file:
                found[source] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _row(result: ImportedResult) -> ImportedRow:
    """A result as it is kept: JSON has no NaN and no infinities."""
    score = result.score
    plain = {**asdict(result), "score": score if score is None or isfinite(score) else str(score)}
    if plain.keys() != ImportedRow.__required_keys__:
        raise ConfigError("imported_results: a result and its row do not have the same fields")
    return cast("ImportedRow", plain)
