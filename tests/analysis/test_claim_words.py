"""What the claim box says of studies whose outcome is known: words that must stand there, and some that must not."""

import re

import numpy as np
import pytest

from mlesearch.analysis.results import analyse
from mlesearch.analysis.text import interval, near_level, p_text
from mlesearch.analysis.words.wording import verdicts
from mlesearch.types import ConfigError
from tests.support.outcome_study import grid, outcome_study

SIX = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
RISING = [(0, 5), (1, 5), (2, 5), (4, 4), (6, 4), (8, 3)]
"""From far behind to far ahead, of ten seeds."""
CLOSING = [(0, 8), (1, 8), (2, 7), (3, 6), (4, 6), (5, 6)]
"""Behind everywhere, and less so with strong models."""
UNIFORM = [(8, 3)] * 6
NOTHING = [(4, 4)] * 6


def box(models, figures=SIX, tasks=24, noise=1, simulated=False, **claim):
    hits = grid(models, tasks, 10, noise)
    found = analyse(outcome_study(hits, 10, figures, simulated, **claim))
    return {answer.title: answer for answer in verdicts(found)}, found


STUDIES = {
    "rising": (RISING, {}),
    "rising, declared to fall": (RISING, {"trend": "falls"}),
    "falling": (RISING[::-1], {}),
    "falling as declared": (RISING[::-1], {"trend": "falls"}),
    "closing": (CLOSING, {}),
    "uniform": (UNIFORM, {}),
    "uniform, trend first": (UNIFORM, {"order": ["slope", "crossover", "gap"]}),
    "uniform, gap first": (UNIFORM, {"order": ["gap", "slope", "crossover"]}),
    "nothing": (NOTHING, {}),
    "nothing, with a margin": (NOTHING, {"margin_points": 10.0}),
    "nothing, with a small margin": (NOTHING, {"margin_points": 0.1}),
    "rising, not declared": (RISING, {"declared": False}),
    "rising, the gap declared alone": (RISING, {"capability": False}),
}


@pytest.mark.parametrize(
    ("name", "simulated"), [*((name, False) for name in STUDIES), ("rising", True), ("nothing, with a margin", True)]
)
def test_every_sentence_says_status_population_n_and_whether_it_is_simulated(name, simulated):
    models, claim = STUDIES[name]
    answers, _ = box(models, simulated=simulated, **claim)
    assert set(answers) == {"The gap", "Capability", "Crossover"}
    for answer in answers.values():
        start = f"{answer.status.capitalize()}{', in simulation' if simulated else ''}, on tasks like these "
        assert answer.sentence.startswith(f"{start}(E2, n = 24 tasks, 10 seeds each): ")
        assert "widen" not in answer.sentence
        assert "narrow" not in answer.sentence
        assert "nan" not in answer.sentence
        assert not re.search(r"\.\.|;\.|  ", answer.sentence)


def test_a_gap_that_closes_rises_and_says_from_what_to_what():
    said = box(CLOSING)[0]["Capability"]
    assert (said.mark, said.headline) == ("yes", "The gap rises")
    assert re.search(
        r"rises with capability, from −7\d\.\d points with the 2 weakest models to −1\d\.\d points", said.sentence
    )
    assert "90 % interval over tasks +" in said.sentence


@pytest.mark.parametrize(
    ("name", "headline", "mark"),
    [
        ("rising", "The gap rises", "yes"),
        ("rising, declared to fall", "The gap rises, against the declared claim", "no"),
        ("falling", "The gap falls, against the declared claim", "no"),
        ("falling as declared", "The gap falls", "yes"),
        ("uniform", "No trend established", "open"),
        ("rising, not declared", "The gap rises", "yes"),
    ],
)
def test_the_direction_is_the_declared_one_and_the_other_side_is_said(name, headline, mark):
    models, claim = STUDIES[name]
    said = box(models, **claim)[0]["Capability"]
    assert (said.headline, said.mark) == (headline, mark)
    if "against" in headline:
        assert "against what was declared" in said.sentence
        assert "this side was not declared, so it is exploratory" in said.sentence
        assert "one-sided the other way" in said.sentence
    if name == "rising, not declared":
        assert "both two-sided" in said.sentence
        assert said.status == "exploratory"


def test_a_crossover_follows_the_declared_direction():
    up = box(RISING)[0]["Crossover"]
    assert "gome is behind greedy in the low group and ahead in the high group" in up.sentence
    assert "[90 % −" in up.sentence
    down = box(RISING[::-1], trend="falls")[0]["Crossover"]
    assert "gome is ahead of greedy in the low group and behind in the high group" in down.sentence
    none = box(RISING, trend="falls")[0]["Crossover"]
    assert "the gap of gome over greedy does not fall with capability with these models" in none.sentence
    assert none.mark == "open"


def test_a_part_that_waits_for_another_says_so():
    waiting, found = box(UNIFORM, order=["slope", "crossover", "gap"])
    said = waiting["The gap"].sentence
    assert "no difference in any-medal rate between gome and greedy is established" in said
    assert "by itself it would be; but the trend over capability comes before it in the claim's order" in said
    assert not any(gap.rejects() for gap in found.main.gaps)
    first = box(UNIFORM, order=["gap", "slope", "crossover"])[0]["The gap"]
    assert first.headline == "gome ahead with 6 of 6 models"
    assert box(UNIFORM)[0]["The gap"].headline == "gome ahead with 6 of 6 models"


