"""Runs are carried out in rounds of seeds, and a round that is over is reported once."""

from types import SimpleNamespace

import hypothesis.strategies as st
from hypothesis import given

from mlesearch.cli.main import main
from mlesearch.storage.layout import RunKey
from mlesearch.study.runs.execute import RunReport, execute_run
from mlesearch.study.work_list.rounds import BETWEEN_REPORTS_S, RoundReports, in_rounds, rounds_of

KEYS = [RunKey(m, s, "base", t, n) for m in "ab" for s in ("greedy", "gome") for t in ("x", "y") for n in (3, 1, 7)]
"""As a launch plans them: cell by cell, task by task, seed by seed."""


def test_a_round_has_one_seed_of_every_task_of_every_cell():
    ordered = [KEYS[i] for i in in_rounds(KEYS)]
    assert sorted(ordered, key=KEYS.index) == KEYS
    assert [key.seed for key in ordered] == [3] * 8 + [1] * 8 + [7] * 8
    assert ordered[:8] == [key for key in KEYS if key.seed == 3]


@given(st.lists(st.sampled_from(KEYS), unique=True))
def test_any_part_of_a_launch_is_ordered_by_round_and_then_as_it_was(keys):
    rounds = dict(zip(keys, rounds_of(keys), strict=True))
    ordered = [keys[i] for i in in_rounds(keys)]
    assert ordered == sorted(keys, key=lambda key: (rounds[key], keys.index(key)))
    for cell in {(key.cell, key.task) for key in keys}:
        of_cell = [rounds[k] for k in keys if (k.cell, k.task) == cell]
        assert of_cell == list(range(len(of_cell)))


class Reports:
    """A launch whose clock and reports are the test's."""

    def __init__(self, finished=()):
        self.now, self.told = 0.0, []
        self.of = RoundReports([SimpleNamespace(key=key) for key in KEYS], finished, self.report, lambda: self.now)

    def report(self, over, of, run_ids):
        self.told.append((over, of))
        self.run_ids = run_ids

    def end(self, keys, at_s):
        self.now = at_s
        for key in keys:
            self.of.ended(key.id)


def seed(n):
    return [key for key in KEYS if key.seed == n]


def test_each_round_but_the_last_is_reported():
    launch = Reports()
    launch.end(seed(3)[:-1], 100)
    assert launch.told == []
    launch.end(seed(3)[-1:], 100)
    assert launch.run_ids == {key.id for key in seed(3)}
    launch.end(seed(1), 200)
    assert launch.run_ids == {key.id for key in seed(3) + seed(1)}
    launch.end(seed(7), 300)
    assert launch.told == [(1, 3), (2, 3)]


def test_rounds_that_follow_fast_are_not_reported():
    launch = Reports()
    launch.end(seed(3), BETWEEN_REPORTS_S - 1)
    launch.end(seed(1), BETWEEN_REPORTS_S - 0.5)
    assert launch.told == []
    launch.end(seed(7)[:1], BETWEEN_REPORTS_S + 1)  # two rounds are over by now, and the second is said
    assert launch.told == [(2, 3)]


def test_what_an_earlier_launch_finished_counts_and_is_not_reported_again():
    launch = Reports(finished=seed(3) + seed(1)[:2])
    launch.end(seed(7)[:1], 100)
    assert launch.told == []
    launch.end(seed(1)[2:], 110)
    assert launch.told == [(2, 3)]


def test_a_launch_reports_each_round(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mlesearch.study.work_list.rounds.BETWEEN_REPORTS_S", 0.0)
    words = ["run", "study.name=s", "model=sim_05", "strategy=random", "seeds=[4,2]", "budget.steps=1", "sandbox=local"]
    assert main([*words, "launcher.n_jobs=1"]) == 0
    said = capsys.readouterr().out
    first = said.index("so far, with 1 of 2 seeds")
    assert "Interim: the first 1 of 2 runs" in said
    assert said.count("so far, with") == 1
    assert first < said.index("over 2 seeds")


def test_a_launch_that_was_stopped_ends_with_counts_and_no_rates(tmp_path, monkeypatch, capsys):
    """As by Ctrl-C after the first run: the others are not begun, and no failures."""
    monkeypatch.chdir(tmp_path)
    begun = []

    def stopped(run, *args, **kwargs):
        begun.append(run.key.id)
        return execute_run(run, *args, **kwargs) if len(begun) == 1 else RunReport(run.key.id, "interrupted")

    monkeypatch.setattr("mlesearch.study.workers.slots.execute_run", stopped)
    sweep = ["-m", "study.name=s", "model=sim_05", "strategy=random,greedy", "seeds=[4,2]", "budget.steps=1"]
    assert main(["run", *sweep, "sandbox=local", "launcher.n_jobs=1"]) == 130
    said = capsys.readouterr()
    assert "Unfinished: 1 of 4 planned runs were made; no rate is estimated" in said.out
    assert "1 of 2" in said.out
    assert "0 of 2" in said.out
    assert "95 %" not in said.out
    assert "run the same command again to go on" in said.err
    page = (tmp_path / "studies/s/report.html").read_text(encoding="utf-8")
    assert "3 planned runs were not made (not begun, or not ended): these are no failures." in page
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["run", *sweep, "sandbox=local", "launcher.n_jobs=1"]) == 0
    assert "Unfinished" not in capsys.readouterr().out
