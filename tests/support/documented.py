"""The files and commands that a page of docs/ shows, and a package of such files installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.paths import DOCS


def files(page: str) -> dict[str, str]:
    """Every file that a page shows whole, by its path: a block of code below a line that begins with its name."""
    blocks = r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)^```$"
    return dict(re.findall(blocks, (DOCS / page).read_text(), re.MULTILINE | re.DOTALL))


def blocks(page: str, language: str) -> list[str]:
    """Every block of code in a language, in the order of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def write(contents: dict[str, str], folder: Path) -> Path:
    """Files written below a folder, which is made."""
    for name, body in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return folder


def install(source: Path, target: Path) -> Path:
    """A package installed by pip into a folder for PYTHONPATH; all that it needs is here already."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run([*pip, *offline], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target
