"""A validation set that the harness holds: MLE-bench's own preparation, run once more on a competition's public data.

The download is built again from the public folder (`recipes`), and the package's `prepare` splits it as it split the
real one: a public folder with the same files, of which the labels of the validation rows are no part, and answers that
the real grader takes. A search sees this second public folder alone. The split is made once, whole or not at all, and
found again by what it was made from:

<data>/<competition>/mlesearch/twice-<digest>/<competition>/prepared/{public,private}

so it is a data folder of MLE-bench by itself. Further splits, for candidates that are run again, have another random
state in place of the preparation's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mlesearch.tasks.files import is_litter
from mlesearch.tasks.mlebench import brief
from mlesearch.tasks.mlebench.digests import Digests, public_lines
from mlesearch.tasks.mlebench.facts import Facts
from mlesearch.tasks.mlebench.pool import PREPARE_TIMEOUT_S, GraderPool
from mlesearch.tasks.mlebench.prepared import Prepared, State, kept_folder, look
from mlesearch.tasks.mlebench.public_view import view
from mlesearch.tasks.mlebench.recipes import RECIPES, rebuild
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.tasks.protocol import FullData, Task, Validation
from mlesearch.types import ConfigError, GraderUnavailable

DESCRIPTION = "description.md"
TIMES_PUBLIC = 3.0
"""So many times the public data are needed on the disk while a split is made: packed, unpacked, and prepared."""
_FORMAT = 1


def is_possible(competition: str) -> bool:
    """Whether a competition's public data can be prepared once more."""
    return competition in RECIPES


def check_possible(known: Facts, terms: MlebenchTerms) -> None:
    """Refuse a competition that can't hold out a validation set, where the terms let no other one stand in.

    Raises:
        ConfigError: it can't.
    """
    if terms.validation == "twice" and terms.fallback == "refuse" and not is_possible(known.id):
        raise ConfigError(
            f"mlebench:{known.id}: mlebench.validation=twice is impossible: its public data can't be prepared once "
            "more; leave it out, or take the score that programs report there with mlebench.fallback=reported"
        )


def fallback_line(competition: str, terms: MlebenchTerms) -> str:
    """What to say of a competition whose programs report their scores though a held-out set was asked for."""
    if terms.validation != "twice" or is_possible(competition):
        return ""
    return (
        "mlebench.validation=twice is impossible, so its programs report their own validation score; "
        "mlebench.fallback=refuse refuses such a mixture"
    )


def with_held_out(
    task: Task, found: Prepared, graders: GraderPool, terms: MlebenchTerms, tell: Callable[[str], None]
) -> Task:
    """A competition whose search sees a second split, and whose chosen program runs again on all of the public data.

    Args:
        task: the competition, with the public data as programs see them.
        found: where it lies.
        graders: of MLE-bench.
        terms: on which it is used.
        tell: is told that a split is being made.
    """
    split = held_out(found, graders, tell=tell)
    digests = Digests(kept_folder(split))
    lines = [task.version, *public_lines(split.public, digests), digests.of(split.answers, "sha256")]
    digests.keep()
    seen = view(split, unpacks=terms.unpack == "auto", python=graders.python)
    full = FullData(task.public_dir, task.private_dir)
    return replace(
        task,
        version="mlebench-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8],
        validation=Validation.HARNESS,
        public_dir=seen.folder,
        private_dir=split.private.resolve(),
        contract=brief.contract_held_out(seen.sample, (task.id_column, *task.target_columns), task.metric),
        full=full,
    )


def fresh(task: Task, found: Prepared, graders: GraderPool, terms: MlebenchTerms, seed: int) -> Task:
    """The competition with another held-out set, for candidates that are run again.

    Args:
        task: as `with_held_out` gives it.
        found: where it lies.
        graders: of MLE-bench.
        terms: on which it is used.
        seed: of the split; equal seeds give equal splits.
    """
    split = held_out(found, graders, seed=seed)
    seen = view(split, unpacks=terms.unpack == "auto", python=graders.python)
    return replace(task, public_dir=seen.folder, private_dir=split.private.resolve())


def data_folder_of(task: Task) -> Path:
    """The data folder, in MLE-bench's layout, in which a competition's answers lie."""
    return task.private_dir.parents[2]


