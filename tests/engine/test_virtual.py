"""Runs on a virtual clock: both paths are one, and what is looked up is what would have come out."""

import pytest

from mlesearch.config.resources import ProcessResources
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
