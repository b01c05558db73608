"""A disk that is full while an engine runs: what is paid for is written, and what can't be written is not paid for."""

import errno

import pytest

from mlesearch.storage import file_systems
from tests.support.disks import MIB, FailingWrites, fill, small_disk
from tests.support.journals import comparable, events
from tests.support.toy_run import ToyModel, parts, run


def test_a_live_model_is_not_called_where_its_reply_could_not_be_written(tmp_path):
    with small_disk(tmp_path / "d", 16 * MIB) as disk:
        ballast = fill(disk, file_systems.PAID_BYTES // 2)
        live = ToyModel(live=True)
        with pytest.raises(OSError, match="No space left") as raised:
            run(disk / "r", model=live)
        assert file_systems.in_words(raised.value).startswith(f"the disk is full (tmpfs at {disk}: ")
        assert live.requests == []
        ballast.unlink()
        run(disk / "r", model=live)
        run(tmp_path / "whole", model=ToyModel())
        assert comparable(disk / "r") == comparable(tmp_path / "whole")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_goes_on_after_a_write_that_failed_at_any_moment(tmp_path, monkeypatch, number, workers):
    layer = FailingWrites(monkeypatch, tmp_path, number)
    options = {"workers": workers, "virtual": workers > 1, "keep_prompts": True}
    run(tmp_path / "whole", **options)
    whole, writes = comparable(tmp_path / "whole"), layer.writes
    for moment in range(1, writes, 7):
        folder = tmp_path / str(moment)
        layer.writes, layer.after = 0, moment
        with pytest.raises(OSError, match="Errno") as raised:
            run(folder, **options)
        assert raised.value.errno == number
        layer.after = None
        before = events(folder) if (folder / "journal.jsonl").stat().st_size else []
        run(folder, **options)
        assert events(folder)[: len(before)] == before
        assert comparable(folder) == whole


def test_a_run_that_could_not_begin_gives_its_lock_back(tmp_path, monkeypatch):
    layer = FailingWrites(monkeypatch, tmp_path)
    layer.after = 1
    with pytest.raises(OSError, match="No space left"):
        parts(tmp_path / "r")
    layer.after = None
    run(tmp_path / "r")
