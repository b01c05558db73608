"""`mlesearch grim`: what it says of published rates, by the digits that were typed, and what it refuses."""

import json

import pytest

from mlesearch.analysis.statistics.published import published_rate
from mlesearch.cli.main import main


def run(capsys, *words):
    code = main(["grim", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_rate_of_three_seeds_is_one_and_another_is_not(capsys):
    """19 of 225 runs are 8.44 %; with one and two seeds the nearest are 8.00 and 8.67."""
    code, out, _ = run(capsys, "8.4", "0.4", "--tasks", "75")
    assert code == 0
    assert out.startswith("8.4 ± 0.4 % over 75 tasks: possible with 3, ")
    assert "(1 to 20 were tried)" in out
    found = json.loads(run(capsys, "8.4", "0.4", "--tasks", "75", "--json")[1])
    assert found["by_both"] == list(published_rate(8.4, 0.4, 75).by_both)
    assert found["tried"] == [1, 20]


def test_the_digits_that_were_typed_count(capsys):
    """33.3 of three tasks is a third; 33.30 is none with up to twenty seeds of three tasks."""
    assert "possible with 1, 2, 3" in run(capsys, "33.3", "--tasks", "3")[1]
    assert "no common number of seeds" in run(capsys, "33.30", "--tasks", "3")[1]


def test_a_mean_that_its_sem_does_not_fit_is_told_apart(capsys):
    out = run(capsys, "50.0", "49.0", "--tasks", "2")[1]
    assert "no common number of seeds" in out
    assert "the mean alone is possible with 1, 2, 3" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ten", "--tasks", "3"), "MEAN: 'ten' is no figure in percent; from 0 to 100"),
        (("120", "--tasks", "3"), "MEAN: '120' is no figure in percent"),
        (("20", "nan", "--tasks", "3"), "SEM: 'nan' is no figure"),
        (("20", "--tasks", "0"), "--tasks: 0; at least 1 is needed"),
    ],
)
def test_what_is_no_rate_is_refused_in_one_line(capsys, words, said):
    code, _, err = run(capsys, *words)
    assert code != 0
    assert said in err
    assert len(err.strip().splitlines()) == 1
