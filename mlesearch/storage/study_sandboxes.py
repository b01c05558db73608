"""The sandbox that a study's runs keep to: fixed by the first machine that begins one of them.

<study>/sandboxes/<digest of what is asked for>.json   written once, whole, by whoever is first

Machines differ in what works on them. Were each to choose for itself, one study would hold runs of several sandboxes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TypedDict, cast

from mlesearch.storage.codec import Json
from mlesearch.storage.documents import SandboxIdentity
from mlesearch.storage.files import make_folder, read_json, sync_folder, write_new
from mlesearch.types import ConfigError

FOLDER = "sandboxes"
_WHOLE_WITHIN_S = 10.0
"""Where no links can be made, a file may be seen before all of it is written."""
_PAUSE_S = 0.05


class StudySandbox(TypedDict):
    """What runs keep to.

    kind: of the rung, as it is asked for by name. params: of the rung. name: as tables name it. identity: what every
    machine has to yield. why: it is that rung. host: that fixed it.
    """

    kind: str
    params: Json
    name: str
    identity: SandboxIdentity
    why: str
    host: str


def place_of(study: Path, asked: str) -> Path:
    """Where it stands, what keeps to a request.

    Args:
        study: its folder.
        asked: digest of the request.
    """
    return study / FOLDER / f"{asked[:32]}.json"


def read_sandbox(study: Path, asked: str) -> StudySandbox | None:
    """What the runs of a request keep to; None where no machine has begun one.

    Raises:
        ConfigError: the file is damaged.
    """
    path = place_of(study, asked)
    if not path.exists():
        return None
    until = time.monotonic() + _WHOLE_WITHIN_S
    while True:
        try:
            return cast(StudySandbox, read_json(path))
        except ConfigError:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_S)


def fix_sandbox(study: Path, asked: str, chosen: StudySandbox) -> StudySandbox:
    """Let the runs of a request keep to a sandbox, unless another machine was first.

    Args:
        study: its folder.
        asked: digest of the request.
        chosen: by this machine.

    Returns:
        What they keep to: the same, or what another machine has fixed.
    """
    known = read_sandbox(study, asked)
    if known is not None:
        return known
    path = place_of(study, asked)
    make_folder(path.parent)
    if write_new(path, json.dumps(chosen, indent=1).encode() + b"\n"):
        sync_folder(path.parent)
    fixed = read_sandbox(study, asked)
    return chosen if fixed is None else fixed
