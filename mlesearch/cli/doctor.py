"""What a machine has for running studies, and what to do about each thing that it lacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from mlesearch.config.parts.plugins import REGISTRIES
from mlesearch.sandbox import ladder, scratch
from mlesearch.sandbox.gpu import devices
from mlesearch.sandbox.promises import Degree
from mlesearch.sandbox.protocol import GIB
from mlesearch.storage import machine
from mlesearch.types import ConfigError, Finding, Level, Registry, SandboxUnavailable

PYTHONS = ((3, 11), (3, 14))
"""First version that is supported, and first that is not."""
ENOUGH_DISK_BYTES = 10 * GIB
GPU_TIMEOUT_S = 180.0

GPU_PROGRAM = """
import ctypes, json, sys, time
began = time.monotonic()
try:
    import torch
except ImportError:
    torch = None
if torch is not None:
    torch.manual_seed(0)
    a, b = torch.rand(512, 512, dtype=torch.float64), torch.rand(512, 512, dtype=torch.float64)
    error = ((a.cuda() @ b.cuda()).cpu() - a @ b).abs().max().item()
    how, right = f"torch {torch.__version__} multiplied two matrices", error < 1e-9
else:
    cuda = ctypes.CDLL("libcuda.so.1")
    def call(name, *arguments):
        code = getattr(cuda, name)(*arguments)
        if code:
            sys.exit(f"{name} failed with the driver's error {code}")
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    count, back = 1 << 20, (ctypes.c_uint32 * (1 << 20))()
    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxSetCurrent", context)
    call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(4 * count))
    call("cuMemsetD32_v2", memory, ctypes.c_uint32(20261125), ctypes.c_size_t(count))
    call("cuMemcpyDtoH_v2", back, memory, ctypes.c_size_t(4 * count))
    how, right = "its memory was filled and read back through the driver (no torch here)", set(back) == {20261125}
