"""Models in roles: what a role is, and what is said of a wrong one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mlesearch.config.loading import compose
from mlesearch.config.parts.build import make_roles, roles_by_op
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import ROLE_OPS, Settings, role_settings
from mlesearch.models.registry import make_model
from mlesearch.types import ConfigError, Op


def settings(*words: str) -> Settings:
    return compose.jobs(compose.expand(words), False).jobs[0].settings


def test_roles_cover_what_makes_no_program() -> None:
    assert Counter(op for ops in ROLE_OPS.values() for op in ops) == Counter(op for op in Op if not op.makes_program)


def test_a_role_is_a_file_and_what_differs_from_it() -> None:
    s = settings("model=sim_09", "model.roles={feedback: sim_03, ideas: {name: sim_05, sampling: {temperature: 0.5}}}")
    roles = {name: role_settings(plain) for name, plain in s.model.roles.items()}
    assert roles["feedback"].params == {"capability": 0.3}
    assert roles["ideas"].sampling.temperature == 0.5
    assert settings("model=sim_09", "model.roles.feedback=sim_03").model.roles["feedback"] == s.model.roles["feedback"]
    with ProcessResources() as resources:
        by_op = roles_by_op(s, make_model("sim_09", "simulated", s.model.params), make_roles(s, resources))
    answering = {op: role.model.name for op, role in by_op.items()}
    assert answering == {
        **dict.fromkeys((Op.DRAFT, Op.DEBUG, Op.IMPROVE, Op.MERGE), "sim_09"),
        **dict.fromkeys((Op.REVIEW, Op.DIAGNOSE), "sim_03"),
        **dict.fromkeys((Op.HYPOTHESIZE, Op.SELECT), "sim_05"),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{feedbak: sim_03}", "model.roles.feedbak: there is no such role; there are: feedback, ideas"),
        ("{feedback: sim_3}", "model.roles.feedback: no model is called 'sim_3' (did you mean"),
        ("{feedback: 3}", "model.roles.feedback: the name of a model is needed"),
        ("{feedback: {name: sim_03, roles: {}}}", "model.roles.feedback.roles: there is no such key"),
        ("{feedback: {name: sim_03, sampling: {temp: 1}}}", "model.roles.feedback: "),
        ("{feedback: {name: sim_03, params: {capabilty: 1}}}", "capabilty"),
    ],
)
def test_a_wrong_role_gets_one_clear_line(given: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught, ProcessResources() as resources:
        plan([settings("model=sim_09", f"model.roles={given}")], resources)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_role_is_part_of_a_runs_identity_and_its_price_of_a_budget(tmp_path: Path) -> None:
    def run(*words: str):
        with ProcessResources() as resources:
            return plan([settings("model=sim_09", f"study.dir={tmp_path}", *words)], resources).runs[0]

    plain, other = run(), run("model.roles={feedback: sim_03}")
    assert "roles" not in plain.identity
    assert other.identity["roles"]["feedback"]["name"] == "sim_03"
    assert other.identity != run("model.roles={feedback: sim_04}").identity
    mixed = "model.roles={feedback: {name: local, params: {price: null}}}"
    assert run(mixed).labels["simulated"]
    with pytest.raises(ConfigError, match=r"the price of model\.roles\.feedback 'local' is not known"):
        run(mixed, "budget.cost_usd=1")
