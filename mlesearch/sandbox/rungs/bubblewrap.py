"""The `bubblewrap` rung: every namespace, no capability, a sized /tmp and /dev/shm; no daemon, no image.

The program's supervisor is the first process of the namespaces. It holds the lifeline to the orchestrator, so the
sandbox ends with it, and no thread of the orchestrator has to stay alive for the sandbox to live
(`--die-with-parent` would end it with the thread that started it).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlesearch.sandbox import options
from mlesearch.sandbox.environment import Interpreter, interpreter
from mlesearch.sandbox.gpu.devices import GpuLease, readable_by_gpu_programs
from mlesearch.sandbox.inside import cgroup, landlock, seccomp, tree
from mlesearch.sandbox.protocol import GIB, MIB, Limits, Spec
from mlesearch.sandbox.rungs import kernel, lent, mounts
from mlesearch.sandbox.rungs.box import INSIDE, Box, boot, handshake, memory_at_start
from mlesearch.sandbox.rungs.rung import BoxedRung
from mlesearch.types import SandboxUnavailable

OLDEST = (0, 7)
"""The first version that can size a tmpfs."""
_SETTINGS = ("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi", "/proc/pressure")
"""Of the machine, which nobody may change from inside, whatever the kernel thinks of who asks."""
_ENTER = 'for f in $1; do echo $$ > "$f" || exit 1; done; shift; exec "$@"'


class _Wrapped:
    """A started bubblewrap."""

    def __init__(self, process: subprocess.Popen[bytes], conn: socket.socket, log: Path, group: cgroup.Group | None):
        self.conn = conn
        self._process, self._log, self._group = process, log, group
        self._counters = None if group is None else cgroup.Counters.of(group.as_request())

    def counter_fds(self) -> tuple[int, ...]:
        return () if self._counters is None else self._counters.fds()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.conn.close()  # the first process inside sees it, and ends
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            for pid in (*tree.descendants(self._process.pid), self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        if self._counters is not None:
            self._counters.close()
            self._counters = None
        if self._group is not None:
            self._group.remove()
            self._group = None

    def limit_memory(self, memory_bytes: int) -> None:
        if self._group is not None:
            self._group.limit_memory(memory_bytes)

    def ran_out_of_memory(self) -> bool:
        return self._counters is not None and self._counters.oom_kills() > 0

    def names(self) -> Mapping[str, str]:
        return {}

    def last_words(self) -> str:
        said = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        lines = said.strip().splitlines()
        return lines[-1] if lines else ""


class BubblewrapSandbox(BoxedRung):
    """Programs in namespaces of their own, made by bubblewrap.

    Args:
        warm: keep sandboxes ready that have imported the usual libraries; each serves one program.
        require: promises without which nothing is run.
        min_free_bytes: of the scratch folder's file system, below which nothing is run.
        use_cgroup: put each sandbox into a control group where one can be written; False: the watchdog alone.
        weights_folder: of pretrained weights that programs may read as `weights/`.

    Raises:
        ConfigError: `require` names something that is no promise, or the folder can't be lent.
        SandboxUnavailable: there is no bubblewrap here, or a promise of `require` isn't kept.
    """

    name = "bubblewrap"
    remedy = "allow user namespaces to ordinary users, or, in a container, use sandbox=local"

    def __init__(
        self,
        *,
        warm: bool = True,
        require: Sequence[str] = (),
        min_free_bytes: int = GIB,
        use_cgroup: bool = True,
        weights_folder: str | None = None,
    ) -> None:
        super().__init__(warm=warm, require=require, min_free_bytes=min_free_bytes, weights_folder=weights_folder)
        found = shutil.which("bwrap")
        if found is None:
            raise SandboxUnavailable(
                "sandbox bubblewrap: there is no `bwrap` on PATH; install it (on Debian: apt-get install bubblewrap)"
            )
        self._bwrap = found
        self._version = _version(found)
        if self._version < OLDEST:
            raise SandboxUnavailable(
                f"sandbox bubblewrap: {found} has version {'.'.join(map(str, self._version)) or 'unknown'}; install "
                f"{'.'.join(map(str, OLDEST))} or later"
            )
        self._use_cgroup = use_cgroup and bool(cgroup.parents())
        self._python = interpreter()
        self._layout = mounts.layout(self._python)
        options.check_kept(self.name, self._require, self.promises())

    def promises(self) -> tuple[str, ...]:
        """What holds on this machine: memory is hard only where a control group can be written."""
        return kernel.promised_in_namespaces(**self._layers())

    def notes(self) -> tuple[str, ...]:
        """In words, which layers are absent on this machine."""
        return kernel.notes_in_namespaces(**self._layers())

    def _layers(self) -> dict[str, bool]:
        return {
            "has_landlock": landlock.abi() >= 1,
            "has_filter": seccomp.supported(),
            "has_limit": self._use_cgroup,
        }

    def _interpreter(self) -> Interpreter:
        return self._python

    def _check_folders(self, spec: Spec) -> None:
        super()._check_folders(spec)
        lent.check_readable(spec, self._weights)

    def _launch(self, spec: Spec, folder: Path, warm: bool, gpu: GpuLease | None) -> Box:
        limits = spec.limits
        group = None
        if self._use_cgroup:
            group = cgroup.create(memory_at_start(limits, warm), limits.processes + 64)
            if group is None:
                raise SandboxUnavailable("sandbox bubblewrap: the control group can't be made any more")
        lent.hand_over(folder)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        log = folder / "log"
        try:
            with theirs, log.open("wb") as output:
                process = subprocess.Popen(
                    self._command(spec, folder, theirs.fileno(), group, gpu),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._variables(limits),
                    cwd="/",
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            if group is not None:
                group.remove()
            raise
        box = _Wrapped(process, ours, log, group)
        try:
            config = {"landlock": landlock.abi(), "own_cgroup": False}
            message = self._message(spec, warm, config)
            message["request"]["devices"] = [] if gpu is None else list(gpu.device_nodes())
            handshake(ours, message, box.counter_fds())
        except OSError as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            words = box.last_words() or str(error)
            box.end()
            raise SandboxUnavailable(f"sandbox bubblewrap: it can't be started: {words}") from error
        except BaseException:
            box.end()
            raise
        return box

    def _command(
        self, spec: Spec, folder: Path, fd: int, group: cgroup.Group | None, gpu: GpuLease | None
    ) -> list[str]:
        enter = [] if group is None else ["/bin/sh", "-c", _ENTER, "sh", _procs(group)]
        return [
            *enter,
            self._bwrap,
            *_namespaces(self._version),
            *self._file_systems(spec, folder),
            *_gpu_binds(gpu),
            "--remount-ro",
            "/dev",
            "--remount-ro",
            "/",
            "--chdir",
            "/",
            "--",
            *boot(mounts.executable(self._python), str(fd), None if os.geteuid() else lent.user()),
        ]

    def _file_systems(self, spec: Spec, folder: Path) -> list[str]:
        covers = mounts.Covers(folder.parent / "covers")
        sizes = _tmpfs_sizes(spec.limits)
        words = ["--size", str(sizes["/tmp"]), "--perms", "1777", "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
        for path in filter(os.path.isdir, _SETTINGS):
            words += ["--ro-bind", path, path]
        words += ["--size", str(sizes["/dev/shm"]), "--perms", "1777", "--tmpfs", "/dev/shm"]
        words += _open_parents((*self._layout.binds, INSIDE.work))
        for path in self._layout.binds:
            words += ["--ro-bind", path, path]
        for target, path in self._layout.links:
            words += ["--symlink", target, path]
        for path in self._layout.covered:
            words += ["--ro-bind", covers.over(path), path]
        source = os.path.realpath(spec.input_dir)
        words += ["--ro-bind", source, INSIDE.input]
        if self._weights is not None:
            words += ["--ro-bind", self._weights.folder, INSIDE.weights]
        for path in mounts.hidden_below_input(spec):
            words += ["--ro-bind", covers.over(os.path.join(source, path)), os.path.join(INSIDE.input, path)]
        for inner, name in ((INSIDE.work, "work"), (INSIDE.tmp, "tmp"), (INSIDE.home, "home")):
            words += ["--bind", str(folder / name), inner]
        return words


def _gpu_binds(gpu: GpuLease | None) -> list[str]:
    """The nodes of one GPU, and what CUDA reads of the machine; /proc is there already."""
    if gpu is None:
        return []
    nodes = gpu.device_nodes()
    seen = [path for path in readable_by_gpu_programs() if not path.startswith("/proc")]
    words = _open_parents((*nodes, *seen))
    words += [word for node in nodes for word in ("--dev-bind", node, node)]
    return words + [word for path in seen for word in ("--ro-bind", path, path)]


def _open_parents(paths: Sequence[str]) -> list[str]:
    """Make the folders above some paths, to be passed by everybody: bubblewrap closes those above a closed source."""
    parents = {str(parent) for path in paths for parent in Path(path).parents} - {"/", "/proc", "/dev"}
    return [word for parent in sorted(parents) for word in ("--perms", "0755", "--dir", parent)]


def _version(bwrap: str) -> tuple[int, ...]:
    """Of a bubblewrap; () where it does not say."""
    try:
        said = subprocess.run(
            [bwrap, "--version"], capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def _namespaces(version: tuple[int, ...]) -> list[str]:
    words = [f"--unshare-{name}" for name in ("ipc", "pid", "net", "uts", "cgroup")]
    words += ["--hostname", "sandbox", "--cap-drop", "ALL", "--as-pid-1"]
    if os.geteuid() == 0:
        # A user namespace of root's would make the program root for whatever asks the kernel for an owner. The
        # supervisor becomes the lent user as the first thing that it does, and needs these two until then.
        return [*words, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    if version >= (0, 8):  # before, the seccomp filter alone keeps programs from making namespaces
        words.append("--disable-userns")
    return [*words, "--unshare-user", "--uid", "1000", "--gid", "1000"]


def _tmpfs_sizes(limits: Limits) -> Mapping[str, int]:
    shared = max(MIB, min(limits.memory_bytes // 4, 256 * MIB))
    return {"/dev/shm": shared, "/tmp": max(MIB, min(shared, limits.disk_bytes))}


def _procs(group: cgroup.Group) -> str:
    return " ".join(f"{folder}/cgroup.procs" for folder in group.folders)


def make(params: Mapping[str, object]) -> BubblewrapSandbox:
    """Build it from configuration.

    Args:
        params: see `options.parse`.

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
        SandboxUnavailable: it can't work here.
    """
    chosen = options.parse("bubblewrap", params)
    return BubblewrapSandbox(
        warm=chosen.warm,
        require=chosen.require,
        min_free_bytes=chosen.min_free_bytes,
        weights_folder=chosen.weights,
    )
