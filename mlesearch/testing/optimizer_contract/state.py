"""How much a strategy holds: the memory of all that is reached from it, counted the same way everywhere."""

from __future__ import annotations

import gc
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType

_NOT_HELD = (type, ModuleType, FunctionType, BuiltinFunctionType)
"""What belongs to the code and not to a run."""


def held_bytes(thing: object) -> int:
    """The bytes of an object and of all that it holds, each part counted once.

    Classes, modules and functions are not entered, so what a closure holds is not counted.
    """
    seen: set[int] = set()
    waiting, total = [thing], 0
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, _NOT_HELD):
            continue
        seen.add(id(part))
        total += sys.getsizeof(part)
        waiting.extend(gc.get_referents(part))
    return total
