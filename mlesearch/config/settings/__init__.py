"""The shape of a configuration: what `conf/` may hold, with its types and defaults, by subject.

Every YAML file and every override is checked against these schemas before anything runs. What a setting means stands in
the section "Attributes" of its class; docs/settings.md is made from there (`mlesearch.config.settings.reference`).
Begin with `whole`, a configuration as one object. All classes are handed out here; `schema` lists their settings,
`modes` and `paths` read some. May import `catalogue` of the configuration, for the reference alone.
"""

from mlesearch.config.settings.claim import ClaimSettings, SequentialSettings
from mlesearch.config.settings.mlebench import MLEBENCH, MlebenchSettings
from mlesearch.config.settings.model import (
    MISSING,
    ROLE_OPS,
    EmbedderSettings,
    ModelSettings,
    SamplingSettings,
    role_settings,
)
from mlesearch.config.settings.run import (
    BudgetSettings,
    RunSettings,
    StrategySettings,
    TrialRunSettings,
)
from mlesearch.config.settings.sandbox import SandboxSettings
from mlesearch.config.settings.study import LauncherSettings, LimitsSettings, NotifySettings, StudySettings
from mlesearch.config.settings.whole import NO_URL, Settings, from_recorded, recordable

__all__ = [
    "MISSING",
    "MLEBENCH",
    "NO_URL",
    "ROLE_OPS",
    "BudgetSettings",
    "ClaimSettings",
    "EmbedderSettings",
    "LauncherSettings",
    "LimitsSettings",
    "MlebenchSettings",
    "ModelSettings",
    "NotifySettings",
    "RunSettings",
    "SamplingSettings",
    "SandboxSettings",
    "SequentialSettings",
    "Settings",
    "StrategySettings",
    "StudySettings",
    "TrialRunSettings",
    "from_recorded",
    "recordable",
    "role_settings",
]
