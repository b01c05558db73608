"""Where a user's own files are looked for: the working folder, and the folders that `MLESEARCH_PATH` names.

Each of these folders is laid out as the checkout is; whatever of it is absent is not looked for:

```
conf/model/NAME.yaml    conf/strategy/NAME.yaml    conf/sandbox/NAME.yaml
experiments/NAME.yaml
tasks/NAME/task.yaml
```
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mlesearch.types import ConfigError

PATH_VARIABLE = "MLESEARCH_PATH"
"""Names further folders of own files, separated as in PATH."""
TASKS = "tasks"


def folders() -> list[Path]:
    """The folders of own files, absolute: the working folder, then those of the environment variable.

    Raises:
        ConfigError: the variable names what is no folder.
    """
    found = [Path.cwd()]
    for entry in os.environ.get(PATH_VARIABLE, "").split(os.pathsep):
        if not entry:
            continue
        folder = Path(entry).expanduser().absolute()
        if not folder.is_dir():
            raise ConfigError(
                f"{PATH_VARIABLE}: {entry} is no folder; name folders that have conf/, experiments/ or tasks/, "
                f"separated by {os.pathsep!r}"
            )
        found.append(folder)
    return list(dict.fromkeys(found))


def where(inner: str) -> str:
    """Where an own file of some kind may lie, for a message: `conf/model/NAME.yaml here or in ...`."""
    return f"{inner} in this folder, or in one that {PATH_VARIABLE} names"


def task_folders(declared: str) -> Iterator[tuple[str, Path]]:
    """Own tasks, by the names of their folders: each holds the file that declares a task.

    Args:
        declared: the name of that file.
    """
    for folder in folders():
        root = folder / TASKS
        if root.is_dir():
            for path in sorted(root.iterdir()):
                if (path / declared).is_file():
                    yield path.name, path
