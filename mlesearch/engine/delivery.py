"""Hands a run's best submission over at every improvement: whole or not at all, with the program that made it.

The two files lie where whoever waits for a submission looks. After any kill the submission is a whole, valid one; a run
that goes on hands its best over again, so that the program is that of the submission then.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mlesearch.storage.file_systems import NO_SUPPORT, check_space, in_words, is_fault
from mlesearch.storage.files import is_temporary_of, open_file, temporary_of, write_atomically
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.ungraded import deliverable
from mlesearch.types import ConfigError, MlesearchError


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a run's best submission is handed over.

    Attributes:
        task: of the run.
        out: the submission; the program lies beside it, with the ending .py.
    """

    task: Task
    out: Path

    @property
    def program(self) -> Path:
        """The program that made the submission."""
        return self.out.with_suffix(".py")

    def put(self, best: Path) -> None:
        """Replace what was handed over before; files that are those already are left alone.

        Args:
            best: a run's folder `best/`.

        Raises:
            MlesearchError: the place can't be written.
            OSError: its disk fails, or is full.
        """
        submission = deliverable(self.task, best / "submission.csv")
        try:
            for path, data in ((self.program, (best / "solution.py").read_bytes()), (self.out, submission)):
                if not (path.is_file() and path.read_bytes() == data):
                    write_atomically(path, data)
        except OSError as error:
            if is_fault(error):
                raise
            raise MlesearchError(f"{in_words(error, self.out)}; the best submission is kept in {best}") from None

    def _sample_bytes(self) -> int:
        return (self.task.public_dir / self.task.sample).stat().st_size if self.task.sample else 0

    def check(self) -> None:
        """Refuse a place that can't be written before anything is paid for; remove what a kill left half written there.

        Raises:
            ConfigError: says why.
            OSError: the disk is full.
        """
        folder = self.out.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in (self.out, self.program):
                if path.is_dir():
                    raise ConfigError(f"--out: {path} is a folder; name a file, such as {path / 'submission.csv'}")
                _remove_halves(path)
            check_space(folder)
            _probe(temporary_of(self.out), 2 * self._sample_bytes())
        except OSError as error:
            raise ConfigError(f"--out: {in_words(error, self.out)}") from None


def _probe(path: Path, size_bytes: int) -> None:
    """Make a file as large as a submission may be, and remove it again.

    Raises:
        OSError: it can't be made there, or there is no room for it.
    """
    fd = open_file(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.posix_fallocate(fd, 0, max(1, size_bytes))
    except OSError as error:
        if error.errno not in NO_SUPPORT | {errno.EINVAL}:
            raise
    finally:
        os.close(fd)
        path.unlink()


def _remove_halves(path: Path) -> None:
    """Remove what `write_atomically` had begun when its process was killed."""
    for name in os.listdir(path.parent):
        if is_temporary_of(name, path):
            (path.parent / name).unlink(missing_ok=True)
