"""Programs that stand in for Slurm's commands, where there is no cluster."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a program that notes how it was called, prints, and ends with a code."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name: str, out: str = "", err: str = "", code: int = 0, times: int = 0, then: str = "") -> Path:
        """After so many calls (0: never) it succeeds and prints something else."""
        calls = tmp_path / f"{name}.calls"
        path, made = folder / name, folder / f"{name}.new"
        made.write_text(
            f'#!/bin/sh\necho "$*" >> {shlex.quote(str(calls))}\n'
            f"if [ {times} -gt 0 ] && [ $(wc -l < {shlex.quote(str(calls))}) -gt {times} ]; then\n"
            f"  printf '%s' {shlex.quote(then)}; exit 0\nfi\n"
            f"printf '%s' {shlex.quote(out)}\nprintf '%s' {shlex.quote(err)} >&2\nexit {code}\n"
        )
        made.chmod(0o755)
        made.replace(path)  # it may be called at this moment
        return calls

    return make
