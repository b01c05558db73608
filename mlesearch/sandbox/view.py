"""How the host looks to a program: its variables, and what its output shows in place of the host's paths."""

from __future__ import annotations

import os
from pathlib import Path

from mlesearch.sandbox.environment import Interpreter, own_package
from mlesearch.sandbox.protocol import Spec


def variables(python: Interpreter, cpu_count: int, home: str, tmp: str, serial_joblib: bool) -> dict[str, str]:
    """All variables of a program; none of the host's."""
    threads = str(cpu_count)
    found = {
        "PATH": f"{os.path.join(python.prefix, 'bin')}:/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "USER": "agent",
        "LOGNAME": "agent",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": tmp,
        "JOBLIB_TEMP_FOLDER": tmp,
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
    }
    for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "BLIS"):
        found[f"{name}_NUM_THREADS"] = threads
    found["NUMEXPR_MAX_THREADS"] = found["VECLIB_MAXIMUM_THREADS"] = found["LOKY_MAX_CPU_COUNT"] = threads
    for name, folder in (
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_RUNTIME_DIR", ".run"),
        ("MPLCONFIGDIR", ".config/matplotlib"),
        ("SCIKIT_LEARN_DATA", ".cache/scikit-learn"),
        ("NUMBA_CACHE_DIR", ".cache/numba"),
        ("TORCH_HOME", ".cache/torch"),
        ("TORCHINDUCTOR_CACHE_DIR", ".cache/inductor"),
        ("TRITON_CACHE_DIR", ".cache/triton"),
        ("HF_HOME", ".cache/huggingface"),
        ("KERAS_HOME", ".cache/keras"),
        ("NLTK_DATA", ".cache/nltk"),
    ):
        found[name] = os.path.join(home, folder)
    outside = [path for path in python.site if not path.startswith(python.prefix.rstrip("/") + "/")]
    if outside:  # a Python that the program starts would not find them by itself
        found["PYTHONPATH"] = os.pathsep.join(outside)
    if serial_joblib:
        found["JOBLIB_MULTIPROCESSING"] = "0"
    return found


def names_shown(python: Interpreter, spec: Spec, folder: Path) -> dict[str, str]:
    """What a program's output shows in place of the host's paths.

    Args:
        python: the interpreter that programs run in.
        spec: whose folders are named.
        folder: the slot's, with work, tmp and home in it.
    """
    shown: dict[str, str] = {}
    for path, name in (
        (str(folder / "work"), ""),
        (str(folder / "tmp"), "tmp"),
        (str(folder / "home"), "home"),
        (str(folder), "sandbox"),
        (str(spec.input_dir), "input"),
        *((str(hidden), "hidden") for hidden in spec.hidden),
        (str(folder.parent), "sandbox"),
    ):
        _show(shown, path, name)
    for path, name in interpreter_shown(python).items():
        shown.setdefault(path, name)
    return shown


def interpreter_shown(python: Interpreter) -> dict[str, str]:
    """What a program's output shows in place of the paths of its interpreter."""
    shown: dict[str, str] = {}
    for path, name in (
        (python.stdlib, "python"),
        *((site, "site-packages") for site in python.site),
        (own_package(), "harness"),
        *((prefix, "python") for prefix in (python.prefix, python.base_prefix)),
    ):
        _show(shown, path, name)
    return shown


def _show(shown: dict[str, str], path: str, name: str) -> None:
    if path not in ("/", "/usr", "/usr/local"):
        shown.setdefault(path, name)
        shown.setdefault(os.path.realpath(path), name)


def with_roots_of_mounts(shown: dict[str, str]) -> dict[str, str]:
    """The same, and each path as /proc/self/mountinfo has it: from the root of the file system that it lies in."""
    found = dict(shown)
    for path, name in shown.items():
        inside = _from_its_file_system(path)
        if inside.count("/") > 1:  # a single name may be anything
            found.setdefault(inside, name)
    return found


def _from_its_file_system(path: str) -> str:
    mount = path
    while not os.path.ismount(mount) and mount not in ("/", ""):
        mount = os.path.dirname(mount)
    return path[len(mount.rstrip("/")) :]
