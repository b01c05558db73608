"""The user that programs of root run as on the rungs with namespaces: one that owns nothing on this machine.

Whatever a kernel asks about an owner (settings below /proc/sys, files below /sys, another's processes, a file that runs
as its owner) is answered for that user then, whether or not Landlock or a seccomp filter stands before it.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.weights import Weights
from mlesearch.types import ConfigError

LENT_ID = 65_000
"""Of a user and of a group; nobody's, on ordinary machines."""
_OWN = ("work", "tmp", "home")


def user() -> int:
    """Who programs run as: the user who starts them, or for root the lent one."""
    return os.geteuid() or LENT_ID


def group() -> int:
    """Likewise of groups."""
    return LENT_ID if os.geteuid() == 0 else os.getegid()


def hand_over(folder: Path) -> None:
    """Give the folders of a slot to whom its program runs as."""
    if user() != os.geteuid():
        for name in _OWN:
            os.chown(folder / name, user(), group())


def check_readable(spec: Spec, weights: Weights | None) -> None:
    """Whether the lent user can read what programs must.

    Raises:
        ConfigError: it can't; the text says how to open it.
    """
    if user() == os.geteuid():
        return
    if os.stat(spec.input_dir).st_mode & 0o005 != 0o005:
        raise ConfigError(
            f"task {spec.task}: programs of root run as another user, who can't read its public folder "
            f"{spec.input_dir}; open it with: chmod -R a+rX {spec.input_dir}"
        )
    if weights is not None and not weights.public:
        raise ConfigError(
            f"sandbox.weights: programs of root run as another user, who can't read all of {weights.folder}; open it "
            f"with: chmod -R a+rX {weights.folder}"
        )
