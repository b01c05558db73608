"""What every package shares beside its nouns."""

import pytest

from mlesearch.types import Finding, Level, did_you_mean


@pytest.mark.parametrize(
    ("name", "clause", "hint"),
    [
        ("gredy", False, " (did you mean 'greedy'?)"),
        ("gredy", True, "; did you mean 'greedy'?"),
        ("xyz", False, ""),
        ("xyz", True, ""),
        ("", False, ""),
    ],
)
def test_a_hint_names_the_closest_known_name(name, clause, hint):
    assert did_you_mean(name, (n for n in ("random", "greedy", "mcts")), clause=clause) == hint


def test_a_finding_says_how_grave_it_is_and_of_what():
    assert str(Finding(Level.ERROR, "sample", "it earns gold")) == "error (sample): it earns gold"
