"""What a study varies, read from the columns of its runs."""

from mlesearch.analysis.data.axes import settings_of
from mlesearch.analysis.data.claim import arms_of
from tests.support.leader_study import first, study

WINS = first(1, 2)


def found(settings, models=("m",), engineers=None):
    hits = {(m, s, v): WINS for m in models for s in ("gome", "greedy") for v in settings}
    tables = study(hits, settings, dict.fromkeys(models, 0.5))
    runs = tables.runs
    for model, engineer in (engineers or {}).items():
        runs.loc[runs["model"] == model, "engineer"] = engineer
    return settings_of(runs, models, arms_of(tables)), arms_of(tables)


def test_levels_are_sorted_and_in_words_whatever_the_variants_are_called():
    made, arms = found(
        {
            "zebra": {"engineer": {"bug_rate": 0.3, "evidence_share": 0.0}, "budget_steps": 12},
            "ant": {"engineer": {"bug_rate": 0.0, "evidence_share": 0.4}, "budget_time_s": 1200.0},
            "bee": {"engineer": {"bug_rate": 0.0, "evidence_share": 0.0}, "budget_usd": 0.11},
            "cow": {"engineer": {"bug_rate": 0.0, "evidence_share": 0.0}, "budget_steps": 6, "budget_tokens": 5000},
        }
    )
    assert [(axis.name, axis.levels) for axis in made.axes] == [
        ("evidence_share", ("0", "0.4")),
        ("bug_rate", ("0", "0.3")),
        ("budget", ("6 steps, 5,000 tokens", "12 steps", "1,200 s", "0.11 USD")),
    ]
    assert [axis.words for axis in made.axes] == ["share of evidence f", "bug rate", "budget"]
    places = {(arms[a].strategy, arms[a].variant): setting for (_, a), setting in made.of.items()}
    assert places["gome", "zebra"] == places["greedy", "zebra"] == (0, 1, 1)
    assert places["gome", "ant"] == (1, 0, 2)


def test_any_parameter_may_vary_and_what_does_not_is_no_axis():
    made, _ = found(
        {
            "a": {"engineer": {"breadth": 6, "debug_skill": 0.6}, "budget_steps": 6},
            "b": {"engineer": {"breadth": 12, "debug_skill": 0.6}, "budget_steps": 6},
        }
    )
    assert [(axis.name, axis.words, axis.levels) for axis in made.axes] == [("breadth", "breadth", ("6", "12"))]


def test_what_differs_between_models_alone_is_no_axis():
    engineers = {"m": '{"bug_rate": 0.1}', "n": '{"bug_rate": 0.2}'}
    made, _ = found({"base": {"budget_steps": 6}}, ("m", "n"), engineers)
    assert made is None


def test_variants_of_a_strategy_are_no_settings():
    made, _ = found(
        {"on": {"engineer": {"breadth": 6}, "budget_steps": 6}, "off": {"engineer": {"breadth": 6}, "budget_steps": 6}}
    )
    assert made is None


def test_tables_of_an_earlier_version_have_no_settings():
    tables = study({("m", s, v): WINS for s in ("gome", "greedy") for v in "ab"}, {"a": {}, "b": {}}, {"m": 0.5})
    old = tables.runs.drop(
        columns=["engineer", "family", "budget_steps", "budget_time_s", "budget_usd", "budget_tokens"]
    )
    assert settings_of(old, ("m",), arms_of(tables)) is None
    assert settings_of(tables.runs, ("m",), arms_of(tables)) is None
