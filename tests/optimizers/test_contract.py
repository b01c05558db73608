"""Every built-in strategy and preset keeps the contract, and the contract catches strategies that do not."""

from __future__ import annotations

import random
from dataclasses import fields

import pytest
import yaml

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.gome.settings import GomeSettings
from mlesearch.optimizers.greedy import Greedy, GreedySettings, NumpyDraws
from mlesearch.testing.optimizer_contract import OptimizerContract
from mlesearch.types import Op, Problem, Proposal
from tests.support.paths import ROOT
from tests.support.presets import PRESETS


class Built(OptimizerContract):
    preset = ""

    def make(self, problem, rng):
        kind, params = PRESETS[self.preset]
        return factory(kind)(params, problem, rng)

    def expansion(self, p: Proposal):
        kind, _ = PRESETS[self.preset]
        if kind == "random":  # independent draws: any program, whatever is in flight
            return None
        return ("trace", p.trace) if kind == "gome" else super().expansion(p)


for _preset in PRESETS:
    _name = "Test" + "".join(word.title() for word in _preset.split("_"))
    globals()[_name] = type(_name, (Built,), {"preset": _preset, "__module__": __name__})


def test_the_contract_is_checked_for_every_preset_and_every_switch():
    files = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "conf" / "strategy").glob("*.yaml"))]
    assert files
    for conf in files:
        assert (conf["kind"], conf.get("params", {})) in PRESETS.values(), conf["name"]
    tried = [p for kind, p in PRESETS.values() if kind == "gome"]
    for f in fields(GomeSettings):
        if f.name == "context":
            continue
        if isinstance(f.default, bool):
            assert any(p.get(f.name) in (False, "off") for p in tried), f.name
        elif isinstance(f.default, str):
            assert {p.get(f.name, f.default) for p in tried} == set(f.metadata["choices"]), f.name
    assert {p.get("n_traces", 3) for p in tried} == {1, 3, 4, 8}
    rewards = {p.get("reward", "as_released") for _, p in PRESETS.values() if p.get("preset") == "ml_master"}
    assert rewards == {"as_released", "as_published"}


class NamesWhatIsInFlight(Greedy):
    def ask(self, used):
        p = super().ask(used)
        return p if p.id == 0 else Proposal(p.id, p.op, p.base, None, (p.id - 1,))


class SkipsAnId(Greedy):
    def ask(self, used):
        p = super().ask(used)
        return Proposal(p.id + (p.id > 3), p.op, p.base, None, p.parents)


class DebugsTwice(Greedy):
    def _policy(self):
        if self._pending and (last := list(self._pending.values())[-1]).op is Op.DEBUG:
            self._buggy_leaves.append(last.base)
            return Op.DEBUG, last.base
        return super()._policy()


class RunsDry(Greedy):
    def ask(self, used):
        return super().ask(used) if self._best is not None or self._asked < 8 else None


class CountsItsNones(Greedy):
    nones = 0

    def ask(self, used):
        if self._pending and self._asked > 2:
            self.nones += 1
            return None
        if self.nones % 4 > 1 and self._best is not None:
            self.nones = 0
            p = Proposal(self._asked, Op.DRAFT)
            self._pending[p.id] = p
            self._asked += 1
            self._roots += 1
            return p
        return super().ask(used)


class UsesGlobalRandomness(Greedy):
    def _policy(self):
        return (Op.DRAFT, None) if random.random() < 0.5 else super()._policy()


class JudgesAnEmptyReply(Greedy):
    def tell(self, outcome):
        from mlesearch.types import Verdict, VerdictKind

        super().tell(outcome)
        return [] if outcome.valid else [Verdict(outcome.id, VerdictKind.REJECTED)]


BROKEN = [
    (NamesWhatIsInFlight, "test_rules_hold", "only finished programs"),
    (SkipsAnId, "test_rules_hold", "dense ids"),
    (DebugsTwice, "test_rules_hold", "in flight already"),
    (RunsDry, "test_never_dry_when_all_fail", "dry"),
    (CountsItsNones, "test_resumes_from_any_prefix", "resumed"),
    (UsesGlobalRandomness, "test_resumes_from_any_prefix", "resumed"),
    (JudgesAnEmptyReply, "test_rules_hold", "verdicts are about"),
]


@pytest.mark.parametrize(("cls", "test", "says"), BROKEN, ids=[b[0].__name__ for b in BROKEN])
def test_a_broken_strategy_is_caught(cls, test, says):
    class Broken(OptimizerContract):
        def make(self, problem: Problem, rng):
            return cls(GreedySettings(), problem, lambda id: NumpyDraws(rng(id)))

    with pytest.raises(AssertionError, match=says):
        getattr(Broken(), test)()
