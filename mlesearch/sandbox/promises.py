"""Promises in words: how far a rung keeps each of them, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mlesearch.sandbox.protocol import PROMISES

_TREE = {
    "docker": "a process namespace: the kernel ends it with its first process, which watches the orchestrator",
    "bubblewrap": "a process namespace: the kernel ends it with its first process, which watches the orchestrator",
    "local": "a supervisor that adopts all that the program starts and kills until nothing is left",
}
_MEANS: Mapping[str, Mapping[str, str]] = {
    "net_off": {
        "docker": "a network namespace with nothing in it",
        "bubblewrap": "a network namespace with nothing in it",
        "local": "a seccomp filter: no sockets but a connected pair of streams",
    },
    "data_read_only": {
        "docker": "a read-only mount",
        "bubblewrap": "a read-only mount",
        "local": "Landlock; changes of a file's attributes do nothing",
    },
    "answers_absent": {
        "docker": "they are not in the container, nor is mlesearch or a bundled data set",
        "bubblewrap": "they are not in its file system, nor is mlesearch or a bundled data set",
        "local": "Landlock: an allow-list beside the answers, mlesearch and the bundled data sets",
    },
    "tree_kill": _TREE,
    "gpu_pinned": {
        "docker": "the container is given that GPU alone",
        "bubblewrap": "the nodes of that GPU alone are bound",
        "local": "CUDA_VISIBLE_DEVICES",
    },
    "disk_bound": dict.fromkeys(_TREE, "a watchdog counts bytes and entries every 50 ms; one file is bounded at once"),
}
_MEMORY = {
    "memory_hard": ("a control group", "a watchdog sums the tree every 50 ms; one huge allocation fails at once"),
    "oom_signal": ("the control group's count of kills", "the watchdog, or a MemoryError that ended the program"),
}


LAYERED: Mapping[str, str] = {
    "net_off": "a network namespace alone: sockets of families that it does not separate are not refused",
    "data_read_only": "a read-only mount alone, with no Landlock behind it",
    "answers_absent": "they are not in its file system, with no Landlock behind that",
}
"""What rests on two layers, and in words what is left where one of them is absent."""


class Degree(StrEnum):
    """How far a promise goes."""

    HELD = "held"
    ADVISORY = "advisory"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of one rung.

    Attributes:
        name: one of `protocol.PROMISES`.
        degree: how far it goes.
        words: by what it is kept; empty where it is absent.
    """

    name: str
    degree: Degree
    words: str


def in_words(rung: str, promised: Sequence[str]) -> tuple[Promise, ...]:
    """One for each of `protocol.PROMISES`.

    Args:
        rung: its name.
        promised: as its `identity` lists them.
    """
    found = []
    for name in PROMISES:
        degree = Degree.ABSENT
        if name in promised:
            degree = Degree.HELD
        elif f"{name}: advisory" in promised:
            degree = Degree.ADVISORY
        words = ""
        if degree is not Degree.ABSENT:
            words = _MEANS.get(name, {}).get(rung, "")
            if name in _MEMORY:
                words = _MEMORY[name][degree is Degree.ADVISORY]
            elif degree is Degree.ADVISORY:
                words = LAYERED.get(name, words)
        found.append(Promise(name, degree, words))
    return tuple(found)
