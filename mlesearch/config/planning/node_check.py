"""Whether this machine yields a planned run: what a planner left to workers, checked and filled in before it begins."""

from __future__ import annotations

from dataclasses import replace

from mlesearch.config.identity.same_run import same_run
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.sandboxes import ReachChecks
from mlesearch.config.planning.cells import CheckedCell, check_cell, check_on_task, sandbox_labels
from mlesearch.config.planning.plan import RunPlan, StudyPlan
from mlesearch.config.settings import Settings
from mlesearch.storage.diff import first_difference
from mlesearch.storage.study_sandboxes import StudySandbox, fix_sandbox
from mlesearch.types import ConfigError


class NodeDiffers(ConfigError):
    """This machine can't carry out a planned run as it is planned; another one may."""


class NodeCheck:
    """Checks planned runs on the machine that is to carry them out: each cell once, and each of its tasks once."""

    def __init__(self, resources: ProcessResources) -> None:
        """Nothing was looked at yet.

        Args:
            resources: of this process; what is tried here stays warm in them.
        """
        self._resources = resources
        self._reach = ReachChecks()
        self._cells: dict[int, tuple[Settings, CheckedCell | NodeDiffers]] = {}
        self._found: dict[tuple[int, str], StudySandbox | NodeDiffers] = {}

    def complete(self, run: RunPlan) -> RunPlan:
        """A run as this machine carries it out, with its sandbox, where that was left open.

        The first machine that gets here fixes the sandbox of all runs that ask for the same, by a file in the study.

        Args:
            run: of a launch; the runs of a cell share one object of settings.

        Raises:
            NodeDiffers: this machine has something else, or lacks it. The text names the field, and holds for all runs
                of the cell on this task.
        """
        at = (id(run.settings), run.task)
        if at not in self._found:
            try:
                self._found[at] = self._checked(run)
            except NodeDiffers as error:
                self._found[at] = error
        found = self._found[at]
        if isinstance(found, NodeDiffers):
            raise found
        identity = {**run.identity, "sandbox": found["identity"]} if run.sandbox_open else run.identity
        labels = sandbox_labels(run.labels, found)
        return replace(run, settings=self._cell(run).parts.settings, identity=identity, labels=labels)

    def _checked(self, run: RunPlan) -> StudySandbox:
        """What the runs of a cell on a task keep to, with all else as planned."""
        mine = self._yielded(run)
        if not run.sandbox_open:
            return mine
        fixed = fix_sandbox(run.study_dir, self._cell(run).asked, mine)
        if fixed["kind"] != mine["kind"]:  # another machine was first
            del self._cells[id(run.settings)]
            mine = self._yielded(run)
        if different := first_difference(fixed["identity"], mine["identity"], "sandbox"):
            raise NodeDiffers(f"{different}, as {fixed['host']} fixed it for this study")
        return fixed

    def _yielded(self, run: RunPlan) -> StudySandbox:
        """The sandbox that this machine has for a run."""
        cell = self._cell(run)
        try:
            found = check_on_task(cell, run.task, self._resources)
            if found.spec is not None:
                self._reach.check(cell.parts.settings, [found.spec])
        except ConfigError as error:
            raise NodeDiffers(str(error)) from None
        here = {**found.identity, "seed": run.key.seed}
        known = {**run.identity, "sandbox": here["sandbox"]} if run.sandbox_open else run.identity
        if not same_run(known, here):
            raise NodeDiffers(first_difference(known, here))
        if cell.sandbox is None:
            raise AssertionError("a cell that is checked here has a sandbox")
        return cell.sandbox

    def _cell(self, run: RunPlan) -> CheckedCell:
        """The cell of a run, checked here; its settings are kept with it, by whose id it is found."""
        at = id(run.settings)
        if at not in self._cells:
            try:
                self._cells[at] = run.settings, check_cell(run.settings, run.study_dir, self._resources)
            except ConfigError as error:
                self._cells[at] = run.settings, NodeDiffers(str(error))
        found = self._cells[at][1]
        if isinstance(found, NodeDiffers):
            raise found
        return found


def fix_sandboxes(planned: StudyPlan) -> None:
    """Let the runs of a launch that begins here keep to the sandboxes that were chosen for it.

    Raises:
        ConfigError: another launch has fixed another rung meanwhile.
    """
    for asked, mine in planned.sandboxes.items():
        fixed = fix_sandbox(planned.folder, asked, mine)
        if fixed["kind"] != mine["kind"]:
            raise ConfigError(
                f"sandbox: {fixed['host']} has just fixed {fixed['kind']} for the runs of {planned.folder}, and "
                f"{mine['kind']} was chosen here; give the same command again"
            )
