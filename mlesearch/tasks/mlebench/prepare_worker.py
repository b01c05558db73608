"""Downloads or prepares one competition; run by MLE-bench's own interpreter, which need not have mlesearch.

    python -I prepare_worker.py download|prepare DATA_DIR COMPETITION

Its working directory is a scratch folder: what MLE-bench is imported from makes a folder `cache` in it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """Do one of the two; a failure is a traceback, whose last line says what it was."""
    what, data, id = sys.argv[1:]
    registry = import_module("mlebench.registry").registry.set_data_dir(Path(data))
    competition = registry.get_competition(id)
    competition.raw_dir.mkdir(parents=True, exist_ok=True)
    if what == "download":
        download = import_module("mlebench.data").download_dataset
        print(download(competition_id=id, download_dir=competition.raw_dir.parent, force=False))
        return
    for folder in (competition.public_dir, competition.private_dir):
        folder.mkdir(parents=True, exist_ok=True)
    competition.prepare_fn(raw=competition.raw_dir, public=competition.public_dir, private=competition.private_dir)
    (competition.public_dir / "description.md").write_text(competition.description, encoding="utf-8")


if __name__ == "__main__":
    main()
