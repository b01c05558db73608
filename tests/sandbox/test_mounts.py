"""What is bound over the folders that stay out."""

import threading

from mlesearch.sandbox.rungs.mounts import Covers


def test_sandboxes_that_start_side_by_side_share_one_set_of_covers(tmp_path):
    for i in range(10):
        folder, start, failed = tmp_path / f"{i}" / "covers", threading.Barrier(4), []
        folder.parent.mkdir()

        def make(folder=folder, start=start, failed=failed):
            start.wait()
            try:
                Covers(folder)
            except OSError as error:
                failed.append(error)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert sorted(p.name for p in folder.iterdir()) == ["file", "folder", "package"]
        assert [p.name for p in folder.parent.iterdir()] == ["covers"]
