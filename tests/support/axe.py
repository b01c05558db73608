"""axe-core, a checker of accessibility: npm fetches it once into a cache; it is no part of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

VERSION = "4.10.2"
FETCH_S = 60.0


def axe_script() -> str:
    """The text of axe-core, to be run in a page; the test is skipped, with the reason, where it can't be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlesearch-tests"
    script = cache / f"axe-core-{VERSION}.js"
    if not script.is_file():
        _fetch(cache, script)
    return script.read_text(encoding="utf-8")


def _fetch(cache: Path, script: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here to fetch axe-core with")
    cache.mkdir(parents=True, exist_ok=True)
    own = script.with_name(f"{script.name}.{os.getpid()}")  # another process may be at it, too
    own.mkdir()
    words = [npm, "pack", f"axe-core@{VERSION}", "--silent", "--pack-destination", str(own)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not fetch axe-core in {FETCH_S:.0f} s")
    archive = own / f"axe-core-{VERSION}.tgz"
    if done.returncode or not archive.is_file():
        pytest.skip(f"npm can't fetch axe-core here: {done.stderr.strip()[-200:]}")
    with tarfile.open(archive) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member is not None
        (own / script.name).write_bytes(member.read())
    (own / script.name).replace(script)
    shutil.rmtree(own)