print(json.dumps({"how": how, "right": right, "seconds": time.monotonic() - began}))
"""
"""A small real computation on the first GPU that it sees."""


_SAID = {Level.OK: "ok", Level.WARNING: "note", Level.ERROR: "LACK"}
"""Levels of the machine: an error keeps programs from running, a warning is worth knowing."""


def line(finding: Finding) -> str:
    """A finding in one line, and a second one where something is to do."""
    text = f"{_SAID[finding.level]:4}  {finding.subject:12} {finding.text}"
    return f"{text}\n{'':19}-> {finding.todo}" if finding.todo else text


def examine() -> Iterator[Finding]:
    """Look at everything, in the order of a first installation; each finding as soon as it is known."""
    yield python(sys.version_info[:3], sys.executable)
    yield packages()
    yield scratch_disk()
    yield memory()
    yield from rungs(ladder.probe())
    yield chosen()
    yield from plugin_findings(REGISTRIES)
    yield from gpu_findings(devices.inventory(), compute)


def python(version: tuple[int, int, int], executable: str) -> Finding:
    """The interpreter."""
    text = f"{'.'.join(map(str, version))} at {executable}"
    if PYTHONS[0] <= version[:2] < PYTHONS[1]:
        return Finding(Level.OK, "python", text)
    wanted = f"{PYTHONS[0][0]}.{PYTHONS[0][1]} to {PYTHONS[1][0]}.{PYTHONS[1][1] - 1}"
    return Finding(Level.ERROR, "python", text, f"install mlesearch with python {wanted}")


def packages() -> Finding:
    """What programs of the rungs bubblewrap and local may import, beside the standard library."""
    from mlesearch.sandbox.packages import prompt_packages

    found = prompt_packages()
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    absent = [name for name in ("lightgbm", "xgboost", "torch") if name not in found]
    todo = ""
    if absent:
        todo = f"programs can't import {', '.join(absent)} here; install them beside mlesearch, or use sandbox=docker"
    return Finding(Level.WARNING if absent else Level.OK, "packages", text, todo)


def scratch_disk() -> Finding:
    """Whether programs have a folder to work in, and space there."""
    try:
        root = scratch.root()
    except SandboxUnavailable as error:
        found, _, todo = str(error).removeprefix("sandbox: ").partition("; ")
        return Finding(Level.ERROR, "disk", found, todo or "set MLESEARCH_SCRATCH to a folder of your own")
    return disk(shutil.disk_usage(root).free, root.parent)


def disk(free_bytes: int, where: Path) -> Finding:
    """Space where programs work."""
    text = f"{free_bytes / GIB:.1f} GiB are free at {where}"
    if free_bytes < GIB:
        return Finding(Level.ERROR, "disk", text, "nothing is run below 1 GiB: free some, or set MLESEARCH_SCRATCH")
    if free_bytes < ENOUGH_DISK_BYTES:
        return Finding(Level.WARNING, "disk", text, "each program may fill sandbox.disk_gib of it (1 GiB)")
    return Finding(Level.OK, "disk", text)


def memory() -> Finding:
    """Memory and processors."""
    total = machine.memory_bytes()
    text = f"{total / GIB:.1f} GiB of memory, {machine.processors()} processors"
    if total < 4 * GIB:
        todo = "a program may use sandbox.memory_gib (4): set less, or run fewer side by side (launcher.n_jobs)"
        return Finding(Level.WARNING, "machine", text, todo)
    return Finding(Level.OK, "machine", text)


def rungs(found: tuple[ladder.Rung, ...]) -> list[Finding]:
    """Every rung of the sandbox, with what it would take to make it work."""
    findings = []
    for rung in found:
        if rung.name not in ladder.CHOSEN_BY_AUTO:
            continue
        if rung.works:
            findings.append(Finding(Level.OK, rung.name, f"works; it promises {promised(rung)}"))
        else:
            findings.append(Finding(Level.WARNING, rung.name, f"does not work: {rung.why}", rung.todo))
    return findings


def promised(rung: ladder.Rung) -> str:
    """What a rung promises here, in one line."""
    said = {p.name: p.degree for p in rung.promises if p.degree is not Degree.ABSENT}
    return ", ".join(n if d is Degree.HELD else f"{n} ({d})" for n, d in said.items()) or "nothing"


def chosen() -> Finding:
    """The rung that `auto` takes."""
    try:
        choice = ladder.choose(ladder.AUTO)
    except ConfigError as error:
        return Finding(Level.ERROR, "sandbox=auto", str(error), "make one of the rungs above work")
    return Finding(Level.OK, "sandbox=auto", f"takes {choice.why.partition(';')[0]}")


def plugin_findings(registries: Iterable[Registry]) -> Iterator[Finding]:
    """What installed packages bring, each imported to see that it can be."""
    for registry in registries:
        packages = registry.plugins()
        for name in registry.claimed():
            try:
                registry.check([name])
                registry.load(name)
            except ConfigError as error:
                found, _, todo = str(error).removeprefix(f"{registry.setting}: ").rpartition("; ")
                yield Finding(Level.ERROR, name, found, todo)
            else:
                yield Finding(Level.OK, name, f"{registry.noun}, plug-in of {packages[name]}")


def gpu_findings(found: devices.Inventory, computed: Callable[[devices.Gpu], str]) -> list[Finding]:
    """The GPUs, each tried with a small computation.

    Args:
        found: what the driver lists.
        computed: tries one; raises SandboxUnavailable where it fails.
    """
    if not found.gpus:
        todo = "keep sandbox.gpus=0 (the default): none is needed"
        return [Finding(Level.WARNING, "gpu", f"none: {found.said}", todo)]
    findings = []
    for gpu in found.gpus:
        name = f"{gpu.index}: {gpu.name}, {gpu.memory_mib / 1024:.3g} GiB"
        try:
            findings.append(Finding(Level.OK, "gpu", f"{name}: {computed(gpu)}"))
        except SandboxUnavailable as error:
            todo = "check driver and torch (their CUDA versions must fit), or leave it out with CUDA_VISIBLE_DEVICES"
            findings.append(Finding(Level.ERROR, "gpu", f"{name}: {error}", todo))
    if found.said:
        findings.append(Finding(Level.WARNING, "gpu", found.said))
    return findings


def compute(gpu: devices.Gpu) -> str:
    """Do a small real computation on a GPU; returns what was done, in words.

    Raises:
        SandboxUnavailable: it failed, gave a wrong result, or took too long.
    """
    variables: Mapping[str, str] = devices.GpuLease(gpu, 0, -1).environment()
    try:
        done = subprocess.run(
            [sys.executable, "-c", GPU_PROGRAM],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GPU_TIMEOUT_S,
            env={**os.environ, **variables},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxUnavailable(f"a small computation took longer than {GPU_TIMEOUT_S:g} s") from error
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise SandboxUnavailable(f"a small computation failed: {said}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if not answer["right"]:
        raise SandboxUnavailable(f"a small computation gave a wrong result ({answer['how']})")
    return f"{answer['how']} in {answer['seconds']:.1f} s"


def versions() -> str:
    """Of mlesearch and the kernel, for a report to others."""
    release = os.uname()
    return f"mlesearch {metadata.version('mlesearch')}, {release.sysname} {release.release} {release.machine}"
