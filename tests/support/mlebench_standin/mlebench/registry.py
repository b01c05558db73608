"""Competitions by their ids; each is a folder beside this file with a `config.yaml` (JSON here), a grader, a board."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlebench.grade_helpers import Grader


@dataclass(frozen=True)
class Competition:
    """The real one's fields."""

    id: str
    name: str
    description: str
    grader: Grader
    answers: Path
    gold_submission: Path
    sample_submission: Path
    competition_type: str
    prepare_fn: Callable[[Path, Path, Path], Any]
    raw_dir: Path
    private_dir: Path
    public_dir: Path
    checksums: Path
    leaderboard: Path


class Registry:
    """The competitions of one data folder."""

    def __init__(self, data_dir: Path = Path("data")) -> None:
        self._data_dir = data_dir.resolve()

    def set_data_dir(self, new_data_dir: Path) -> Registry:
        """The same competitions, prepared elsewhere."""
        return Registry(new_data_dir)

    def get_data_dir(self) -> Path:
        """Where they are prepared."""
        return self._data_dir

    def get_competitions_dir(self) -> Path:
        """Where their settings are."""
        return Path(__file__).parent / "competitions"

    def list_competition_ids(self) -> list[str]:
        """Sorted."""
        return sorted(path.parent.name for path in self.get_competitions_dir().glob("*/config.yaml"))

    def get_competition(self, competition_id: str) -> Competition:
        """One of them."""
        folder = self.get_competitions_dir() / competition_id
        config = json.loads((folder / "config.yaml").read_text(encoding="utf-8"))
        module, function = config["preparer"].split(":")
        data, prepared = config["dataset"], self._data_dir / competition_id / "prepared"
        return Competition(
            id=competition_id,
            name=config["name"],
            description=config["description"],
            grader=Grader(**config["grader"]),
            answers=self._data_dir / data["answers"],
            gold_submission=self._data_dir / data.get("gold_submission", data["answers"]),
            sample_submission=self._data_dir / data["sample_submission"],
            competition_type=config["competition_type"],
            prepare_fn=getattr(importlib.import_module(module), function),
            raw_dir=self._data_dir / competition_id / "raw",
            private_dir=prepared / "private",
            public_dir=prepared / "public",
            checksums=folder / "checksums.yaml",
            leaderboard=folder / "leaderboard.csv",
        )


registry = Registry()
