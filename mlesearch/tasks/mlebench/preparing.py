"""Has a competition prepared by MLE-bench's own code, beside the data: half-done work never looks prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlesearch.tasks.mlebench import archives
from mlesearch.tasks.mlebench.competition import recorded_sums, wrong_sums
from mlesearch.tasks.mlebench.digests import Digests
from mlesearch.tasks.mlebench.facts import Facts
from mlesearch.tasks.mlebench.official import OfficialCompetition
from mlesearch.tasks.mlebench.pool import PREPARE_TIMEOUT_S, GraderPool
from mlesearch.tasks.mlebench.prepared import Prepared, State, how_to, look
from mlesearch.types import ConfigError, GraderUnavailable

WORKER = Path(__file__).with_name("download_worker.py")
DESCRIPTION = "description.md"
KEPT_RAW = "raw"
TIMES_RAW = 3.0
"""So many times the download is needed on the disk while a competition is prepared: itself, unpacked, and prepared."""
SHOWN_CHARS = 400


def prepare(
    data: Path,
    facts: Facts,
    graders: GraderPool,
    *,
    source: Path | None = None,
    keep_raw: bool = False,
    verify: bool = True,
    tell: Callable[[str], None] = lambda text: None,
) -> Prepared:
    """Prepare one competition.

    Args:
        data: the folder of all competitions.
        facts: of this one.
        graders: of the interpreter that has MLE-bench.
        source: the download, as a zip or a folder; None: it is downloaded from Kaggle by MLE-bench's client.
        keep_raw: keep the unpacked download beside it.
        verify: whether the result must be what MLE-bench records.
        tell: is told what is being done.

    Returns:
        What is there then.

    Raises:
        ConfigError: there is too little space, the download failed or is another one, or a half-prepared folder is in
            its place.
    """
    found, package = look(data, facts), graders.describe(facts.id)
    if found.state is State.PREPARED:
        return found
    if found.state is State.DAMAGED:
        raise ConfigError(
            f"{found.folder}: {found.problem}; move {found.folder / 'prepared'} away, and prepare it again"
        )
    if source is not None and not source.exists():
        raise ConfigError(
            f"--from: {source} is not there; name the zip that Kaggle gives, or a folder of what is in it"
        )
    data.mkdir(parents=True, exist_ok=True)
    _check_space(data, facts, source)
    with tempfile.TemporaryDirectory(dir=data, prefix=f".preparing-{facts.id}-", ignore_cleanup_errors=True) as name:
        made = look(Path(name), facts)
        raw = made.folder / KEPT_RAW
        raw.mkdir(parents=True)
        if source is None:
            tell(f"{facts.id}: downloading {f'{facts.raw_gb:g} GB' if facts.raw_gb else ''} from Kaggle")
            _download(graders.python, Path(name), facts)
            source = _downloaded(made)
        tell(f"{facts.id}: unpacking")
        _fill(raw, source)
        tell(f"{facts.id}: preparing")
        _prepare(graders, made)
        made = look(Path(name), facts)
        if made.state is not State.PREPARED:
            raise ConfigError(
                f"{facts.id}: MLE-bench's own preparation came to nothing ({made.problem}); see its issues"
            )
        if verify:
            _verify(made, package)
        (made.public / DESCRIPTION).write_text(package.description, encoding="utf-8")
        _take_over(made, found, keep_raw=keep_raw)
    return look(data, facts)


def _check_space(data: Path, facts: Facts, source: Path | None) -> None:
    raw = (facts.raw_gb or 0.0) * 1e9
    if source is not None and source.is_file():
        raw = source.stat().st_size
    free = shutil.disk_usage(data).free
    if raw * TIMES_RAW > free:
        raise ConfigError(
            f"{facts.id}: about {raw * TIMES_RAW / 1e9:.1f} GB are needed while it is prepared, and {data} has "
            f"{free / 1e9:.1f} GB free; make space, or set mlebench.data_dir to another disk"
        )


def _prepare(graders: GraderPool, made: Prepared) -> None:
    """Have MLE-bench's own code make the public and the private folder.

    Raises:
        ConfigError: it failed.
    """
    for folder in (made.public, made.private):
        folder.mkdir(parents=True)
    raw = made.folder / KEPT_RAW
    try:
        graders.prepare(made.facts.id, raw=raw, public=made.public, private=made.private, timeout_s=PREPARE_TIMEOUT_S)
    except GraderUnavailable as error:
        raise ConfigError(f"{error}; is what it was given the whole download of Kaggle?") from error


def _download(python: Path, data: Path, facts: Facts) -> None:
    """Have MLE-bench's client of Kaggle download a competition.

    Raises:
        ConfigError: it failed; the text has its last words, and what a user does about the most common causes.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [str(python), "-I", str(WORKER), str(data), facts.id],
            cwd=scratch,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode == 0:
        return
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    last = lines[-1].strip()[:SHOWN_CHARS] if lines else f"exit code {done.returncode}"
    raise ConfigError(f"{facts.id}: the download failed: {last}; {_about_download(done.stdout, facts)}")


def _about_download(output: str, facts: Facts) -> str:
    """What a user does about a download that failed."""
    words = output.lower()
    if "must accept" in words or "403" in words or "rules" in words:
        return how_to(facts)
    if "credential" in words or "authenticat" in words or "401" in words or "kaggle.json" in words:
        return "put a token of kaggle.com/settings into ~/.kaggle/kaggle.json, or give the data with --from ZIP"
    return "try again, or give the data with --from ZIP"


def _downloaded(made: Prepared) -> Path:
    zips = sorted(made.folder.glob("*.zip"))
    if len(zips) != 1:
        raise ConfigError(
            f"{made.facts.id}: the download gave {len(zips)} zip files and not one; give it with --from ZIP"
        )
    return zips[0]


def _fill(raw: Path, source: Path) -> None:
    """Put what was downloaded into the raw folder: unpacked, or as hard links to a folder's files."""
    if source.is_dir():
        shutil.copytree(source, raw, copy_function=_link, dirs_exist_ok=True)
    elif archives.is_archive(source.name):
        archives.extract(source, raw)
    else:
        raise ConfigError(f"--from: {source} is no zip and no folder; name the zip that Kaggle gives")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _verify(made: Prepared, package: OfficialCompetition) -> None:
    wrong = list(wrong_sums(made, recorded_sums(package.checksums), Digests(made.folder)))
    if wrong:
        raise ConfigError(
            f"{made.facts.id}: what was prepared is not what MLE-bench records ({', '.join(wrong)}): the download is "
            "another one than theirs, or a library is; nothing was kept (mlebench.verify=off keeps it all the same)"
        )


def _take_over(made: Prepared, found: Prepared, *, keep_raw: bool) -> None:
    """Give what was prepared its place, by a rename each; the folder `prepared` comes last."""
    found.folder.mkdir(parents=True, exist_ok=True)
    raw = found.folder / KEPT_RAW
    if keep_raw and not raw.exists():
        (made.folder / KEPT_RAW).rename(raw)
    try:
        (made.folder / "prepared").rename(found.folder / "prepared")
    except OSError as error:
        if look(found.folder.parent, found.facts).state is not State.PREPARED:  # no other process was first
            raise ConfigError(f"{found.folder}: what was prepared can't be put there ({error.strerror})") from None
