"""Pretrained weights: read by programs on every rung, written by none; identity, prompt, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.operators.base import Resources
from mlesearch.operators.scene import resources_text
from mlesearch.sandbox import ladder, weights
from mlesearch.sandbox.protocol import MIB, Job, Limits, Sandbox, Spec
from mlesearch.sandbox.recorded import execution_fields
from mlesearch.types import ConfigError, ExecStatus

LIMITS = Limits(time_s=20, memory_bytes=512 * MIB)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside the task, with a file, a folder and a link within."""
    made = tmp_path / "pretrained"
    (made / "resnet").mkdir(parents=True)
    (made / "resnet" / "model.bin").write_bytes(b"w" * 5000)
    (made / "small.txt").write_text("hello")
    (made / "alias.txt").symlink_to("small.txt")
    return made


@pytest.fixture(params=["local", "bubblewrap", "docker"])
def sandbox(request, folder: Path) -> Iterator[Sandbox]:
    params = {"weights": str(folder), "warm": False, **({"image": "host"} if request.param == "docker" else {})}
    (rung,) = ladder.probe([request.param], params)
    if not rung.works:
        pytest.skip(f"NO {request.param.upper()}: {rung.why}")
    with closing(ladder.make(request.param, params)) as made:
        yield made


def spec_of(tmp_path: Path, *hidden: Path) -> Spec:
    (tmp_path / "public").mkdir(exist_ok=True)
    return Spec("t@1", tmp_path / "public", hidden, limits=LIMITS)


def test_programs_read_it_and_write_nothing(sandbox, folder, tmp_path):
    program = """
import os
assert open("weights/small.txt").read() == open("weights/alias.txt").read() == "hello"
assert len(open("weights/resnet/model.bin", "rb").read()) == 5000
refused = 0
for path, act in (("weights/new", lambda p: open(p, "w")), ("weights/small.txt", lambda p: open(p, "a")),
                  ("weights/small.txt", os.remove), ("weights/resnet", lambda p: os.rename(p, "weights/other"))):
    try:
        act(path)
    except OSError:
        refused += 1
print("refused", refused)
raise ValueError(os.path.realpath("weights/small.txt"))
"""
    result = sandbox.run(sandbox.prepare(spec_of(tmp_path)), Job("a", program, 20.0, tmp_path / "out"))
    assert result.status is ExecStatus.ERROR
    assert "refused 4" in result.stdout.head
    assert str(folder) not in result.reason
    assert "weights/small.txt" in result.reason
    assert sorted(p.name for p in folder.iterdir()) == ["alias.txt", "resnet", "small.txt"]
    assert (folder / "small.txt").read_text() == "hello"


def test_answers_may_not_lie_in_it_nor_around_it(sandbox, folder, tmp_path):
    for hidden in (folder / "resnet", folder, tmp_path):
        with pytest.raises(ConfigError):
            sandbox.prepare(spec_of(tmp_path, hidden))


def test_identity_tells_what_it_holds_and_not_where(sandbox, folder):
    said = sandbox.identity()["weights"]
    assert str(folder.parent) not in str(said)
    assert said["entries"] == [["alias.txt", 5, False], ["resnet", 5000, True], ["small.txt", 5, False]]
    assert weights.describe(sandbox.identity()) == "alias.txt (5 bytes), resnet/ (5000 bytes), small.txt (5 bytes)"


def test_the_digest_follows_name_size_and_both_ends_of_the_content(tmp_path):
    def digest(**content: bytes) -> str:
        place = tmp_path / f"w{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        for name, data in content.items():
            (place / name).write_bytes(data)
        found = weights.look(str(place))
        assert found is not None
        return found.digest

    big = bytes(3 * MIB)
    seen = [
        digest(a=big),
        digest(b=big),
        digest(a=big + b"\0"),
        digest(a=b"\1" + big[1:]),
        digest(a=big[:-1] + b"\1"),
        digest(a=big, b=b""),
    ]
    assert len(set(seen)) == len(seen)
    assert digest(a=big) == seen[0]


def test_a_changed_folder_is_looked_at_again(folder):
    before = weights.look(str(folder))
    (folder / "small.txt").write_text("other words")
    after = weights.look(str(folder))
    assert before is not None
    assert after is not None
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: f.rename(f.with_name("gone")), "no folder"),
        (lambda f: (f / "out.bin").symlink_to("/etc/passwd"), "leads out"),
        (lambda f: (f / "sub").symlink_to("resnet"), "link to a folder"),
        (lambda f: (f / "dead").symlink_to("nothing"), "can't be read"),
    ],
)
def test_what_can_not_be_lent_is_refused_in_one_line(folder, spoil, said):
    spoil(folder)
    with pytest.raises(ConfigError, match=said) as refused:
        weights.look(str(folder))
    assert "\n" not in str(refused.value)


def test_an_empty_folder_and_a_home_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="is empty"):
        weights.look(str(tmp_path))
    with pytest.raises(ConfigError, match="holds more than weights"):
        weights.look("/")
    with pytest.raises(ConfigError, match="holds more than weights"):
        weights.look(str(Path.home()))


def test_prompts_name_it_only_where_there_is_one():
    plain = resources_text(Resources(60.0, 1 << 30, 1), 10, 60.0, "")
    assert "weights" not in plain
    named = resources_text(Resources(60.0, 1 << 30, 1, weights="a.bin (3 MiB)"), 10, 60.0, "")
    assert "a.bin (3 MiB)" in named
    assert [line for line in named.splitlines() if "weights" not in line] == plain.splitlines()


def test_a_long_list_is_cut():
    entries = [[f"f{i:03}", 1, False] for i in range(50)]
    assert weights.describe({"weights": {"digest": "x", "entries": entries}}).endswith("f019 (1 bytes), and 30 more")


def test_executions_with_other_weights_are_other_executions(tmp_path):
    job, spec = Job("a", "pass", 1.0, tmp_path), spec_of(tmp_path)
    keys = [
        execution_fields(spec, job, {"rung": "local", **({"weights": {"digest": d, "entries": []}} if d else {})})
        for d in ("", "x", "y")
    ]
    assert len({str(k) for k in keys}) == 3
