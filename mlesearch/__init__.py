"""mlesearch: search paradigms for LLM machine-learning engineers, compared under one executor.

    import mlesearch as ml
    ml.run(study="first", model="sim_05", strategy=["greedy", "gome"], tasks=["rentals"], budget={"steps": 4})

What it offers is listed in `__all__` and is imported when it is first used (docs/python_api.md).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlesearch.config.settings import Settings
    from mlesearch.study.api import (
        LaunchReport,
        StudyTables,
        estimate,
        plan,
        read,
        replay,
        report,
        results,
        run,
        settings,
    )
    from mlesearch.types import ConfigError, MlesearchError

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "LaunchReport",
    "MlesearchError",
    "Settings",
    "StudyTables",
    "__version__",
    "estimate",
    "plan",
    "read",
    "replay",
    "report",
    "results",
    "run",
    "settings",
]


def __getattr__(name: str) -> Any:  # what a type checker knows of each name stands above
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'mlesearch' has no attribute {name!r}; it has: {', '.join(__all__)}")
    homes = {"Settings": "config.settings", "ConfigError": "types", "MlesearchError": "types"}
    return getattr(import_module(f"mlesearch.{homes.get(name, 'study.api')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
