"""`mlesearch compare A B`: which runs of two studies are the same, and where the others part."""

from __future__ import annotations

import re
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.terminal import shown, table
from mlesearch.study.archive.compare import SAME, UNBEGUN, compare
from mlesearch.study.output import say

NAMED = 20
"""So many kinds of differences are listed."""


def say_comparison(first: Path, second: Path) -> int:
    """Say where two studies, or two runs, part.

    Returns:
        0 where they are the same, durations aside; 1 where they part, or where there is nothing to compare.

    Raises:
        ConfigError: they are not two studies, or two runs.
        JournalError: a journal is corrupt.
    """
    found = compare(first, second)
    places = f"{shown(first)} (there) and {shown(second)} (here)"
    if found.empty:
        say(f"{places}: there is nothing to compare: neither has begun a run")
        return 1
    texts = [text for text in found.differing.values() if text != UNBEGUN]
    same, verb = texts.count(SAME), "is" if len(texts) == 1 else "are"
    counts = [f"{same:,} of {plural(len(texts), 'run')} in both {verb} the same, durations aside"] if texts else []
    counts += [f"{n:,} {UNBEGUN}"] if (n := len(found.differing) - len(texts)) else []
    for ids, folder in ((found.only_first, first), (found.only_second, second)):
        if ids:
            counts.append(f"{len(ids):,} {'is' if len(ids) == 1 else 'are'} in {shown(folder)} alone ({ids[0]})")
    say(f"{places}: {'; '.join(counts)}")
    by_kind: dict[str, list[tuple[str, str]]] = {}
    for run_id, text in found.differing.items():
        if text not in (SAME, UNBEGUN):
            by_kind.setdefault(_kind(text), []).append((run_id, text))
    if by_kind:
        kinds = sorted(by_kind.values(), key=lambda runs: -len(runs))
        rows = [{"runs": len(runs), "the first": runs[0][0], "parts at": runs[0][1]} for runs in kinds[:NAMED]]
        table(rows)
        if len(kinds) > NAMED:
            say(f"and {plural(len(kinds) - NAMED, 'other kind')} of differences")
    return 0 if found.same else 1


def _kind(text: str) -> str:
    """Runs that differ in one field of their identity are of one kind; each other difference is its own."""
    return re.sub(r" is .*", "", text) if text.startswith("identity: ") else text
