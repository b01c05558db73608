"""`mlesearch doctor STUDY`: whether the file system of a study's folder keeps what is promised, by two processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlesearch.cli.doctor import examine, line, versions
from mlesearch.cli.terminal import shown
from mlesearch.storage.file_system_check import (
    LINES,
    NAMES,
    SharedFolderFacts,
    with_another_machine,
    with_another_process,
)
from mlesearch.storage.file_systems import mount_of, why_read_only
from mlesearch.storage.lease_files import LEASES, times_of
from mlesearch.study.output import say
from mlesearch.types import ConfigError, Finding, Level

WAIT_S = 600.0
"""How long the first of two machines waits for the second."""
_SLOW_SYNC_S = 0.25
_CLOCKS_S = 60.0


def doctor(study: str | None, *, two_machines: bool) -> int:
    """Print what this machine, or a study's folder, has and lacks, each line as soon as it is known.

    Args:
        study: the folder; None: this machine.
        two_machines: as `examine_study`.

    Returns:
        The exit code: 1 where something is lacking.

    Raises:
        ConfigError: no folder is named for two machines to meet in; or as `examine_study`.
    """
    if study is None and two_machines:
        raise ConfigError("--two-machines: name the folder that they share: mlesearch doctor STUDY --two-machines")
    say(versions())
    if two_machines:
        say("waiting for the same command on another machine, where it is not there yet")
    lacking = 0
    for finding in examine() if study is None else examine_study(Path(study), two_machines=two_machines):
        say(line(finding))
        lacking += finding.level is Level.ERROR
    say(f"{lacking} lacking: see the arrows above" if lacking else "all that is needed is there")
    return 1 if lacking else 0


def examine_study(study: Path, *, two_machines: bool = False) -> Iterator[Finding]:
    """Try a study's folder; each finding says what depends on it.

    Args:
        study: its folder, or one in which studies are to be.
        two_machines: the other process is started by hand, with the same command, on another machine.

    Raises:
        ConfigError: there is no such folder, or it can only be read.
        OtherSideSilent: the other process does not answer.
        OSError: nothing can be written there.
    """
    if not study.is_dir():
        raise ConfigError(f"{study}: no such folder; name that of a study, or one in which studies are to be")
    if why := why_read_only(study):
        raise ConfigError(f"{shown(study)}: nothing can be written here ({why}); name a folder in which something can")
    yield Finding(Level.OK, "file system", f"{mount_of(study)}, tried {'by two machines' if two_machines else 'here'}")
    with with_another_machine(study, WAIT_S) if two_machines else with_another_process(study) as side:
        found = side.run()
    yield from findings(found, times_of(study / LEASES).takeover_s)


def findings(found: SharedFolderFacts, takeover_s: float) -> Iterator[Finding]:
    """What was found, in the order of what it costs to be without.

    Args:
        found: by both processes.
        takeover_s: when another process takes a run over from one that is not heard of.
    """
    yield _exclusive(found)
    yield _visible(found, takeover_s)
    yield _replaced(found)
    yield _appended(found)
    yield _locks("flock", found.flock, "runs are kept apart by leases alone, which is enough; nothing needs to be done")
    todo = "SQLite can't be shared there: set limits.network=true, and run clock=virtual on a local disk"
    yield _locks("fcntl locks", found.record_lock, todo)
    yield _clocks(found)
    yield _synced(found)
    if not found.links:
        yield Finding(Level.OK, "hard links", "none here; files are made without them")


def _exclusive(found: SharedFolderFacts) -> Finding:
    if found.made_twice or found.made_never:
        text = f"of {NAMES} names {found.made_twice} were made by both processes and {found.made_never} by none"
        todo = "no lease holds there: work on a study from one process at a time, or use another file system"
        return Finding(Level.ERROR, "O_EXCL", text, todo)
    return Finding(Level.OK, "O_EXCL", f"each of {NAMES} names was made by one process: no run is carried out twice")


def _visible(found: SharedFolderFacts, takeover_s: float) -> Finding:
    text = f"a change is seen by the other process within {found.seen_after_s:.3g} s"
    if found.seen_after_s > takeover_s / 3:
        todo = "workers that live would be taken for dead: mount it with shorter attribute caching (NFS: actimeo=3)"
        return Finding(Level.ERROR, "beats", text, todo)
    return Finding(Level.OK, "beats", f"{text}: workers that live are not taken for dead (after {takeover_s:g} s)")


def _replaced(found: SharedFolderFacts) -> Finding:
    if found.half_seen:
        text = f"a file that was replaced was missing or not whole {found.half_seen} times"
        return Finding(Level.ERROR, "rename", text, "results and tables may be read by halves: use another file system")
    return Finding(Level.OK, "rename", "a file that is replaced is always whole: so are results and tables")


def _appended(found: SharedFolderFacts) -> Finding:
    if found.lines_lost:
        text = f"of {2 * LINES} lines that two processes appended to one file {found.lines_lost} are lost"
        todo = "start one launch of a study after the other; its workers append to no file of each other's"
        return Finding(Level.WARNING, "append", text, todo)
    return Finding(Level.OK, "append", f"{2 * LINES} lines that two processes appended to one file are all there")


def _locks(subject: str, said: str, todo: str) -> Finding:
    if said == "held":
        return Finding(Level.OK, subject, "what one process locks is locked for the other")
    text = "one process gets what the other has locked" if said == "not held" else f"there are none: {said}"
    return Finding(Level.WARNING, subject, text, todo)


def _clocks(found: SharedFolderFacts) -> Finding:
    text = f"the other process's is {found.clock_ahead_s:+.3g} s ahead (within {found.clock_within_s:.2g} s)"
    if abs(found.clock_ahead_s) - found.clock_within_s > _CLOCKS_S:
        return Finding(
            Level.WARNING, "clocks", text, "times in logs and status differ (no lease goes by them): set NTP up"
        )
    return Finding(Level.OK, "clocks", f"{text}; no lease goes by them")


def _synced(found: SharedFolderFacts) -> Finding:
    if found.synced_s is None:
        todo = "paid replies may be lost in a power cut: use another file system for live models"
        return Finding(Level.WARNING, "fsync", "it fails", todo)
    text = f"{1000 * found.synced_s:.3g} ms for a small file: so long every reply of a live model waits"
    if found.synced_s > _SLOW_SYNC_S:
        return Finding(Level.WARNING, "fsync", text, "steps of live models take longer: use a faster disk for studies")
    return Finding(Level.OK, "fsync", text)
