"""The same runs in processes of their own with other hash seeds, where the order of a set of strings is another."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

TIMEOUT_S = 300.0
_REPEAT = "events_to_repeat"
_CODE = f"from {__name__} import main; import sys; main(sys.argv[1:])"


def importable(suite: type[Any]) -> bool:
    """Whether another process finds this class: it stands at the top of its module, under its own name."""
    return getattr(sys.modules.get(suite.__module__), suite.__qualname__, None) is suite


@cache
def digests(module: str, seed: str) -> Mapping[str, str]:
    """By class: a digest of all events of its `events_to_repeat()`, made in a new process; or, there, what went wrong.

    All classes of a module are done at once, since a process takes longer to start than they take.

    Args:
        module: name of one that is imported here.
        seed: the value of PYTHONHASHSEED.

    Raises:
        AssertionError: the process failed; says how.
    """
    where = [module, getattr(sys.modules[module], "__file__", None) or "", json.dumps(sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *where],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{module} cannot be imported in a second process: {done.stderr[-1000:]}"
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def _digest(suite: type[Any]) -> str:
    try:
        return hashlib.sha256(repr(suite().events_to_repeat()).encode()).hexdigest()
    except Exception as e:  # told apart by the process that asked; one suite's fault is not another's
        return f"{type(e).__name__}: {e}"


def _load(name: str, file: str) -> ModuleType:
    """A module by its name, else by its file."""
    try:
        return importlib.import_module(name)
    except ImportError:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def main(argv: Sequence[str]) -> None:
    """Print the digests of all suites of the module that the arguments name."""
    name, file, path = argv
    sys.path[:] = json.loads(path)
    module = _load(name, file)
    suites = [c for c in vars(module).values() if inspect.isclass(c) and hasattr(c, _REPEAT)]
    own = [c for c in suites if not inspect.isabstract(c) and c.__module__ == name]
    print(json.dumps({c.__qualname__: _digest(c) for c in own}))
