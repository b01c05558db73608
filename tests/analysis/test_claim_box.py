"""A reader's test: from one sentence of the claim box alone a result can be quoted with all that belongs to it.

The studies of odd kinds are looked at in the same way where their words are (`test_edge_studies`).
"""

import pytest

from mlesearch.analysis.results import analyse
from tests.support.claim_box import check_quotable
from tests.support.edge_studies import study
from tests.support.synthetic_study import synthetic


def test_gaps_of_a_few_models_are_quoted_as_they_stand_in_the_table():
    tables = study(lambda m, s, t, k: (s == 1) & (t < 10), models=("a/x", "a/y"))
    assert check_quotable(analyse(tables)) == ["a/x", "a/y"]


@pytest.mark.parametrize("simulated", [True, False])
def test_each_sentence_of_a_whole_claim_stands_alone(simulated):
    tables = synthetic(models=10, tasks=20, seeds=2, simulated=simulated, effect=1.4, steps=2)
    check_quotable(analyse(tables))