def held_out(
    found: Prepared, graders: GraderPool, *, seed: int | None = None, tell: Callable[[str], None] = lambda text: None
) -> Prepared:
    """The public data of a competition prepared once more; made where it is not there yet.

    Args:
        found: the competition.
        graders: of the interpreter that has MLE-bench.
        seed: in place of the preparation's own random state.
        tell: is told that it is being made.

    Returns:
        A competition of a data folder of its own.

    Raises:
        ConfigError: it can't be made.
    """
    kept = kept_folder(found)
    place = kept / f"twice-{_digest(found, graders, seed)}"
    if not place.is_dir():
        tell(f"mlebench:{found.facts.id}: making {'its' if seed is None else 'a fresh'} validation split, once")
        _make(found, graders, seed, place)
    split = look(place, found.facts)
    if split.state is not State.PREPARED:
        raise ConfigError(
            f"mlebench:{found.facts.id}: its validation split is damaged ({split.problem}); remove {place}, and it is "
            "made again"
        )
    return split


def _digest(found: Prepared, graders: GraderPool, seed: int | None) -> str:
    """Of all that a split is made from."""
    digests, hello = Digests(kept_folder(found)), graders.hello()
    lines = [
        f"format {_FORMAT}",
        f"seed {seed}",
        repr(RECIPES[found.facts.id]),
        f"package {hello.digest}",
        *(f"{name} {version}" for name, version in sorted(hello.versions.items())),
        *public_lines(found.public, digests),
    ]
    digests.keep()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _make(found: Prepared, graders: GraderPool, seed: int | None, place: Path) -> None:
    _check_space(found, place.parent)
    _sweep(place.parent)
    prefix = f"{_making()}{os.getpid()}-"
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=prefix, ignore_cleanup_errors=True) as name:
        raw, made = Path(name) / "raw", look(Path(name) / "data", found.facts)
        for folder in (raw, made.public, made.private):
            folder.mkdir(parents=True)
        rebuild(found.facts.id, found.public, raw)
        _prepare(found.facts.id, graders, raw, made, seed)
        if (found.public / DESCRIPTION).is_file():
            shutil.copyfile(found.public / DESCRIPTION, made.public / DESCRIPTION)
        _check_made(found, look(Path(name) / "data", found.facts))
        with contextlib.suppress(OSError):  # another process was first
            (Path(name) / "data").rename(place)


def _making() -> str:
    """What the folders begin with in which this machine's processes make splits."""
    return f".making-twice-{socket.gethostname()}-"


def _sweep(folder: Path) -> None:
    """Remove what processes of this machine left that were killed while they made a split."""
    for left in folder.glob(f"{_making()}*"):
        process = left.name.removeprefix(_making()).partition("-")[0]
        if process.isdigit() and not Path("/proc", process).exists():
            shutil.rmtree(left, ignore_errors=True)


def _prepare(id: str, graders: GraderPool, raw: Path, made: Prepared, seed: int | None) -> None:
    try:
        graders.prepare(
            id, raw=raw, public=made.public, private=made.private, timeout_s=PREPARE_TIMEOUT_S, random_state=seed
        )
    except GraderUnavailable as error:
        raise ConfigError(
            f"mlebench:{id}: its validation split could not be made: {error}; set mlebench.validation=reported, or "
            "leave the competition out"
        ) from error


def _check_made(found: Prepared, made: Prepared) -> None:
    """A program that reads one public folder must find the same names in the other.

    Raises:
        ConfigError: it would not, or something is missing.
    """
    real, second = _names(found.public), _names(made.public)
    if made.state is State.PREPARED and real == second:
        return
    what = made.problem or f"other files than {found.public}: {', '.join(sorted(real ^ second))}"
    raise ConfigError(
        f"mlebench:{found.facts.id}: its validation split came out wrong ({what}); set mlebench.validation=reported, "
        "or leave the competition out"
    )


def _names(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if not is_litter(name)}


def _check_space(found: Prepared, folder: Path) -> None:
    needed = TIMES_PUBLIC * sum(
        os.lstat(os.path.join(root, name)).st_size for root, _, names in os.walk(found.public) for name in names
    )
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigError(
            f"mlebench:{found.facts.id}: about {needed / 1e9:.1f} GB are needed while its validation split is made, "
            f"and {folder} has {free / 1e9:.1f} GB free; make space, or set mlebench.validation=reported"
        )
