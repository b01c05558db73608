"""Paths in settings: `~` is the home folder, as in a shell, which expands none of them behind a `=`."""

from __future__ import annotations

import re
from pathlib import Path

from mlesearch.config.settings import Settings
from mlesearch.types import ConfigError


def expand_paths(s: Settings) -> None:
    """Expand `~` and `~user` in every setting that is a path.

    Raises:
        ConfigError: no such user, or a variable of the shell that the shell did not replace.
    """
    s.study.dir = _expanded("study.dir", s.study.dir)
    s.tasks = [_expanded("tasks", name) for name in s.tasks]
    s.cassette_path = _expanded_or_none("cassette_path", s.cassette_path)
    s.sandbox.exec_store_path = _expanded_or_none("sandbox.exec_store_path", s.sandbox.exec_store_path)
    s.mlebench.data_dir = _expanded_or_none("mlebench.data_dir", s.mlebench.data_dir)
    s.mlebench.python = _expanded_or_none("mlebench.python", s.mlebench.python)
    s.sandbox.weights = _expanded_or_none("sandbox.weights", s.sandbox.weights)


def _expanded_or_none(key: str, path: str | None) -> str | None:
    return None if path is None else _expanded(key, path)


def _expanded(key: str, path: str) -> str:
    if variable := re.match(r"\$\{?([A-Za-z_]\w*)", path):
        raise ConfigError(
            f"{key}: {path} begins with a variable that the shell did not replace, as in single quotes; write the path "
            f"itself, or ${{oc.env:{variable[1]}}} for it"
        )
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        user = path.partition("/")[0]
        raise ConfigError(
            f"{key}: {path}: {user} is nobody's home folder; write ./{path} for a folder of this name"
        ) from None
