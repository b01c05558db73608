"""Ways through folders that are closed to others, in a mount namespace of the caller's own. Standard library only.

Root's programs run as a user who owns nothing. What they must read may lie below a folder that only root may pass (an
interpreter in /root): there they find an empty folder in its place, with nothing in it but the way to what they need.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import Any

_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC = 2, 4, 0x1000, 0x4000
_libc = ctypes.CDLL(None, use_errno=True)


def open_ways(ways: dict[str, Any]) -> None:
    """Put a folder that others may pass over each closed one.

    Args:
        ways: `closed` (folders, none in another one), `needed` (paths without links below these, none in another one)
            and `links` (pairs of target and path).

    Raises:
        OSError: the kernel refuses a mount, or something has gone.
    """
    opened = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in ways["needed"]]
    before = os.umask(0o022)
    try:
        for folder in ways["closed"]:
            _mount("tmpfs", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
        for path, fd in opened:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                os.makedirs(path, exist_ok=True)
            else:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
            _mount(f"/proc/self/fd/{fd}", path, None, _MS_BIND | _MS_REC, None)
        for target, path in ways["links"]:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(target, path)
    finally:
        os.umask(before)
        for _, fd in opened:
            os.close(fd)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, options)]
    if _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]):
        raise OSError(ctypes.get_errno(), f"mount on {target} failed")
