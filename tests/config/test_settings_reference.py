"""The page of all settings is up to date, says what each means, and is right about what enters identity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import Settings
from mlesearch.config.settings.reference import identity, markdown
from mlesearch.config.settings.schema import choices, schema
from tests.support.paths import ROOT

OTHER: dict[str, str] = {
    "model.sampling.temperature": "0.5",
    "model.sampling.top_p": "0.5",
    "model.sampling.reasoning_effort": "low",
    "model.tier": "low",
    "model.capability": "0.25",
    "model.capability_source": "a paper",
    "model.retires": "'2099-12-31'",
    "budget.time_s": "100",
    "budget.cost_usd": "5",
    "budget.tokens": "1000",
    "budget.real_time_s": "100",
    "budget.reserve_s": "0.5",
    "budget.confirm_usd": "5",
    "run.trial.share": "0.5",
    "run.audit": "always",
    "run.keep_prompts": "true",
    "run.operators": "aira",
    "sandbox.program_time_s": "7",
    "sandbox.require": "[net_off]",
    "sandbox.warm": "false",
    "limits.network": "false",
    "cassette": "record",
    "sandbox.exec_store": "record",
    "sandbox.cpu_count": "2",
    "claim.primary": "more",
    "claim.order": "[slope,crossover,gap]",
    "claim.measures": "[percentile]",
    "claim.low_budgets": "[1,2]",
    "claim.high_budgets": "[3,4]",
    "study.dir": "elsewhere",
    "launcher.n_jobs": "2",
}
"""Another value of a setting, where none can be told from its kind and default."""
BASE = ("model=sim_05", "strategy=greedy", "sandbox=local", "budget.time_s=50")
GROUPS = ("model", "strategy", "sandbox")


def test_the_page_in_the_docs_is_up_to_date() -> None:
    how = "run: python -m mlesearch.config.settings.reference > docs/settings.md"
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == markdown(), how


@pytest.mark.parametrize("name", schema())
def test_every_setting_says_what_it_means(name: str) -> None:
    assert schema()[name].meaning, f"{name}: say it in the section Attributes of its class"


def test_every_choice_is_a_text_that_its_setting_takes() -> None:
    found = {name: choices(name) for name, s in schema().items() if choices(name)}
    assert len(found) >= 12
    assert all(schema()[name].kind in ("text", "texts") for name in found)
    for name, words in found.items():
        assert schema()[name].default in ("", "null", "[]", *words)


def by_hydra(*words: str) -> Settings:
    return jobs(expand(words), False).jobs[0].settings


def composed(*words: str) -> Settings:
    """What Hydra composes of these words, in a tenth of the time."""
    given: Any = {}
    for word in words:
        name, _, text = word.partition("=")
        *above, last = [name, "file"] if name in GROUPS else name.split(".")
        place = given
        for key in above:
            place = place.setdefault(key, {})
        place[last] = yaml.safe_load(text)
    (made,) = cells(given)
    return made


def identity_of(*words: str) -> Any:
    with ProcessResources() as resources:
        return plan([composed(*BASE, *words)], resources).runs[0].identity


def other(name: str) -> str | None:
    """Another value of a setting, by its kind; None where there is none that can be planned here."""
    s = schema()[name]
    if name in OTHER:
        return OTHER[name]
    if s.kind == "whole" and s.default not in ("", "null"):
        return str(int(s.default) + 1)
    if s.kind == "number" and s.default not in ("", "null"):
        return str(float(s.default) * 2 + 1)
    if s.kind == "switch" and s.default in ("true", "false"):
        return "false" if s.default == "true" else "true"
    words = [word for word in choices(name) if word != s.default]
    return words[0] if words and not name.endswith(".kind") else None


def test_what_enters_identity_does_and_what_does_not_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting of which another value can be planned on this machine, one at a time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert asdict(composed(*BASE, "model.tier=low")) == asdict(by_hydra(*BASE, "model.tier=low"))
    usual = identity_of()
    beside = {
        "run.trial.rows": ["run.trial.share=0.5"],
        "run.trial.time_s": ["run.trial.share=0.5"],
        "run.revalidate_k": ["run.selection=revalidate"],
        "run.revalidate_splits": ["run.selection=revalidate"],
    }
    left_out = (
        "sandbox.gpu",
        "sandbox.charge_gpu",
        "budget.gpu_s",
        "study.name",
        "limits.part",
        "claim.capability",
        "mlebench",  # of competitions alone: tests/config/test_mlebench.py
    )
    checked = 0
    for name, s in schema().items():
        value = other(name)
        if value is None or s.kind == "mapping" or name.startswith(left_out) or identity(name) == "place":
            continue
        before = usual if name not in beside else identity_of(*beside[name])
        after = identity_of(*beside.get(name, ()), f"{name}={value}")
        assert (after != before) == (identity(name) == "yes"), f"{name}={value}"
        checked += 1
    assert checked >= 45
