"""Settings of a study: where it lives, how its runs are spread, what they share, and who is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class StudySettings:
    """Where a study lives.

    Attributes:
        name: what reports call it; part of its usual folder.
        dir: its folder.
    """

    name: str = "main"
    dir: str = "studies/${study.name}"


@dataclass
class LauncherSettings:
    """How runs are spread.

    Attributes:
        backend: what starts workers: local, dask or ray (docs/clusters.md).
        n_jobs: runs side by side, -1 for one per processor.
        grace_s: what is in flight may take so long once a batch system asks to stop (SIGTERM, SIGUSR1, ...), seconds.
        retries: of a run whose failure may pass by itself (a server, a sandbox), after growing waits.
        min_free_gib: nothing is begun where less is free on the study's disk; work goes on once there is room again.
    """

    backend: str = "local"
    n_jobs: int = -1
    grace_s: float = 20.0
    retries: int = 2
    min_free_gib: float = 0.1


@dataclass
class LimitsSettings:
    """How the runs of a study share the limits of a model (`model.params.limits`).

    Attributes:
        partition: null: by one database in the study's folder; N: N jobs that share nothing keep to an Nth each.
        network: whether the study's folder is on a network file system; null: look.
    """

    partition: int | None = None
    network: bool | None = None


@dataclass
class NotifySettings:
    """Who is told.

    Attributes:
        command: for the shell; gets JSON on its standard input at the end, at first failures, ... (docs/launches.md).
    """

    command: str | None = None
