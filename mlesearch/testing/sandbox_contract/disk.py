"""The limit on what a program writes: bytes and entries, wherever it puts them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlesearch.testing.sandbox_contract.base import LEAN, Bench, Checks
from mlesearch.types import ExecStatus


class DiskChecks(Checks):
    """No file counts for nothing."""

    def test_one_large_file(self, bench: Bench) -> None:
        result = bench.run("with open('big', 'wb') as f:\n    for _ in range(60):\n        f.write(bytes(1 << 20))")
        assert result.status is ExecStatus.DISK_LIMIT

    @pytest.mark.parametrize("folder", [".", "os.environ['TMPDIR']", "os.environ['HOME']"])
    def test_full_disk(self, bench: Bench, folder: str) -> None:
        where = folder if folder.startswith("os") else repr(folder)
        program = (
            f"import os, time\nfolder = {where}\nfor n in range(40):\n"
            "    with open(os.path.join(folder, f'f{n}'), 'wb') as f:\n        f.write(bytes(4 << 20))\n"
            "    time.sleep(0.01)"
        )
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    def test_files_without_a_name_count(self, bench: Bench) -> None:
        program = (
            "import os, time\nkept = []\nfor n in range(4):\n    f = open(f'f{n}', 'wb')\n    os.unlink(f'f{n}')\n"
            "    f.write(bytes(30 << 20))\n    f.flush()\n    kept.append(f)\ntime.sleep(10)"
        )
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    def test_folders_without_end(self, bench: Bench) -> None:
        program = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')"
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    def test_files_below_a_path_too_long_to_follow_count(self, bench: Bench) -> None:
        program = (
            "import os, time\nfor _ in range(18):\n    os.mkdir('d' * 250)\n    os.chdir('d' * 250)\n"
            "for n in range(3):\n    open(str(n), 'wb').write(bytes(30 << 20))\ntime.sleep(0.5)"
        )
        result = bench.run(program)
        assert (result.status, result.reason) == (ExecStatus.DISK_LIMIT, "wrote more than its disk limit of 64 MiB")

    @pytest.mark.parametrize("mode", ["0o600", "0o300", "0"])
    def test_files_in_a_closed_folder_count(self, bench: Bench, mode: str) -> None:
        program = (
            "import os, time\nos.mkdir('d')\nkept = [open(f'd/{n}', 'wb') for n in range(3)]\n"
            f"os.chmod('d', {mode})\n[(file.write(bytes(30 << 20)), file.flush()) for file in kept]\ntime.sleep(0.5)"
        )
        assert bench.run(program).status is ExecStatus.DISK_LIMIT

    @pytest.mark.parametrize("folder", ["/dev/shm", "/tmp", "/run"])
    def test_memory_file_systems_are_bounded(self, bench: Bench, folder: str) -> None:
        name = f"contract-{os.getpid()}"
        program = (
            f"import time\nkept = []\nfor n in range(20):\n    f = open(f'{folder}/{name}-{{n}}', 'wb')\n"
            "    f.write(bytes(20 << 20))\n    f.flush()\n    kept.append(f)\n    time.sleep(0.01)\n"
        )
        result = bench.run(program, LEAN)
        assert result.status is not ExecStatus.OK
        assert not list(Path(folder).glob(f"{name}*"))

    def test_files_without_content_are_bounded(self, bench: Bench) -> None:
        program = (
            "import os\nfor n in range(6):\n    os.mkdir(str(n))\n    open(f'{n}/a', 'w').close()\n"
            "    for k in range(1000):\n        os.link(f'{n}/a', f'{n}/{k}')\n"
        )
        result = bench.run(program, LEAN)
        assert (result.status, result.reason) == (ExecStatus.DISK_LIMIT, "left more than 5000 files and folders")
