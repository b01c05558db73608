"""The interpreter that programs run in: what of it they may read, its packages, its digest, its variables."""

from __future__ import annotations

import functools
import glob
import hashlib
import importlib.metadata
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox.gpu import devices
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import Spec
from mlesearch.types import ConfigError, SandboxUnavailable

PROMPT_PACKAGES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "xgboost", "catboost", "torch", "joblib")

# Labelled data that packages ship, relative to a site-packages folder: answers to well-known tasks.
BUNDLED_DATA = (
    "sklearn/datasets/data",
    "sklearn/datasets/images",
    "sklearn/datasets/descr",
    "sklearn/datasets/tests",
    "statsmodels/datasets/*/*.csv",
    "skimage/data/*.png",
    "skimage/data/*.npy",
    "skimage/data/*.npz",
    "matplotlib/mpl-data/sample_data",
    "seaborn/data",
    "mlxtend/data/data",
    "shap/cached_data",
    "vega_datasets/_data",
    "plotly/package_data/datasets",
    "pydataset/resources",
    "lifelines/datasets/*.csv",
    "river/datasets/*.gz",
    "river/datasets/*.csv",
    "river/datasets/*.zip",
    "sktime/datasets/data",
    "aeon/datasets/data",
    "yellowbrick/datasets/fixtures",
    "palmerpenguins/data",
    "nltk_data",
)
OWN = ("mlesearch", "mlesearch-*", "__editable__*mlesearch*", "__pycache__/__editable__*mlesearch*")

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
SYSTEM_DATA = (
    "/usr/lib/R/library/datasets",
    "/usr/share/R-datasets",
    "/usr/share/nltk_data",
    "/usr/local/share/nltk_data",
)
READABLE = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/fonts",
    "/etc/ssl/openssl.cnf",
    "/etc/alternatives",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
)

