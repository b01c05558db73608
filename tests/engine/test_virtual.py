"""Runs on a virtual clock: both paths are one, and what is looked up is what would have come out."""

import pytest

from mlesearch.config.resources import ProcessResources
from mlesearch.sandbox import ladder
from tests.support import virtual_runs

FAST, ALL = range(20), range(20, 200)


def both_paths(numbers, folder):
    with ProcessResources() as resources:
        for number in numbers:
            run = virtual_runs.planned(folder, resources, virtual_runs.some_settings(number))
            fast = virtual_runs.files(run, resources)
            assert fast == virtual_runs.files(run, resources, text=True), virtual_runs.some_settings(number)


def test_the_fast_path_leaves_the_files_of_the_path_through_text(tmp_path):
    both_paths(FAST, tmp_path)


@pytest.mark.slow
def test_the_fast_path_leaves_the_files_of_the_path_through_text_in_200_runs(tmp_path):
    both_paths(ALL, tmp_path)


def really_executed(numbers, folder, *, task, bugs):
    real = ladder.open_chosen(ladder.choose("local", (), {"warm": True}, False), {"warm": True})
    try:
        with ProcessResources() as resources:
            for number in numbers:
                settings = virtual_runs.some_settings(number)
                settings["model"]["params"]["bug_rate"] = bugs
                run = virtual_runs.planned(folder / str(number), resources, {**settings, "tasks": [task], "run": {}})
                looked_up = virtual_runs.without_measures(virtual_runs.files(run, resources))
                executed = virtual_runs.really_executed(run, resources, real)
                assert looked_up == virtual_runs.without_measures(executed)
    finally:
        real.close()


def test_what_is_looked_up_is_what_the_programs_really_come_to(tmp_path):
    really_executed([3], tmp_path, task="synthetic:easy-03", bugs=0.5)


def test_what_is_looked_up_in_a_table_is_what_the_programs_really_come_to(tmp_path):
    really_executed([1], tmp_path, task="tickets", bugs=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["synthetic:easy-03", "synthetic:medium-11", "synthetic:hard-24", "synthetic:easy-20", "canvas"])
def test_20_runs_are_what_they_come_to_when_they_are_really_executed(task, tmp_path):
    really_executed((1, 8, 15, 22), tmp_path, task=task, bugs=0.4 if task.startswith("synthetic") else 0.0)
