"""What a claim may declare beside its strategies: the trend, the order of its parts, the margin of equivalence."""

import pytest

from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.storage.claim import Claim, claim_problem
from mlesearch.types import ConfigError

BASE = ("model=sim_05", "strategy=greedy", "sandbox=local", "tasks=[canvas]", "seeds=[0]")
PAIR = ("claim.treatment=gome", "claim.baseline=greedy", "claim.capability=true")


def header(tmp_path, *words):
    cells = [job.settings for job in jobs(expand([*BASE, *words, f"study.dir={tmp_path / 'study'}"]), False).jobs]
    return plan(cells, ProcessResources()).header


def test_a_claim_without_options_stands_in_study_json_as_before(tmp_path):
    assert header(tmp_path, *PAIR)["claim"] == {
        "treatment": "gome",
        "baseline": "greedy",
        "outcome": "any_medal",
        "capability": True,
        "tiers": [],
        "primary": "",
    }


def test_options_stand_there_where_they_are_in_use(tmp_path):
    words = ("claim.trend=falls", "claim.order=[slope,crossover,gap]", "claim.margin_points=3")
    claim = header(tmp_path, *PAIR, *words)["claim"]
    assert (claim["trend"], claim["order"], claim["margin_points"]) == ("falls", ["slope", "crossover", "gap"], 3.0)
    assert Claim("a", "b").to_json().keys() == {"treatment", "baseline", "outcome", "capability", "tiers", "primary"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("claim.order=[slope,gap]",), "claim.order: [slope, gap] is no order of the claim's parts; name each once"),
        (("claim.order=[slope,gap,gap]",), "name each once: gap, slope, crossover"),
        (("claim.margin_points=0",), "claim.margin_points: 0 is no margin; it is above 0 and below 100"),
        (("claim.margin_points=nan",), "claim.margin_points: nan is no margin"),
        (("claim.measures=[rank]",), "claim.measures: 'rank' is no measure; there are: percentile, "),
        (("claim.measures=[percentile,percentile]",), "claim.measures: name each measure once"),
        (("claim.budget_axis=days",), "claim.budget_axis: 'days'; there are: steps, time_s, tokens, usd"),
        (("claim.low_budgets=[1,2]",), "claim.budget_axis: name the axis"),
        (("claim.budget_axis=steps", "claim.low_budgets=[1,4]", "claim.high_budgets=[3,5]"), "above 0, rising"),
        (
            ("claim.outcome=rank",),
            "claim.outcome: 'rank'; there are: any_medal, gold, above_median, valid, percentile, ",
        ),
        (("claim.outcome=auc_usd", "claim.measures=[auc_usd]"), "claim.measures: auc_usd is the claim's outcome"),
        (
            ("claim.outcome=percentile", "claim.capability=true", "claim.sequential.looks=[1]"),
            "claim.sequential.looks: looks count successes, and claim.outcome=percentile is a measure",
        ),
        (("claim.low_budgets=[1,x]",), "claim.low_budgets: a list of numbers is expected, as in claim.low_budgets="),
        (("claim.high_budgets=0.5",), "'claim.high_budgets=[0.5]'"),
        (
            ("claim.budget_axis=tokens", "claim.low_budgets=[1,1.5]", "claim.high_budgets=[3,5]"),
            "claim.low_budgets, claim.high_budgets: 1.5 tokens, and tokens are whole; give whole numbers",
        ),
        (("model.capability=inf",), "model.capability: inf is no number that models can be compared by"),
    ],
)
def test_what_is_none_of_these_is_refused_in_one_line(tmp_path, words, said):
    with pytest.raises(ConfigError) as caught:
        header(tmp_path, *PAIR, *words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_option_is_no_problem_and_no_direction_is_one():
    assert claim_problem("rises", (), None) == ""
    assert claim_problem("widens", (), None) == "claim.trend: 'widens' is no direction; there are: rises, falls"


def test_measures_and_budgets_stand_there_where_they_are_declared(tmp_path):
    words = ("claim.measures=[percentile,auc_steps]", "claim.budget_axis=steps", "claim.low_budgets=[1,2]")
    claim = header(tmp_path, *PAIR, *words, "claim.high_budgets=[8,10]")["claim"]
    assert claim["measures"] == ["percentile", "auc_steps"]
    assert claim["budgets"] == {"axis": "steps", "low": [1.0, 2.0], "high": [8.0, 10.0]}


def test_budgets_may_be_parts_of_a_dollar_or_an_hour(tmp_path):
    words = ("claim.outcome=percentile", "claim.budget_axis=usd", "claim.low_budgets=[0.05,.25]")
    claim = header(tmp_path, *PAIR, *words, "claim.high_budgets=[0.5,2]")["claim"]
    assert claim["outcome"] == "percentile"
    assert claim["budgets"] == {"axis": "usd", "low": [0.05, 0.25], "high": [0.5, 2.0]}
