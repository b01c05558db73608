"""`docs/strategies.md` names every setting of every built-in strategy with its default."""

from __future__ import annotations

from mlesearch.optimizers.base import STRATEGIES, factory
from tests.support.paths import DOCS


def test_every_built_in_is_documented_with_its_defaults():
    text = (DOCS / "strategies.md").read_text()
    for kind in STRATEGIES.builtin:
        assert f"`kind: {kind}`" in text
        assert callable(factory(kind))
    from dataclasses import fields

    from mlesearch.optimizers.adaptive import AdaptiveSettings
    from mlesearch.optimizers.evo.search import EvoSettings
    from mlesearch.optimizers.gome.settings import GomeSettings
    from mlesearch.optimizers.greedy import GreedySettings
    from mlesearch.optimizers.hillclimb import HillclimbSettings
    from mlesearch.optimizers.mcgs.settings import MCGSSettings
    from mlesearch.optimizers.mcts.aira import AiraSettings
    from mlesearch.optimizers.mcts.ml_master import MLMasterSettings
    from mlesearch.optimizers.random import RandomSettings

    for settings in (
        RandomSettings,
        HillclimbSettings,
        GreedySettings,
        AdaptiveSettings,
        AiraSettings,
        MLMasterSettings,
        EvoSettings,
        MCGSSettings,
        GomeSettings,
    ):
        for f in fields(settings):
            if f.name in ("preset", "reward"):
                assert f.name in text
                continue
            if isinstance(f.default, bool):
                written = "on" if f.default else "off"
            else:
                written = {1e-3: "1e-3", 1e-4: "1e-4"}.get(f.default, str(f.default).removesuffix(".0"))
            assert f"{f.name}: {written}" in text, f"{settings.__name__}.{f.name}: {written} is not in strategies.md"