def test_no_difference_says_what_would_have_been_found_and_equality_within_the_margin():
    plain = box(NOTHING)[0]["The gap"].sentence
    assert re.search(r"that is no evidence of equality: a gap of \d.* points .* would have been found in 80 %", plain)
    equal = box(NOTHING, margin_points=10.0)[0]["The gap"].sentence
    assert "; the two are equal within the declared margin of 10.0 points with " in equal
    assert "(two one-sided t tests, Holm-adjusted, all p " in equal
    assert "would have been found in 80 %" in equal
    small = box(NOTHING, margin_points=0.1)[0]["The gap"].sentence
    assert "equality within the declared margin of 0.1 points is not shown" in small


def test_a_trend_of_rates_that_log_odds_do_not_have_is_called_so():
    """A constant advantage in log odds of which weak models, near the floor, show little."""
    rng = np.random.default_rng(4)
    logit = np.linspace(-4.5, 0.0, 6)[:, None, None] + np.array([0.8, 0.0])[:, None] + 0.3 * rng.normal(size=40)
    hits = rng.binomial(10, 1 / (1 + np.exp(-logit)))
    said = {a.title: a for a in verdicts(analyse(outcome_study(hits, 10, SIX)))}["Capability"]
    assert said.headline == "The gap rises"
    assert "It is shown only on the scale of rates: on the scale of log odds the trend is " in said.sentence
    assert "On the scale of log odds the trend is +" in box(RISING)[0]["Capability"].sentence


def test_without_spread_gap_slope_and_crossover_agree():
    models = [(0, 10), (0, 10), (5, 5), (5, 5), (10, 0), (10, 0)]
    answers, found = box(models, noise=0, tasks=25)
    assert [answers[t].mark for t in ("Capability", "Crossover")] == ["yes", "yes"]
    assert sum(gap.rejects() for gap in found.main.gaps) == 4
    assert "not estimable" in answers["Crossover"].sentence
    few, found = box(models, noise=0, tasks=3)
    assert [few[t].mark for t in ("Capability", "Crossover")] == ["open", "open"]
    assert not any(gap.rejects() for gap in found.main.gaps)


def test_models_that_are_tied_are_in_one_group_whatever_their_names():
    tied = (1.0, 2.0, 2.0, 3.0, 4.0, 5.0)
    one = analyse(outcome_study(grid(RISING, 24, 10, 1), 10, tied)).main.crossover
    assert len(one.weak.models) == 3
    renamed = [RISING[0], RISING[2], RISING[1], *RISING[3:]]
    other = analyse(outcome_study(grid(renamed, 24, 10), 10, tied)).main.crossover
    plain = analyse(outcome_study(grid(RISING, 24, 10), 10, tied)).main.crossover
    assert other.weak.gap == pytest.approx(plain.weak.gap)
    meeting = box(RISING, (1.0, 1.0, 1.0, 1.0, 1.0, 2.0))[0]["Crossover"]
    assert "models of the same capability are in one group" in meeting.sentence


def test_a_capability_that_is_not_finite_is_refused():
    with pytest.raises(ConfigError, match=r"model lab/model-06 has the capability inf in table runs") as caught:
        box(RISING, (1.0, 2.0, 3.0, 4.0, 5.0, float("inf")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ({"trend": "widens"}, "study.json: claim.trend: 'widens' is no direction"),
        ({"order": ["slope"]}, "study.json: claim.order: [slope] is no order"),
        ({"margin_points": "3"}, "study.json: claim.margin_points: '3' is no number"),
        ({"margin_points": -1}, "study.json: claim.margin_points: -1 is no margin"),
    ],
)
def test_options_of_a_claim_that_are_none_are_refused_in_words(claim, said):
    with pytest.raises(ConfigError) as caught:
        box(RISING, **claim)
    assert str(caught.value).startswith(said)


def test_exploratory_trends_are_adjusted_over_each_other():
    from tests.support.synthetic_study import synthetic

    results = analyse(synthetic(models=5, tasks=8, claim=False))
    raw = [c.slope.p_both for c in (results.main, *results.others)]
    adjusted = [c.slope.p_adjusted for c in (results.main, *results.others)]
    assert len(raw) == 3
    assert all(a >= p for a, p in zip(adjusted, raw, strict=True))
    assert max(adjusted) > min(raw)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.05, "p = 0.05 exactly"),
        (0.0504, "p = 0.0504"),
        (0.04996, "p = 0.04996"),
        (0.0495, "p = 0.0495"),
        (0.051, "p = 0.051"),
        (0.0625, "p = 0.062"),
    ],
)
def test_a_p_next_to_the_level_says_on_which_side_it_lies(p, text):
    assert p_text(p) == text


def test_limits_that_round_to_one_number_are_told_apart():
    assert interval(0.3331, 0.3334) == "+33.31 to +33.34"
    assert interval(0.1, 0.2) == "+10.0 to +20.0"
    assert near_level(0.0501, "0.050") == "0.0501"
