"""A machine with GPUs that are not there: inventories, and an `nvidia-smi` that lists them."""

from __future__ import annotations

from pathlib import Path

from mlesearch.sandbox.gpu.devices import Gpu


def gpus(count: int) -> tuple[Gpu, ...]:
    return tuple(Gpu(n, f"GPU-{n}{n}{n}{n}", "Fake 9000", 24_576, n) for n in range(count))


def entry(gpu: Gpu, mig: str = "N/A") -> str:
    return (
        f"<gpu><product_name>{gpu.name}</product_name><uuid>{gpu.uuid}</uuid><minor_number>{gpu.minor}</minor_number>"
        f"<fb_memory_usage><total>{gpu.memory_mib} MiB</total></fb_memory_usage>"
        f"<mig_mode><current_mig>{mig}</current_mig></mig_mode></gpu>"
    )


def answer(*entries: str) -> str:
    """What `nvidia-smi -q -x` prints."""
    return f"<?xml version='1.0' ?><nvidia_smi_log>{''.join(entries)}</nvidia_smi_log>"


def install(folder: Path, says: str, exit_code: int = 0) -> Path:
    """A program `nvidia-smi` in this folder (made if absent) that prints a text."""
    folder.mkdir(exist_ok=True)
    (folder / "said").write_text(says)
    path = folder / "nvidia-smi"
    path.write_text(f'#!/bin/sh\n[ "$*" = "-q -x" ] || exit 9\ncat "{folder}/said"\nexit {exit_code}\n')
    path.chmod(0o755)
    return path
