"""Competitions, suites and files of ids, as a user names them."""

from pathlib import Path

import pytest

from mlesearch.tasks.leaderboard import mlebench_thresholds
from mlesearch.tasks.mlebench.facts import table
from mlesearch.tasks.mlebench.names import SUITES, asked, expanded, suite
from mlesearch.types import ConfigError


@pytest.mark.parametrize(
    ("name", "count", "gb"),
    [
        ("lite", 22, 157.7),
        ("medium", 38, 1239.9),
        ("high", 15, 1886.1),
        ("all", 75, 3283.7),
        ("dev", 7, None),
        ("lite-small", 17, 4.8),
        ("lite-clean", 15, None),
        ("lite-open", 20, None),
    ],
)
def test_suites_have_the_sizes_of_mlebench(name: str, count: int, gb: float | None) -> None:
    ids = suite(name)
    assert len(ids) == len(set(ids)) == count
    if gb is not None:
        assert sum(table()[id].raw_gb or 0 for id in ids) == pytest.approx(gb, abs=0.06)


def test_the_parts_of_lite_are_parts_and_leave_out_what_they_say() -> None:
    lite = suite("lite")
    for part in ("lite-small", "lite-clean", "lite-open"):
        assert [id for id in lite if id in suite(part)] == suite(part)
    assert sorted(set(lite) - set(suite("lite-open"))) == [
        "detecting-insults-in-social-commentary",
        "the-icml-2013-whale-challenge-right-whale-redux",
    ]
    assert set(suite("all")) == {*lite, *suite("medium"), *suite("high")}


def test_every_competition_has_thresholds_and_a_place_for_its_files() -> None:
    assert len(table()) == 82
    for known in table().values():
        assert mlebench_thresholds(known.id)[1] is known.direction
        assert known.sample.endswith(".csv")
        assert known.answers.startswith("private/")
        assert known.gold.startswith("private/")
    assert sum(known.sample.startswith("private/") for known in table().values() if known.split != "dev") == 4
    assert sum(known.gold != known.answers for known in table().values()) == 8
    assert sum(bool(known.archives) for known in table().values()) == 12
    assert sum(known.broken_by_new_pandas for known in table().values()) == 8


def test_suites_expand_in_their_order_and_each_competition_once() -> None:
    found = expanded(["rentals", "mlebench:lite-small", "mlebench:lite", "a:b"])
    assert found[0] == "rentals"
    assert found[-1] == "a:b"
    assert found[1:18] == [f"mlebench:{id}" for id in suite("lite-small")]
    assert sorted(found[1:-1]) == sorted(f"mlebench:{id}" for id in suite("lite"))


def test_a_file_of_ids(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# mine\nrandom-acts-of-pizza\n\nAI4Code  # big\nrandom-acts-of-pizza\n", encoding="utf-8")
    assert list(asked(f"mlebench:{path}")) == ["random-acts-of-pizza", "AI4Code"]
    path.write_text("random-acts-of-pasta\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.txt, line 1: .*did you mean 'random-acts-of-pizza'"):
        asked(f"mlebench:{path}")
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no competition id"):
        asked(f"mlebench:{path}")
    with pytest.raises(ConfigError, match="No such file"):
        asked(f"mlebench:{tmp_path}/absent.txt")


@pytest.mark.parametrize(("wrong", "meant"), [("lit", "lite"), ("spooky-author", "spooky-author-identification")])
def test_unknown_names_are_told_the_closest(wrong: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{meant}'") as error:
        expanded([f"mlebench:{wrong}"])
    assert all(name in str(error.value) for name in SUITES)
