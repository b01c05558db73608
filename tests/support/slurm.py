"""A real Slurm on this machine: a controller and the nodes n1 and n2, in a folder of their own.

Each node is a machine of its own as far as the kernel allows: where namespaces may be made, it has processes and a host
name of its own, and whatever runs in it ends with it. Nothing outlives the process that started the cluster: each
daemon is killed with it.
"""

from __future__ import annotations

import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
NODES = ("n1", "n2")
CPUS = 2
MAIN, LOW, URGENT = "main", "low", "urgent"
"""Partitions: the default one, whose jobs are requeued for those of `urgent`; one whose jobs are cancelled for them."""
_PR_SET_PDEATHSIG = 1
_SACCT = """#!/bin/sh
echo 'JobID|State|NodeList'
squeue -h -r -t all -o '%i|%T|%N'
"""


def missing() -> list[str]:
    """Programs of Slurm that are not installed here."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


class SlurmCluster:
    """Started by `running`.

    Attributes:
        folder: with all that it writes.
        env: for commands of Slurm, and for what calls them.
        apart: whether nodes are machines of their own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self.env["PATH"] = os.pathsep.join([self.env.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.apart = _namespaces()

    # daemons

    def start(self) -> None:
        """Start all; returns when both nodes are idle."""
        for name in ("state", "log", *NODES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munged wants no one else to be able to change the folders of its socket
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        ports = _free_ports(1 + len(NODES))
        (self.folder / "slurm.conf").write_text(self._config(ports[0], ports[1:]))
        self._start("munged", *self._munged())
        wait_for((self.folder / "munge.socket").exists, 20)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        wait_for(lambda: self.states() == dict.fromkeys(NODES, "idle"), 60)

    def start_controller(self) -> None:
        """Start the controller (again)."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.folder / "slurm.conf"))
        wait_for(lambda: self._run("scontrol", "ping").stdout.count("UP") == 1, 30)

    def stop_controller(self) -> None:
        """End the controller as its own machine would, when it is switched off: its state is on the disk."""
        self._stop("slurmctld", signal.SIGTERM)

    def start_node(self, node: str, *under: str) -> None:
        """Start a node (again), under a command such as taskset."""
        daemon = [*under, "slurmd", "-D", "-N", node, "-f", str(self.folder / "slurm.conf")]
        if self.apart:
            script = 'hostname "$1"; shift; "$@" & wait $!'
            apart = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child=SIGKILL"]
            daemon = [*apart, "sh", "-c", script, "sh", node, *daemon]
        self._start(node, *daemon)

    def kill_node(self, node: str) -> None:
        """Switch a node off: all that runs on it is gone at once."""
        if not self.apart:
            raise RuntimeError("nodes are no machines of their own here: namespaces can't be made")
        self._stop(node, signal.SIGKILL)

    def close(self) -> None:
        """End all jobs and all daemons."""
        if "slurmctld" in self._daemons:
            self.clear()
        for name in reversed(list(self._daemons)):
            self._stop(name, signal.SIGTERM if name in ("slurmctld", "munged") else signal.SIGKILL)

    def _start(self, name: str, *command: str) -> None:
        out = (self.folder / "log" / f"{name}.out").open("ab")
        with out:
            self._daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env, preexec_fn=_die_with_parent
            )

    def _stop(self, name: str, how: signal.Signals) -> None:
        daemon = self._daemons.pop(name, None)
        if daemon is None:
            return
        daemon.send_signal(how)
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(20)

    def _munged(self) -> list[str]:
        places = {
            "key-file": "munge.key",
            "socket": "munge.socket",
            "pid-file": "munged.pid",
            "log-file": "log/munged.log",
            "seed-file": "munge.seed",
        }
        given = [f"--{option}={self.folder / name}" for option, name in places.items()]
        return ["munged", "--foreground", "--force", "--num-threads=2", *given]

    def _config(self, port: int, node_ports: Sequence[int]) -> str:
        me, here = getpass.getuser(), self.folder
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={node if self.apart else _host()} NodeAddr=127.0.0.1 Port={node_port} "
            f"CPUs={CPUS} RealMemory=8000 State=UNKNOWN"
            for node, node_port in zip(NODES, node_ports, strict=True)
        )
        return f"""
ClusterName=tests
SlurmctldHost={_host()}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={me}
SlurmdUser={me}
AuthType=auth/munge
AuthInfo=socket={here}/munge.socket
CredType=cred/munge
StateSaveLocation={here}/state
SlurmdSpoolDir={here}/%n
SlurmctldPidFile={here}/slurmctld.pid
SlurmdPidFile={here}/%n.pid
SlurmctldLogFile={here}/log/slurmctld.log
SlurmdLogFile={here}/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=0,requeue_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
KillWait=2
MessageTimeout=5
SlurmdTimeout=10
SlurmctldTimeout=5
InactiveLimit=0
MinJobAge=60
MpiDefault=none
{nodes}
PartitionName={MAIN} Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName={LOW} Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName={URGENT} Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""

    def has_node(self, node: str) -> bool:
        """Whether it is switched on."""
        return node in self._daemons

    # commands

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, capture_output=True, text=True, env=self.env, timeout=60, check=False)

    def command(self, *words: str) -> str:
        """A command of Slurm, which must succeed; what it printed."""
        done = self._run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def states(self) -> dict[str, str]:
        """The nodes' states."""
        lines = self._run("sinfo", "-N", "-h", "-p", MAIN, "-o", "%N %T").stdout.splitlines()
        return dict(line.split() for line in lines)

    def jobs(self, *, of: str = "", over: bool = False) -> dict[int, str]:
        """Jobs and their states.

        Args:
            of: those of this name.
            over: those that are over, too, as long as the controller knows them.
        """
        words = ["squeue", "-h", "-o", "%A %T", *(["--name", of] if of else []), *(["-t", "all"] if over else [])]
        return {int(i): state for i, state in (line.split() for line in self._run(*words).stdout.splitlines())}

    def facts(self, job: int) -> dict[str, str]:
        """What the controller says of a job, by its own names; those with blanks in their values are cut."""
        return dict(
            part.split("=", 1)
            for part in self.command("scontrol", "show", "job", "-o", str(job)).split()
            if "=" in part
        )

    def clear(self) -> None:
        """Cancel all jobs; returns when none is left and the nodes are idle."""
        for node in NODES:
            if self.states().get(node, "").startswith("drain"):
                self._run("scontrol", "update", f"NodeName={node}", "State=RESUME")

        def none_left() -> bool:
            self._run("scancel", "--user", getpass.getuser())
            return self.jobs() == {} and set(self.states().values()) == {"idle"}

        wait_for(none_left)


@contextmanager
def running(folder: Path) -> Iterator[SlurmCluster]:
    """A cluster, from start to end.

    Args:
        folder: with a short path: sockets have to fit.
    """
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def stand_in_for_accounting(cluster: SlurmCluster) -> None:
    """Put a `sacct` on the path of a cluster, which has no accounting: hydra-submitit-launcher asks it of its jobs."""
    folder = cluster.folder / "bin"
    folder.mkdir()
    (folder / "sacct").write_text(_SACCT)
    (folder / "sacct").chmod(0o755)
    cluster.env["PATH"] = f"{folder}{os.pathsep}{cluster.env['PATH']}"


def _namespaces() -> bool:
    """Whether processes and host names of its own can be given to a node."""
    words = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child=SIGKILL", "true"]
    try:
        return subprocess.run(words, capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


def _free_ports(count: int) -> list[int]:
    opened = [socket.socket() for _ in range(count)]
    try:
        for each in opened:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in opened]
    finally:
        for each in opened:
            each.close()


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
