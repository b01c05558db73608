"""An environment of its own for MLE-bench's package, with the releases of libraries that grade as those of 2024 did.

Each installation is a new folder in the user's folder of caches, and a link names the current one, which changes only
when the new one has graded rightly: a run that is at work keeps the environment that it began with. What is installed
is a copy: the repository may move or change afterwards, and nothing is written into it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.mlebench import interpreter, selftest
from mlesearch.tasks.mlebench.interpreter import Hello
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.types import ConfigError, GraderUnavailable

CONSTRAINTS = Path(__file__).with_name("constraints-mlebench.txt")
REQUIRED = (
    *("appdirs", "diskcache", "fastparquet", "levenshtein", "numpy<2.4", "pandas<3", "pillow", "py7zr", "pycocotools"),
    *("pymongo", "pyquaternion", "pyyaml", "requests", "scikit-learn<1.11", "scipy", "shapely", "tenacity", "tqdm"),
)
"""What grading needs of all that the package declares: its agents, downloads and notebooks are left out."""
COPIED = ("mlebench", "pyproject.toml", "README.md", "LICENSE")
SPLITS = Path("experiments", "splits")
"""Lists of competitions, which the package looks for beside itself, and does not install."""
SOURCE = "mlebench-source.json"
LFS_START = b"version https://git-lfs"
SAID_LINES = 4


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that has graded rightly.

    Attributes:
        python: its interpreter.
        hello: what is in it.
        boards: leaderboards of competitions in it.
        pointers: how many of them are Git-LFS pointers, in whose place our table is used.
    """

    python: Path
    hello: Hello
    boards: int
    pointers: int


def install(
    repository: str,
    *,
    commit: str | None = None,
    base: Path | None = None,
    home: Path | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Installed:
    """Make an environment with MLE-bench's package in it, grade with it, and make it the one that is used.

    Args:
        repository: a folder of its repository, or what `git clone` takes.
        commit: to be checked out; None: the folder as it is, or the newest.
        base: the Python that the environment is made of; None: this one.
        home: folder for environments; None: in the user's folder of caches.
        tell: is told what is being done, one line each.

    Raises:
        ConfigError: there is no such repository or commit, or a step failed; the text says which and why.
        GraderUnavailable: what was installed can't grade, or grades wrongly; it is not used.
    """
    home = home or interpreter.home()
    home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{time.strftime('%Y%m%d-%H%M%S')}-", dir=home))
    try:
        with tempfile.TemporaryDirectory(prefix="mlesearch-install-") as made:
            source, noted = _source(repository, commit, Path(made), tell)
            python = _environment(folder, base or Path(sys.executable), tell)
            tell(f"installing {len(REQUIRED)} libraries for grading (some 500 MB; a minute or two)")
            pip = [str(python), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--constraint", str(CONSTRAINTS), *REQUIRED], "the libraries can't be installed")
            _run([*pip, "--no-deps", str(source)], "the package can't be installed")
            package = _package(folder)
            if (source / SPLITS).is_dir():
                shutil.copytree(source / SPLITS, package.parent / SPLITS)
            (package.parent / SOURCE).write_text(json.dumps(noted), encoding="utf-8")
        tell("grading three submissions that other releases of the libraries get wrong")
        with GraderPool(python, folder) as graders:
            hello = graders.hello()
        wrong = [*hello.unmet, *selftest.wrong_grades(python)]
        if wrong:
            raise GraderUnavailable(f"mlebench install: {python} grades wrongly: {'; '.join(wrong)}; it is not used")
        boards = list((package / "competitions").glob("*/leaderboard.csv"))
        pointers = sum(_is_pointer(board) for board in boards)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _use(folder, home)
    return Installed(python, hello, len(boards), pointers)


def _source(
    repository: str, commit: str | None, place: Path, tell: Callable[[str], None]
) -> tuple[Path, dict[str, object]]:
    """A copy of the repository's files that are installed, and where it came from."""
    given = Path(repository).expanduser()
    if given.is_dir() and (given / "mlebench").is_dir() and commit is None:
        tree = given.absolute()
    else:
        tree = place / "clone"
        tell(f"cloning {repository}")
        quiet = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1"}
        named = str(given.absolute()) if given.is_dir() else repository
        _run(["git", "clone", "--quiet", "--", named, str(tree)], f"{repository} can't be cloned", quiet)
        if commit is not None:
            wanted = ["git", "-C", str(tree), "checkout", "--quiet", "--detach", commit]
            _run(wanted, f"{repository} has no commit {commit}", quiet)
        _fetch_boards(tree)
    if not (tree / "mlebench" / "registry.py").is_file() or not (tree / "pyproject.toml").is_file():
        raise ConfigError(
            f"mlebench install: {repository} is no repository of MLE-bench: mlebench/registry.py is not in it"
        )
    copy = place / "source"
    copy.mkdir()
    for name in COPIED:
        if (tree / name).is_dir():
            shutil.copytree(tree / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (tree / name).is_file():
            shutil.copy(tree / name, copy / name)
    if (tree / SPLITS).is_dir():
        shutil.copytree(tree / SPLITS, copy / SPLITS)
    return copy, {"repository": repository, "commit": _commit(tree)}


def _fetch_boards(tree: Path) -> None:
    """Fetch the leaderboards from Git LFS, where there is one; without it they stay pointers, which is told later."""
    words = ["git", "-C", str(tree), "lfs", "pull", "--include", "mlebench/competitions/*/leaderboard.csv"]
    subprocess.run(words, capture_output=True, check=False)


def _commit(tree: Path) -> str:
    """The commit of a work tree, with a mark where files of the package were changed; empty outside git."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(tree), *words], capture_output=True, check=False)
        return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""

    # A folder inside another repository has no commit of its own.
    if Path(git("rev-parse", "--show-toplevel") or "/nowhere").resolve() != tree.resolve():
        return ""
    changed = git("status", "--porcelain", "--", "mlebench")
    return git("rev-parse", "HEAD") + ("+changes" if changed else "")


def _environment(folder: Path, base: Path, tell: Callable[[str], None]) -> Path:
    tell(f"making an environment in {folder}")
    _run(
        [str(base), "-I", "-m", "venv", str(folder)],
        f"{base} makes no environment (on Debian: apt-get install python3-venv)",
    )
    return folder / "bin" / "python"


def _package(folder: Path) -> Path:
    found = next(folder.glob("lib/python*/site-packages/mlebench"), None)
    if found is None:
        raise ConfigError("mlebench install: pip installed no package called mlebench from there")
    return found


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(LFS_START)) == LFS_START


def _use(folder: Path, home: Path) -> None:
    """Make an environment the current one; the one before it is kept for runs at work, older ones are removed."""
    link = home / interpreter.CURRENT
    before = link.resolve() if link.is_symlink() else None
    new = home / f".{folder.name}"
    new.symlink_to(folder.name)
    new.replace(link)
    for other in home.iterdir():
        if other.is_dir() and not other.is_symlink() and other.resolve() not in (folder.resolve(), before):
            shutil.rmtree(other, ignore_errors=True)


def _run(words: Sequence[str], failed: str, environ: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(words, capture_output=True, check=False, env=environ, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise ConfigError(f"mlebench install: {failed}: {words[0]} can't be started ({error.strerror})") from error
    if done.returncode:
        lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise ConfigError(f"mlebench install: {failed}: {' / '.join(lines[-SAID_LINES:]) or f'exit {done.returncode}'}")