PRELOAD = (
    "numpy",
    "numpy.random",
    "pandas",
    "scipy.linalg",
    "scipy.optimize",
    "scipy.sparse",
    "scipy.special",
    "scipy.stats",
    "sklearn.base",
    "sklearn.calibration",
    "sklearn.cluster",
    "sklearn.compose",
    "sklearn.decomposition",
    "sklearn.discriminant_analysis",
    "sklearn.dummy",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.feature_selection",
    "sklearn.impute",
    "sklearn.isotonic",
    "sklearn.kernel_ridge",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.naive_bayes",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "sklearn.tree",
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that programs run in: the one that runs the harness.

    Attributes:
        executable: its path, as the harness was started.
        prefix: of the virtual environment, or the base.
        base_prefix: of the installation.
        site: folders of installed packages.
        stdlib: folder of the standard library.
    """

    executable: str
    prefix: str
    base_prefix: str
    site: tuple[str, ...]
    stdlib: str


def interpreter() -> Interpreter:
    """This process' own interpreter.

    Raises:
        SandboxUnavailable: it can't be told where it lies (an embedded Python).
    """
    if not sys.executable:
        raise SandboxUnavailable("sandbox local: sys.executable is empty; start mlesearch with an ordinary python")
    site = dict.fromkeys(
        path
        for path in sys.path
        if os.path.basename(path) in ("site-packages", "dist-packages") and os.path.isdir(path)
    )
    return Interpreter(sys.executable, sys.prefix, sys.base_prefix, tuple(site), sysconfig.get_path("stdlib"))


def own_package() -> str:
    """The folder of mlesearch itself, installed or a source checkout."""
    return os.path.realpath(Path(__file__).parents[1])


def allowed(python: Interpreter) -> list[tuple[str, int]]:
    """(path without links, rights) that every program gets."""
    exec_roots = [*SYSTEM, python.stdlib, *python.site]
    for prefix in (python.base_prefix, python.prefix):
        exec_roots += [os.path.join(prefix, name) for name in ("bin", "lib", "lib64", "libexec", "include", "share")]
    grants = dict.fromkeys(os.path.realpath(path) for path in exec_roots if os.path.exists(path))
    # a root inside another one needs no rule of its own, and would undo what is left out there
    roots = [path for path in grants if not any(path.startswith(other.rstrip("/") + "/") for other in grants)]
    files = [*READABLE, os.path.join(python.prefix, "pyvenv.cfg")]
    readable = [os.path.realpath(path) for path in files if os.path.exists(path)]
    return [(path, landlock.READ_EXECUTE) for path in roots] + [(path, landlock.READ) for path in readable]


def allowed_with_gpu() -> list[tuple[str, int]]:
    """(path without links, rights) a program with a GPU gets beside: the nodes of all GPUs, what CUDA reads."""
    use = landlock.READ_FILE | landlock.WRITE_FILE | landlock.IOCTL_DEV
    return [(os.path.realpath(node), use) for node in devices.all_device_nodes()] + [
        (path, landlock.READ) for path in devices.readable_by_gpu_programs()
    ]


def excluded(python: Interpreter) -> list[str]:
    """Paths without links that no program may read though they lie in an allowed folder."""
    found = [own_package(), *SYSTEM_DATA]
    for folder in python.site:
        for pattern in (*OWN, *BUNDLED_DATA):
            found += glob.glob(os.path.join(glob.escape(folder), pattern))
    return sorted({os.path.realpath(path) for path in found if os.path.exists(path)})


@functools.cache
def installed() -> Mapping[str, str]:
    """Versions of all installed packages but mlesearch itself, by normalised name."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name and name != "mlesearch":
            found.setdefault(name, distribution.version)
    return dict(sorted(found.items()))


def prompt_packages() -> dict[str, str]:
    """Versions of the packages that a prompt may name."""
    return {name: installed()[name] for name in PROMPT_PACKAGES if name in installed()}


@functools.cache
def digest() -> str:
    """Changes whenever the interpreter's version or a package that programs build on does.

    Those are the packages that a prompt may name and all that they require. What else lies in the environment (test
    tools, a model client) is not part of it: it would make equal runs different.
    """
    lines = [platform.python_implementation(), platform.python_version(), platform.machine()]
    lines += [f"{name}=={installed()[name]}" for name in sorted(_required_by(prompt_packages()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _required_by(names: Iterable[str]) -> set[str]:
    """Installed packages among these and what they require, extras left out."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in installed():
            continue
        found.add(name)
        for requirement in importlib.metadata.requires(name) or ():
            needed, _, condition = requirement.partition(";")
            if "extra" not in condition:
                waiting.append(re.split(r"[^A-Za-z0-9._-]", needed.strip(), maxsplit=1)[0].lower().replace("_", "-"))
    return found


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


def check_folders(spec: Spec, allowed_paths: Sequence[tuple[str, int]], excluded_paths: Sequence[str]) -> None:
    """Whether the public folder exists and the answers lie where no program may read.

    Raises:
        ConfigError: they don't.
    """
    source = os.path.realpath(spec.input_dir)
    if not os.path.isdir(source):
        raise ConfigError(f"task {spec.task}: its public folder {spec.input_dir} does not exist")
    roots = [path for path, _ in allowed_paths]
    for hidden in map(os.path.realpath, spec.hidden):
        for path in (source, *roots):
            if _within(path, hidden):
                raise ConfigError(
                    f"task {spec.task}: its answers' folder {hidden} holds {path}, which programs must read; "
                    "put the answers into a folder of their own"
                )
        left_out = any(_within(hidden, path) for path in excluded_paths)
        for path in roots:
            if _within(hidden, path) and not left_out:
                raise ConfigError(
                    f"task {spec.task}: its answers' folder {hidden} lies in {path}, which programs may read; "
                    "put the answers elsewhere"
                )


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
        (python.stdlib, "python"),
        *((site, "site-packages") for site in python.site),
        (own_package(), "harness"),
        *((prefix, "python") for prefix in (python.prefix, python.base_prefix)),
    ):
        if path not in ("/", "/usr", "/usr/local"):
            shown.setdefault(path, name)
            shown.setdefault(os.path.realpath(path), name)
    return shown


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def reachable_by_others(path: str) -> bool:
    """Whether a user who owns nothing can read a file or folder: all parents passable, itself readable."""
    real = Path(os.path.realpath(path))
    try:
        if any(parent.stat().st_mode & 0o001 == 0 for parent in real.parents):
            return False
        mode = real.stat().st_mode
    except OSError:
        return False
    return mode & (0o005 if real.is_dir() else 0o004) == (0o005 if real.is_dir() else 0o004)
