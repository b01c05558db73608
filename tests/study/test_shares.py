"""Work in shares: what it makes is what one process alone would make, whatever befalls its forks."""

import os
import signal
import threading

import pytest

from mlesearch.study.shares import FEWEST, in_shares


def flat(parts):
    return sorted(x for part in parts for x in part)


@pytest.mark.parametrize("shares", [1, 2, 3, 7])
def test_all_items_are_done_once_and_in_order(shares):
    parts = in_shares(lambda part: [(x, os.getpid()) for x in part], range(20), shares)
    assert len({pid for part in parts for _, pid in part}) == shares
    assert flat([[x for x, _ in part] for part in parts]) == list(range(20))
    assert all([x for x, _ in part] == sorted(x for x, _ in part) for part in parts)


def test_a_share_larger_than_a_pipe_arrives():
    made = in_shares(lambda part: ["x" * 1_000_000 for _ in part], range(6), 3)
    assert [len(text) for part in made for text in part] == [1_000_000] * 6


@pytest.mark.parametrize("end", [lambda: os._exit(3), lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 / 0])
def test_what_a_fork_did_not_give_back_is_done_here(end):
    here = os.getpid()

    def work(part):
        return list(part) if os.getpid() == here else end()

    assert flat(in_shares(work, range(10), 3)) == list(range(10))


def test_an_error_is_raised_as_if_alone_and_leaves_no_fork():
    def work(part):
        if 7 in part:
            raise ValueError("seven")
        return list(part)

    for shares in (1, 2, 3):
        with pytest.raises(ValueError, match="seven"):
            in_shares(work, range(10), shares)
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def test_few_items_and_a_process_with_threads_are_done_alone():
    pids = in_shares(lambda part: os.getpid(), range(FEWEST - 1))
    assert pids == [os.getpid()]
    go = threading.Event()
    other = threading.Thread(target=go.wait)
    other.start()
    try:
        assert in_shares(lambda part: os.getpid(), range(FEWEST)) == [os.getpid()]
    finally:
        go.set()
        other.join()
