"""What a run on data without answers needs outside: a place to hand over, and a server that says what is valid."""

from __future__ import annotations

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan
from mlesearch.engine.delivery import Delivery
from mlesearch.engine.validity import ValidationServer
from mlesearch.types import ConfigError, GraderUnavailable


def delivery_of(run: RunPlan, resources: ProcessResources) -> Delivery:
    """Where a run hands its best submission over.

    Args:
        run: with a place.
        resources: of this process.

    Raises:
        ValueError: it has none.
    """
    if run.out is None:
        raise ValueError("this run hands nothing over")
    return Delivery(resources.task(run.task, run.settings), run.out)


def check_server(run: RunPlan, resources: ProcessResources) -> None:
    """Ask the server of a run, where it has one, about the sample submission: whatever it says, it is there.

    Raises:
        ConfigError: it is no URL, or nothing answers.
    """
    url, task = run.settings.mlebench.validate_url, resources.task(run.task, run.settings)
    if url is None:
        return
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"--validate: {url!r} is no URL; name a grading server, such as http://localhost:5000/validate"
        )
    sample = (task.public_dir / task.sample).read_bytes() if task.sample else b"id\n"
    try:
        ValidationServer(url).ask(sample)
    except GraderUnavailable as error:
        raise ConfigError(f"--validate: {error}") from None
