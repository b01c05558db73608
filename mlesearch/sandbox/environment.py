"""The interpreter that programs run in, and what they may read of it and of the machine."""

from __future__ import annotations

import glob
import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox.gpu import devices
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import Spec
from mlesearch.types import ConfigError, SandboxUnavailable

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
