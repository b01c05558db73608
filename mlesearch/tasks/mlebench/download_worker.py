"""Downloads one competition by MLE-bench's client of Kaggle; run by its own interpreter, which need not have mlesearch.

    python -I download_worker.py DATA_DIR COMPETITION

Its working directory is a scratch folder: what MLE-bench is imported from makes a folder `cache` in it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main() -> None:
    """A failure is a traceback, whose last line says what it was."""
    data, id = sys.argv[1:]
    competition = import_module("mlebench.registry").registry.set_data_dir(Path(data)).get_competition(id)
    download = import_module("mlebench.data").download_dataset
    download(competition_id=id, download_dir=competition.raw_dir.parent, force=False)


if __name__ == "__main__":
    main()
