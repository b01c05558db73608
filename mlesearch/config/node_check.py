"""Whether this machine yields a run as it was planned elsewhere: a node verifies a plan, and makes none of its own."""

from __future__ import annotations

import socket

from mlesearch.config.build import CellParts, make_embedder, make_limits, make_model, make_roles
from mlesearch.config.identity import cell_identity
from mlesearch.config.plan import RunPlan
from mlesearch.config.resources import ProcessResources
from mlesearch.config.same_run import same_run
from mlesearch.storage.diff import first_difference
from mlesearch.types import ConfigError


def check_node(run: RunPlan, resources: ProcessResources) -> None:
    """Refuse a run that would be another one here.

    Args:
        run: as it is listed.
        resources: of this process.

    Raises:
        ConfigError: the first field that differs, or what this machine lacks, such as a rung, a GPU or a key.
    """
    s = run.settings
    model, roles, embedder = make_model(s, resources), make_roles(s, resources), make_embedder(s, resources)
    for each in (model, *(role.model for role in roles.values())):
        each.check()
    embedder.check()
    cell = CellParts(s, run.budget, model, roles, embedder, resources.sandbox(s))
    task = resources.task(run.task, s)
    found = {**cell_identity(cell, task, make_limits(s, task)), "seed": run.key.seed}
    if not same_run(run.identity, found):
        different = first_difference(run.identity, found, "") or "its identity"
        raise ConfigError(f"on {socket.gethostname()} it would be another run: {different} (listed, then here)")
