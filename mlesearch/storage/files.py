"""Files that are written whole or not at all, and files of JSON lines that are only added to.

What is made takes the rights of the folder that it is made in, less the umask. A study's folder is its user's alone
when it is made, so all in it is; a folder that was opened to a group opens what is made in it likewise.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlesearch.storage import cell_store
from mlesearch.storage.codec import Json, dumps
from mlesearch.storage.file_systems import NO_SUPPORT, in_words, naming
from mlesearch.types import ConfigError

_PRIVATE = 0o700
_NO_LINKS = NO_SUPPORT | {errno.EPERM, errno.EMLINK, errno.EXDEV}
"""What a file system without hard links answers."""


def make_private(folder: Path) -> None:
    """Make a folder that is its user's alone, where it is absent; what is missing above it is made as usual."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_PRIVATE, exist_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder where it is absent, and those above it, with the rights of the nearest that is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=rights_of(folder.parent), exist_ok=True)


def rights_of(folder: Path | str) -> int:
    """Who may use a folder: its nine bits. A file in it gets those of them that let one read and write."""
    return os.stat(folder).st_mode & 0o777 | _PRIVATE


def open_file(path: Path | str, flags: int) -> int:
    """A descriptor of a file, made where it is absent with the rights of its folder."""
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, rights_of(os.path.dirname(path) or ".") & 0o666)


def write_whole(fd: int, data: bytes, path: Path) -> None:
    """Write all of it.

    Raises:
        OSError: the disk took a part of it or nothing; it names the path.
    """
    view = memoryview(data)
    with naming(path):
        while view:
            written = os.write(fd, view)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            view = view[written:]


def write_line(fd: int, line: bytes, path: Path) -> None:
    """Add a line to a file that this process alone writes, opened to append: all of it, by one call, or nothing.

    Raises:
        OSError: the disk did not take all of it; what it took is cut off again. It names the path.
    """
    with naming(path):
        written = os.write(fd, line)
    if written < len(line):
        end = os.fstat(fd).st_size - written
        try:
            write_whole(fd, line[written:], path)  # says why it took a part only
        except OSError:
            os.ftruncate(fd, end)
            raise


def temporary_of(path: Path) -> Path:
    """A name beside a file that no other process or thread takes, on whatever machine; hidden, and of the file."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


def is_temporary_of(name: str, path: Path) -> bool:
    """Whether a file's name is one that `temporary_of` gives."""
    return re.fullmatch(re.escape(f".{path.name}.") + "[0-9a-f]{12}", name) is not None


def write_file(path: Path, data: bytes, flags: int, durable: bool, named: Path | None = None) -> None:
    """Open a file to write and write all that it is to hold.

    Args:
        path: of the file.
        data: its content.
        flags: of the opening, beside those of every one (`open_file`).
        durable: wait until the disk has it.
        named: what an error names; None: the path.

    Raises:
        OSError: it can't be opened, or the disk did not take all of it; a part may be there.
    """
    fd = open_file(path, os.O_WRONLY | flags)
    try:
        write_whole(fd, data, named or path)
        if durable:
            with naming(named or path):
                os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(path: Path, text: str | bytes, durable: bool = True) -> None:
    """Replace a file as a whole: after any kill it holds the old or the new text."""
    data = text.encode() if isinstance(text, str) else text
    temporary = temporary_of(path)
    try:
        write_file(temporary, data, os.O_EXCL, durable, named=path)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def copy_atomically(source: Path, path: Path) -> None:
    """Replace a file as a whole by a copy of another, with the rights of its folder; it need not fit into memory."""
    temporary = temporary_of(path)
    try:
        with naming(path):
            os.close(open_file(temporary, os.O_WRONLY | os.O_EXCL))
            shutil.copyfile(source, temporary)
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def write_new(path: Path, data: bytes, *, links: bool = False) -> bool:
    """Make a file that appears as a whole; False where there is one already, which stays as it is.

    Args:
        path: of the file.
        data: its content.
        links: whether it has to appear whole on every file system. Where links are not to be had, a file that is made
            in place may be torn by a kill; of a short one that is read with care that does no harm.

    Raises:
        OSError: the disk did not take it; or links are needed, and the file system has none.
    """
    temporary = temporary_of(path)
    try:
        _write_excl(temporary, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            # over a network, the answer to a link that was made may be lost, and the link asked for once more
            return os.stat(temporary).st_nlink == 2
        except OSError as error:
            if links or error.errno not in _NO_LINKS:
                raise
            try:
                _write_excl(path, data)
            except FileExistsError:
                return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return True


def _write_excl(path: Path, data: bytes) -> None:
    """Make a file with this content; what a disk did not take as a whole is removed again."""
    fd = open_file(path, os.O_WRONLY | os.O_EXCL)
    try:
        write_whole(fd, data, path)
        with naming(path):
            os.fsync(fd)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        raise
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut, on file systems that can be told so."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with naming(folder):
            os.fsync(fd)
    except OSError as error:
        if error.errno not in NO_SUPPORT | {errno.EINVAL}:
            raise
    finally:
        os.close(fd)


def append_line(path: Path, record: Mapping[str, object]) -> None:
    """Add one JSON line to a file with one call; after a torn line, which a full disk may leave, it begins a new one.

    Raises:
        OSError: the disk did not take all of it.
    """
    append_lines(path, [record])


def append_lines(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    """Add JSON lines to a file, all of them with one call; see `append_line`.

    Raises:
        OSError: the disk did not take all of them.
    """
    data = b"".join(dumps(record).encode() + b"\n" for record in records)
    fd = open_file(path, os.O_RDWR | os.O_APPEND)
    try:
        with naming(path):
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        write_whole(fd, b"\n" + data if torn else data, path)
    finally:
        os.close(fd)


def read_lines(path: Path) -> Iterator[Json]:
    """The records of a file of JSON lines; a torn last line is left out, an absent file is empty."""
    if not cell_store.exists(path):
        return
    for line in cell_store.read_bytes(path).split(b"\n")[:-1]:
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def read_json(path: Path) -> Json:
    """A JSON object from a file.

    Raises:
        ConfigError: it is no JSON object.
    """
    try:
        value = json.loads(cell_store.read_bytes(path))
    except OSError as e:
        raise ConfigError(f"{in_words(e, path)}; it can't be read") from None
    except ValueError as e:
        raise ConfigError(f"{path}: not JSON ({e}); restore it or remove the folder that holds it") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: a JSON object was expected")
    return value
