"""Whom root's programs run as on `local`, and how they reach what lies below a closed folder."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.sandbox import view
from mlesearch.sandbox.inside import contain, landlock
from mlesearch.sandbox.protocol import Job, Limits, Spec
from mlesearch.sandbox.rungs import lent, ways
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.types import ConfigError, ExecStatus, SandboxUnavailable

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's programs run as that user")
with_local = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


def test_the_topmost_closed_folder_is_opened_for_all_below_it(tmp_path: Path) -> None:
    for folder in ("closed/a/b", "closed/shut/c", "open/d"):
        (tmp_path / folder).mkdir(parents=True)
    tmp_path.chmod(0o755)
    outside = [str(parent) for parent in tmp_path.parents if parent.stat().st_mode & 0o001 == 0]
    for folder in ("closed", "closed/shut"):
        (tmp_path / folder).chmod(0o700)
    paths = [str(tmp_path / name) for name in ("closed/a", "closed/a/b", "closed/shut/c", "open/d")]
    link = (paths[0], str(tmp_path / "closed" / "link"))
    found = ways.look(paths[:1], paths[1:], [link, ("/usr", "/link")])
    if outside:  # pytest's own folder is closed
        assert found.closed == (outside[-1],)
        assert found.needed == (paths[0], paths[2], paths[3])
    else:
        assert found.closed == (str(tmp_path / "closed"),)
        assert found.needed == (paths[0], paths[2])
    assert found.links == (link,)
    (tmp_path / "closed" / "a").chmod(0o700)
    with pytest.raises(SandboxUnavailable, match=r"can't read .*/closed/a; open it with: chmod -R a\+rX"):
        ways.look(paths[:1], [], [])


def test_a_program_gets_a_user_by_its_slot() -> None:
    ids = {ways.lent_user(Path(f"/x/{n:016x}")) for n in range(20_000)}
    assert (min(ids), max(ids)) == (50_000, 64_999)
    assert lent.LENT_ID not in ids


@as_root
@with_local
def test_root_is_told_what_to_open(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "public").mkdir(mode=0o700)
    spec = Spec("t@1", tmp_path / "public", limits=Limits(time_s=20))
    with closing(LocalSandbox(warm=False)) as rung:
        with pytest.raises(ConfigError, match=r"can't read its public folder .*chmod -R a\+rX"):
            rung.prepare(spec)
        (tmp_path / "public").chmod(0o755)
        tmp_path.chmod(0o700)
        server = rung._server(1, False)
        server.own_mounts = False
        with pytest.raises(SandboxUnavailable, match=r"can't pass (/\S+), and \S+ lies there; .*chmod o\+x \1"):
            rung.prepare(spec)
        assert not list(rung._owned().path.glob("*/work"))


@as_root
@with_local
def test_a_closed_folder_is_passed_and_nothing_else_in_it_is_seen(tmp_path: Path) -> None:
    if not contain.can_have_own_mounts():
        pytest.skip("no mount namespace is allowed here")
    closed = tmp_path / "closed"
    (closed / "task" / "public").mkdir(parents=True)
    (closed / "task" / "public" / "train.csv").write_text("id\n")
    (closed / "secret").write_text("a secret")
    closed.chmod(0o700)
    spec = Spec("t@1", closed / "task" / "public", limits=Limits(time_s=20))
    program = (
        f"import os\nprint(open('input/train.csv').read(), os.getuid() >= 50_000)\nos.stat({str(closed / 'secret')!r})"
    )
    with closing(LocalSandbox(warm=False)) as rung:
        result = rung.run(rung.prepare(spec), Job("a", program, 20.0, tmp_path / "out"))
    assert (result.status, result.stdout.text) == (ExecStatus.ERROR, "id\n True\n")
    assert result.reason.startswith("FileNotFoundError")
    assert (closed / "secret").read_text() == "a secret"


def test_paths_are_shown_as_mounts_have_them(monkeypatch) -> None:
    monkeypatch.setattr(os.path, "ismount", lambda path: path == "/data")
    shown = view.with_roots_of_mounts({"/data/scratch/slot/work": "", "/data/x": "x", "/usr/lib/python3": "python"})
    assert shown == {
        "/data/scratch/slot/work": "",
        "/scratch/slot/work": "",
        "/data/x": "x",
        "/usr/lib/python3": "python",
    }
