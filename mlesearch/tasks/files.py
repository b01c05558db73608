"""The files of a task's folder: what counts as one, what litter is, and links that programs could not follow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlesearch.types import ConfigError

_LITTER = re.compile(
    r"""
    \.DS_Store | \._.* | __MACOSX | \.Spotlight-V100 | \.Trashes | \.fseventsd | \.AppleDouble   # of macOS
    | Thumbs\.db | ehthumbs\.db | desktop\.ini | \$RECYCLE\.BIN                                   # of Windows
    | \.nfs[0-9a-f]+ | \.fuse_hidden[0-9a-f]+ | lost\+found | \.Trash-\d+ | \.directory           # of file systems
    | __pycache__ | \.ipynb_checkpoints | \.mypy_cache | \.ruff_cache | \.pytest_cache            # of Python
    | .*~ | \.\#.* | \#.*\# | \..*\.sw[a-p] | .*\.bak | \.goutputstream-.*                        # of editors
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Names that systems, Python and editors leave in folders: no part of a task, whose version they must not change."""


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name was left there by something else, and is no part of a task."""
    return _LITTER.fullmatch(name) is not None


def files(root: Path, *, litter: bool = False) -> list[Path]:
    """All regular files below a folder, sorted; links are followed, to folders too, each folder once on its way.

    Args:
        root: of the files; itself it may be a link.
        litter: whether files that are no part of a task are listed too.
    """
    return sorted(_below(root, litter, frozenset({os.path.realpath(root)})))


def _below(folder: Path, litter: bool, above: frozenset[str]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not litter and is_litter(entry.name):
                continue
            path = folder / entry.name
            if entry.is_dir():
                place = os.path.realpath(path)
                if place not in above:
                    yield from _below(path, litter, above | {place})
            elif entry.is_file():
                yield path


def check_links(public: Path) -> None:
    """Refuse links in a public folder that programs can't follow: they see that folder alone, under another path.

    Args:
        public: the folder, resolved.

    Raises:
        ConfigError: a link leads out of it, has an absolute path, or leads nowhere.
    """
    for folder, folders, names in os.walk(public):
        for name in sorted([*folders, *names]):
            path = Path(folder, name)
            if path.is_symlink() and not is_litter(name):
                _check_link(public, path)


def _check_link(public: Path, path: Path) -> None:
    shown_path, target = f"public/{shown(str(path.relative_to(public)))}", os.readlink(path)
    place = path.resolve()
    if place.is_relative_to(public.parent / "private"):
        raise ConfigError(f"{public.parent}: {shown_path} is a link into the private folder; remove it")
    if not path.exists():
        raise ConfigError(f"{public.parent}: {shown_path} is a link that leads nowhere ({shown(target)}); remove it")
    lexical = os.path.normpath(os.path.join(path.parent.relative_to(public), target))
    if os.path.isabs(target) or lexical.split(os.sep)[0] == os.pardir or not place.is_relative_to(public):
        raise ConfigError(
            f"{public.parent}: {shown_path} is a link to {shown(target)}, which programs can't follow: they see "
            f"public/ alone. Put the files themselves there: as copies (cp -rL), as hard links (cp -rlL, where it is "
            f"one file system), or by a mount (mount --bind); a link within public/ has to be a relative one"
        )


def shown(name: str) -> str:
    """A file name in a text: bytes that are no UTF-8, and control characters, become question marks."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\ufffd", "?")
    return "".join(c if c.isprintable() else "?" for c in text)


def caches(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's folder of caches, as the XDG base directory specification has it."""
    named = environ.get("XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"
