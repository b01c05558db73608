"""Which tasks a replay of a recorded study uses: the user's own wherever they are the same ones.

A task folder can hold a grade.py, which runs in this process. A study that came from elsewhere names its tasks by name
or by path, and what lies under that path here may have come along with it. So a task inside the study's folder, and of
an imported study one that would run a grade.py, is used only where the user says so.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.config.identity.cell import mlebench_identity
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.settings import MLEBENCH, Settings
from mlesearch.storage.documents import TASK, RunFile
from mlesearch.storage.files import read_json
from mlesearch.tasks import files, folder, graders, sources
from mlesearch.tasks.mlebench import kept
from mlesearch.types import ConfigError, MlesearchError


@dataclass(frozen=True, slots=True)
class TaskTrust:
    """What a replay may load.

    Attributes:
        study: the recorded study's folder.
        imported: whether it came from elsewhere.
        trust: whether the user has said that whatever it names may be loaded.
        own: folders or names of tasks that the user has named.
    """

    study: Path
    imported: bool = False
    trust: bool = False
    own: tuple[str, ...] = ()

    def names(
        self, asked: Sequence[str], recorded: Collection[tuple[str, str]], resources: ProcessResources
    ) -> list[str]:
        """The tasks of a cell as they are to be loaded here.

        Args:
            asked: as the settings of the recorded runs name them.
            recorded: id and version of the tasks of the study's runs.
            resources: of this process.

        Raises:
            ConfigError: one may not be loaded, and the user's own tasks are not the same ones.
        """
        taken = self._known(recorded, resources)
        ids = {resources.task(name).id for name in taken}
        by_name = [name for name in asked if _by_name(name)]
        all_known = ids >= {id for id, _ in recorded} - set(by_name)
        found = []
        for name in asked:
            path = Path(name)
            if name in by_name or _declared_id(path) in ids or (all_known and not path.is_dir()):
                continue
            why = self._refused(path)
            if not why:
                found.append(name)
            elif not all_known:
                raise ConfigError(
                    f"{self.study}: its task {files.shown(name)!r} {why}. If you have that task, name your own "
                    "folder of it (--task FOLDER), used where it is the same version; if you trust this one: --trust"
                )
        return list(dict.fromkeys([*by_name, *found, *taken]))

    def _known(self, recorded: Collection[tuple[str, str]], resources: ProcessResources) -> list[str]:
        """Tasks of the user that are those of the study: named ones, and ones of the suite that comes along."""
        suite = [name for name in folder.names() if any(id == name for id, _ in recorded)]
        tasks = {name: resources.task(name) for name in (*self.own, *suite)}
        return [name for name, task in tasks.items() if (task.id, task.version) in recorded]

    def _refused(self, path: Path) -> str:
        """Why a task folder may not be loaded; empty where it may, or is not there."""
        if self.trust or not path.is_dir():
            return ""
        if path.resolve().is_relative_to(self.study.resolve()):
            return "lies in the study's own folder, so it came with it"
        if self.imported and (path / graders.GRADER).exists():
            return f"has a {graders.GRADER}, which would run here, and the study came from elsewhere"
        return ""


def recall_competition(
    run: RunFile, run_folder: Path, cells: Mapping[str, Settings], resources: ProcessResources
) -> None:
    """Take a competition of MLE-bench as a run has kept it, where data and grader here are not those of the run.

    Args:
        run: what a recorded run says that it is.
        run_folder: its folder.
        cells: settings of the recorded runs, by their text.
        resources: of this process.

    Raises:
        ConfigError: what the run kept is missing or damaged.
    """
    identity = run["identity"]
    if "mlebench" not in identity:
        return
    name, s = f"{MLEBENCH}{identity['task']['id']}", cells[json.dumps(run["settings"], sort_keys=True)]
    try:
        task = resources.task(name, s)
        same = task.version == identity["task"]["version"]
        graded = None if task.official is None else mlebench_identity(task, task.official, s)
        if same and graded == identity["mlebench"]:
            return
    except MlesearchError:
        pass  # it is not prepared here, or there is no grader
    resources.use_recorded(name, kept.from_json(read_json(run_folder / TASK), run_folder / TASK))


def _by_name(name: str) -> bool:
    return name in folder.names() or (bool(sources.of(name)) and not Path(name).exists())


def _declared_id(path: Path) -> str:
    """The id in a folder's task.yaml; empty where there is none."""
    try:
        return str(folder.declared(path)["id"])
    except (ConfigError, OSError):
        return ""
