"""A whole configuration, and what of it is kept in the folder of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, cast, get_type_hints

from mlesearch.config.settings.claim import ClaimSettings
from mlesearch.config.settings.mlebench import MLEBENCH, MlebenchSettings
from mlesearch.config.settings.model import EmbedderSettings, ModelSettings
from mlesearch.config.settings.run import BudgetSettings, RunSettings, StrategySettings
from mlesearch.config.settings.sandbox import SandboxSettings
from mlesearch.config.settings.study import LauncherSettings, LimitsSettings, NotifySettings, StudySettings

NO_URL = "http://not-recorded.invalid"
"""Stands in a run's folder for the URL of an own endpoint, which says nothing of a result."""


@dataclass
class Settings:
    """A whole configuration: one cell (model, strategy, variant) of a study's grid.

    Attributes:
        study: where it lives.
        claim: what is claimed.
        model: that answers.
        strategy: that decides.
        variant: a name for what else differs between cells, and the third part of its runs' folders.
        tasks: names, or paths of task folders; mlebench:NAME is a competition or a suite of MLE-bench.
        seeds: of the runs, one run each a task.
        budget: what one run may spend.
        run: how it is carried out.
        sandbox: where programs run.
        embedder: of hypotheses.
        limits: how runs share those of a model.
        mlebench: where MLE-bench's competitions are, and how they are graded.
        launcher: how runs are spread.
        notify: who is told what becomes of the study.
        clock: virtual: programs of simulated engineers are looked up instead of run (docs/simulation.md).
        cassette: record: a call that was made once is not made again; replay: no call is made.
        cassette_path: where the recorded calls are; null: in the study's folder.
        cassette_form: null: files on a network file system, else sqlite.
    """

    study: StudySettings = field(default_factory=StudySettings)
    claim: ClaimSettings = field(default_factory=ClaimSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    strategy: StrategySettings = field(default_factory=StrategySettings)
    variant: str = "base"
    tasks: list[str] = field(default_factory=lambda: ["rentals"])
    seeds: list[int] = field(default_factory=lambda: [0])
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    run: RunSettings = field(default_factory=RunSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    embedder: EmbedderSettings = field(default_factory=EmbedderSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    mlebench: MlebenchSettings = field(default_factory=MlebenchSettings)
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    clock: str = "real"
    cassette: str = "live"
    cassette_path: str | None = None
    cassette_form: str | None = None


def recordable(s: Settings) -> dict[str, Any]:
    """Settings as plain data for a run's folder: from them a recorded run is built again."""
    plain = asdict(s)
    del plain["run"]["preflight"], plain["mlebench"]["validate_url"]  # of launches, and not of runs
    for name in ("backend", "grace_s", "retries"):
        del plain["launcher"][name]
    del plain["notify"]
    if not s.claim.sequential.looks:
        del plain["claim"]["sequential"]
    used = {"mlebench": any(name.startswith(MLEBENCH) for name in s.tasks), "clock": s.clock != Settings.clock}
    plain = {name: value for name, value in plain.items() if used.get(name, True)}
    for part in (plain["model"], plain["embedder"], *plain["model"]["roles"].values()):
        if part["params"].get("api_base") is not None:
            part["params"]["api_base"] = NO_URL
    return plain


def from_recorded(plain: Mapping[str, Any]) -> Settings:
    """Inverse of `recordable`; what a later version added has its default.

    Raises:
        TypeError: a key that this version does not know.
    """
    return cast(Settings, _typed(Settings, plain))


def _typed(kind: type, plain: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind)
    unknown = set(plain) - {f.name for f in fields(kind)}
    if unknown:
        raise TypeError(f"no setting is called {min(unknown)!r}")
    return kind(**{k: _typed(hints[k], v) if is_dataclass(hints[k]) else v for k, v in plain.items()})
