"""The GPUs of this machine: which there are, and what a program that has leased one needs to be given it."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANSWER_TIMEOUT_S = 30.0
"""How long nvidia-smi may take; a broken driver can hang it for good."""

CONTROL_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
"""Nodes that every CUDA program opens beside the one of its GPU."""

GPU_READABLE = ("/proc/driver/nvidia", "/proc/devices", "/sys/bus/pci/devices", "/sys/devices/pci*")
"""What the driver's user-space library reads when it starts; no program without a GPU gets it."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        index: in nvidia-smi's order (that of the PCI bus).
        uuid: the driver's name for it; the same in every process and container.
        name: of the model.
        memory_mib: its memory.
        minor: N of its node /dev/nvidiaN; None where it has none (WSL).
    """

    index: int
    uuid: str
    name: str
    memory_mib: int
    minor: int | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was found.

    Attributes:
        gpus: those that this process may use, in nvidia-smi's order.
        said: one line: why there is none, or what was left out; empty where there is nothing to say.
    """

    gpus: tuple[Gpu, ...] = ()
    said: str = ""


def inventory(command: str = "nvidia-smi", visible: str | None = None) -> Inventory:
    """Ask the driver which GPUs there are.

    Args:
        command: nvidia-smi, or a path to it.
        visible: the value of CUDA_VISIBLE_DEVICES that narrows them (a scheduler such as Slurm sets it); None: this
            process' own.
    """
    path = shutil.which(command)
    if path is None:
        return Inventory(said=f"{command} is not installed")
    try:
        answer = subprocess.run(
            [path, "-q", "-x"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Inventory(said=f"{command} did not answer within {ANSWER_TIMEOUT_S:g} s; the driver may be broken")
    except OSError as error:
        return Inventory(said=f"{command} can't be started: {error.strerror or error}")
    if answer.returncode:
        lines = (answer.stdout + answer.stderr).strip().splitlines()
        return Inventory(said=f"{command} failed: {lines[-1] if lines else f'exit code {answer.returncode}'}")
    try:
        found, left_out = _parse(answer.stdout)
    except (ET.ParseError, ValueError) as error:
        return Inventory(said=f"{command} gave an answer that can't be read: {error}")
    if not found:
        return Inventory(said=left_out or f"{command} lists no GPU")
    return _narrowed(found, left_out, os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible)


def _parse(text: str) -> tuple[tuple[Gpu, ...], str]:
    """GPUs that can be leased whole, and what was left out."""
    found: list[Gpu] = []
    split: list[Gpu] = []
    for index, entry in enumerate(ET.fromstring(text).findall("gpu")):
        minor = _text(entry, "minor_number")
        gpu = Gpu(
            index,
            _text(entry, "uuid"),
            _text(entry, "product_name"),
            int((_text(entry, "fb_memory_usage/total").split() or ["0"])[0]),
            int(minor) if minor.isdigit() else None,
        )
        if not gpu.uuid or not gpu.name:
            raise ValueError(f"GPU {index} has no uuid or no name")
        (split if _text(entry, "mig_mode/current_mig") == "Enabled" else found).append(gpu)
    said = f"left out, since they are split into MIG instances: {', '.join(g.uuid for g in split)}" if split else ""
    return tuple(found), said


def _text(entry: ET.Element, path: str) -> str:
    return (entry.findtext(path) or "").strip()


def _narrowed(found: tuple[Gpu, ...], said: str, visible: str | None) -> Inventory:
    """Those that CUDA_VISIBLE_DEVICES names, by index or by (the beginning of) their uuid, as CUDA reads it."""
    if visible is None:
        return Inventory(found, said)
    kept: list[Gpu] = []
    for word in visible.split(","):
        word = word.strip()
        named = [g for g in found if (g.index == int(word) if word.isdigit() else word and g.uuid.startswith(word))]
        if len(named) != 1 or named[0] in kept:
            break  # CUDA ignores an entry that names no GPU, and all that follow it
        kept += named
    if not kept:
        return Inventory(said=f"CUDA_VISIBLE_DEVICES={visible!r} leaves none of the {len(found)} that nvidia-smi lists")
    return Inventory(tuple(kept), said)


@dataclass(slots=True)
class GpuLease:
    """One GPU for one program, for as long as a descriptor of its lock file is open in any process.

    A rung gives the program what `environment`, `device_nodes` or `docker_device` name, and hands `fd` to the process
    that outlives the program's tree, so that the GPU is free again exactly when the tree is dead.

    Attributes:
        gpu: which.
        slot: its number among those of the GPU.
        fd: of the locked file; close-on-exec.
        wait_us: how long it was waited for, microseconds.
    """

    gpu: Gpu
    slot: int
    fd: int
    wait_us: int = 0
    _closed: bool = field(default=False, repr=False)

    def environment(self) -> Mapping[str, str]:
        """Variables that make CUDA see this GPU alone. A program can undo them: advice, where nodes are not hidden."""
        return {"CUDA_VISIBLE_DEVICES": self.gpu.uuid, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

    def device_nodes(self) -> tuple[str, ...]:
        """The nodes under /dev to bind for this GPU and no other, those that exist."""
        own = () if self.gpu.minor is None else (f"/dev/nvidia{self.gpu.minor}",)
        return tuple(node for node in (*own, *CONTROL_NODES) if os.path.exists(node))

    def docker_device(self) -> dict[str, Any]:
        """Arguments of docker-py's `DeviceRequest`."""
        return {"device_ids": [self.gpu.uuid], "capabilities": [["gpu"]]}

    def close(self) -> None:
        """Give up this process' hold; the GPU is free once no other process holds it. Twice does no harm."""
        if not self._closed:
            self._closed = True
            os.close(self.fd)


def all_device_nodes() -> tuple[str, ...]:
    """Every node of the driver: for a rung that can't give a program one GPU's alone."""
    return tuple(sorted(glob.glob("/dev/nvidia[0-9]*"))) + tuple(n for n in CONTROL_NODES if os.path.exists(n))


def readable_by_gpu_programs() -> tuple[str, ...]:
    """Files and folders without links that a CUDA program reads beside the usual ones, those that exist."""
    return tuple(sorted({os.path.realpath(path) for pattern in GPU_READABLE for path in glob.glob(pattern)}))


def describe(identity: Mapping[str, object]) -> str:
    """The declared GPU as a prompt and a table name it, from a sandbox's identity; empty without one."""
    gpu = identity.get("gpu")
    if not isinstance(gpu, Mapping):
        return ""
    text = f"{gpu['count']} x {gpu['name']}"
    if gpu["memory_mib"]:
        text += f", {gpu['memory_mib'] / 1024:.3g} GiB"
    return text if gpu["slots"] == 1 else f"{text}, shared with up to {gpu['slots'] - 1} other programs"
