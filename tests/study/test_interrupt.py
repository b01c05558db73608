"""The file that tells a launch to stop is its own: none that was left by another one counts."""

from mlesearch.study.launches.interrupt import stop_file_of, stoppable


def test_a_launch_is_not_stopped_by_what_a_killed_one_of_the_same_number_left(tmp_path):
    stop_file_of(tmp_path).touch()
    mine = stop_file_of(tmp_path)
    with stoppable(mine, print):
        assert not mine.exists()
    assert len(list(tmp_path.glob(".stop-*"))) == 1, "nor does it remove what is another's"
