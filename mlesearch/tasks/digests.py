"""The digest in a task's version: over all files that a result depends on."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from mlesearch.tasks import files, graders

DECLARED = "task.yaml"
EDA = "eda.md"
HASHED_WHOLE_BYTES = 16 * 2**20
"""Public files above this enter a task's version by name and size only."""

_CATEGORY_LINE = re.compile(rb"^category:.*(?:\n|\Z)", re.MULTILINE)


def task_digest(folder: Path, board: Path | None, words: str) -> str:
    """Eight hex digits over all that a result depends on.

    Large public files enter it by name and size. The line of task.yaml with the category is left out: it groups tasks
    in the analysis, and changes no result.

    Args:
        folder: of the task.
        board: file that the thresholds came from.
        words: that prompts hold and no file does.
    """
    grader = folder / graders.GRADER
    whole = [folder / DECLARED, folder / "description.md", grader, folder / EDA] + ([board] if board else [])
    whole += graders.sources(grader) if grader.is_file() else []
    whole += files.files(folder / "private") if (folder / "private").is_dir() else []
    digest = hashlib.sha256(words.encode())
    for path, is_whole in [*((p, True) for p in whole), *((p, False) for p in files.files(folder / "public"))]:
        if not path.is_file():
            continue
        if path == folder / DECLARED:
            text = _CATEGORY_LINE.sub(b"", path.read_bytes())
            digest.update(f"{DECLARED}\0{len(text)}\0".encode() + hashlib.sha256(text).digest())
            continue
        size = path.stat().st_size
        digest.update(os.fsencode(path.relative_to(folder)) + f"\0{size}\0".encode())
        if is_whole or size <= HASHED_WHOLE_BYTES:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]
