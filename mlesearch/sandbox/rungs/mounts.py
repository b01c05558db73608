"""This machine's interpreter inside a mount namespace: what is bound, what is left out, which links are needed."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox import environment
from mlesearch.sandbox.environment import Interpreter
from mlesearch.sandbox.inside import files
from mlesearch.sandbox.protocol import Spec

_PACKAGE = "raise ModuleNotFoundError(\"No module named 'mlesearch'\", name='mlesearch')\n"


@dataclass(frozen=True, slots=True)
class Layout:
    """What a program finds beside its own folders.

    Attributes:
        binds: paths without links, bound read-only at the same place.
        links: (target, path) of symbolic links.
        covered: paths inside `binds` that something unreadable is bound over.
    """

    binds: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    covered: tuple[str, ...]


def layout(python: Interpreter) -> Layout:
    """Of an interpreter of this machine; the same allow-list and exclusions as on the rung `local`."""
    binds = [path for path, _ in environment.allowed(python) if not path.startswith("/proc/")]
    system = [(os.readlink(path), path) for path in environment.SYSTEM if os.path.islink(path)]
    covered = [path for path in environment.excluded(python) if _inside(path, binds)]
    return Layout(tuple(binds), (*system, *links(python)), tuple(covered))


def links(python: Interpreter) -> tuple[tuple[str, str], ...]:
    """(target, path) of the links by which the interpreter's folders are named."""
    binds = [path for path, _ in environment.allowed(python)]
    given = dict.fromkeys((python.prefix, python.base_prefix, python.stdlib, *python.site))
    real = [(os.path.realpath(path), path) for path in given]
    return tuple((target, path) for target, path in real if target != path and not _inside(path, binds))


def _inside(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def executable(python: Interpreter) -> str:
    """The interpreter's path where its folder is named without links, so that it exists inside."""
    folder, name = os.path.split(python.executable)
    return os.path.join(os.path.realpath(folder), name)


class Covers:
    """Things that can't be read, to be bound over what must stay out.

    Args:
        folder: takes them; removed with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._file, self._package = folder / "folder", folder / "file", folder / "package"
        if not folder.exists():
            made = Path(tempfile.mkdtemp(prefix="covers-", dir=folder.parent))
            made.chmod(0o711)
            (made / "folder").mkdir()
            (made / "folder").chmod(0)
            (made / "file").touch()
            (made / "file").chmod(0)
            # an empty folder would be taken for a package without a file
            part = made / "package"
            part.mkdir()
            (part / "__init__.py").write_text(_PACKAGE, encoding="utf-8")
            part.chmod(0o111)
            try:
                made.rename(folder)
            except OSError:
                files.remove_tree(str(made))
                if not folder.exists():  # else another thread was quicker, and its covers are whole
                    raise

    def over(self, path: str) -> str:
        """What to bind over a path of this machine."""
        if path == environment.own_package():
            return str(self._package)
        return self.of_kind(os.path.isdir(path))

    def of_kind(self, is_folder: bool) -> str:
        """What to bind over a path elsewhere."""
        return str(self._folder if is_folder else self._file)


def hidden_below_input(spec: Spec) -> list[str]:
    """Answer folders that lie in the public folder, relative to it."""
    source = os.path.realpath(spec.input_dir)
    return [
        os.path.relpath(path, source)
        for path in map(os.path.realpath, spec.hidden)
        if path.startswith(source + "/") and os.path.exists(path)
    ]
