"""Exports of somebody else: whatever was done to one, one line, nothing outside the target, and bounded memory."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.study.archive.packing import export
from mlesearch.study.archive.unpacking import IMPORTED, unpack
from mlesearch.types import ConfigError
from tests.support.command import python
from tests.support.exported import RUN_ID, exported, members_of, mutants, packed, small_study

PEAK_MIB = 300

PEAK = """
import re
from pathlib import Path
def peak_mib():  # of this program: what getrusage says is at least what its parent had
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
"""
CHILD = (
    PEAK
    + """
import json, resource
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from mlesearch.cli.main import main
from tests.support.exported import exported, members_of, mutants

place, count, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
(place / "made").mkdir()
whole = exported(place / "made")
members = members_of(whole)
def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
work = place / "work"
work.mkdir()
refused = taken = 0
wrong = []
for number, (what, data) in enumerate(mutants(whole, count, seed)):
    (place / "theirs.zip").write_bytes(data)
    out, err = StringIO(), StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["cassette", "import", str(place / "theirs.zip"), str(work / "here")])
    except BaseException as error:
        wrong.append(f"{what}: {type(error).__name__}: {error}")
        continue
    lines = err.getvalue().splitlines()
    if code == 0:  # what was changed is nothing that counts: the very same study
        taken += 1
        beside = ("cassette", "exec", "imp")
        found = {f"study/{n}": d for n, d in tree(work / "here").items() if not n.startswith(beside)}
        if found != {n: d for n, d in members.items() if n.startswith("study/")}:
            wrong.append(f"{what}: taken, and another study")
        import shutil
        shutil.rmtree(work / "here")
    elif code != 2 or len(lines) != 1 or len(lines[0]) > 700:
        wrong.append(f"{what}: exit {code}, {lines[:3]}")
    else:
        refused += 1
    if list(work.iterdir()) or sorted(p.name for p in place.iterdir()) != ["made", "theirs.zip", "work"]:
        wrong.append(f"{what}: left {list(work.iterdir()) + list(place.iterdir())}")
        break
print(json.dumps([refused, taken, peak_mib(), wrong]))
"""
)


def _judged(place: Path, count: int, seed: int) -> tuple[int, int, float, list[str]]:
    done = subprocess.run(python(CHILD, place, count, seed), capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    refused, taken, peak, wrong = json.loads(done.stdout.splitlines()[-1])
    print(f"{count} mutants: {refused} refused, {taken} the same study; peak {peak:.0f} MiB; {len(wrong)} wrong")
    return refused, taken, peak, wrong


@pytest.mark.parametrize(
    ("count", "seed", "most_taken"),
    [
        pytest.param(60, 1, 9, id="a sample"),
        pytest.param(1000, 2, 99, id="a thousand", marks=[pytest.mark.slow, pytest.mark.timeout(1600)]),
    ],
)
def test_mutated_exports(tmp_path: Path, count: int, seed: int, most_taken: int) -> None:
    refused, taken, peak, wrong = _judged(tmp_path, count, seed)
    assert wrong == []
    assert refused + taken == count
    assert taken <= most_taken
    assert peak < PEAK_MIB


@pytest.mark.slow
def test_the_largest_export_that_is_taken_stays_within_its_memory(tmp_path: Path) -> None:
    """As many members as there may be, and files as large as they may be."""
    code = f"""{PEAK}
from mlesearch.study.archive.unpacking import unpack
print(unpack(Path(sys.argv[1]), Path(sys.argv[2])), round(peak_mib()))
"""
    make = """
import hashlib, json, random
from pathlib import Path
from tests.support.exported import RUN_ID, exported, members_of, packed
from mlesearch.storage.entry import Entry
(Path(sys.argv[1]) / "made").mkdir()
members = members_of(exported(Path(sys.argv[1]) / "made"))
for n in range(99_000):
    members[f"study/{RUN_ID}/blobs/{hashlib.sha256(str(n).encode()).hexdigest()}"] = b"x"
big, lines = [random.Random(n).randbytes(32 << 20) for n in range(2)], []
for n, data in enumerate(big):
    digest, entry = hashlib.sha256(data).hexdigest(), Entry({"kind": "execution", "address": f"{RUN_ID}/{n}"}, {})
    members[f"artefacts/{digest}"] = data
    line = {"key": entry.key, "fields": entry.fields, "value": {}, "blobs": {"submission.csv": digest}}
    lines.append(json.dumps(line).encode())
members["executions.jsonl"] = b"\\n".join(lines) + b"\\n"
(Path(sys.argv[1]) / "large.zip").write_bytes(packed(members))
"""
    subprocess.run(python(make, tmp_path), check=True, timeout=250)
    done = subprocess.run(
        python(code, tmp_path / "large.zip", tmp_path / "here"),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    assert done.stdout.startswith("2 runs, 3 calls, 2 executions")
    assert int(done.stdout.split()[-1]) < PEAK_MIB


def test_an_export_comes_back_and_says_where_it_is_from(tmp_path: Path) -> None:
    data = exported(tmp_path)
    contents = unpack(tmp_path / "small.zip", tmp_path / "here", "files")
    assert str(contents) == "2 runs, 3 calls, 2 executions"
    assert json.loads((tmp_path / "here" / IMPORTED).read_text()) == {"file": "small.zip"}
    (tmp_path / "empty").mkdir()
    unpack(tmp_path / "small.zip", tmp_path / "empty")
    export(tmp_path / "empty", tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == data
    assert main(["cassette", "verify", str(tmp_path / "again.zip")]) == 0


def test_what_is_large_is_taken_where_it_is_trusted(tmp_path: Path) -> None:
    members = members_of(exported(tmp_path))
    members[f"study/{RUN_ID}/blobs/{'0' * 64}"] = bytes(100 << 20)
    (tmp_path / "large.zip").write_bytes(packed(members))
    with pytest.raises(ConfigError, match=r"it would unpack to .* --trust takes it as it is"):
        unpack(tmp_path / "large.zip", tmp_path / "here")
    assert not (tmp_path / "here").exists()
    unpack(tmp_path / "large.zip", tmp_path / "here", trust=True)
    members["study/task/grade.py"] = b"evil"
    (tmp_path / "large.zip").write_bytes(packed(members))
    with pytest.raises(ConfigError, match=r"'study/task/grade\.py' is no member of an export"):
        unpack(tmp_path / "large.zip", tmp_path / "there", trust=True)


def test_a_target_that_is_a_link_and_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    assert main(["cassette", "import", str(tmp_path / "small.zip"), str(tmp_path / "link")]) == 2
    assert main(["cassette", "import", str(tmp_path / "gone.zip"), str(tmp_path / "new")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_zip_with_too_many_members_is_not_even_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlesearch.study.archive import members as archive_members

    exported(tmp_path)
    monkeypatch.setattr(archive_members, "MAX_MEMBERS", 10)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(ConfigError, match=r"a directory of .* members, more than is taken .* --trust takes it"):
        unpack(tmp_path / "small.zip", tmp_path / "here")


def test_a_study_of_too_many_members_is_exported_and_says_what_its_import_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlesearch.study.archive import members as archive_members

    study = small_study(tmp_path / "large")
    monkeypatch.setattr(archive_members, "MAX_MEMBERS", 10)
    assert main(["cassette", "export", str(study), str(tmp_path / "large.zip")]) == 0
    assert "members, so to import it takes --trust" in capsys.readouterr().out
    for command in (["verify", str(tmp_path / "large.zip")], ["import", str(tmp_path / "large.zip"), "here"]):
        monkeypatch.chdir(tmp_path)
        assert main(["cassette", *command]) == 2
        assert main(["cassette", *command, "--trust"]) == 0


def test_mutants_are_the_same_every_time(tmp_path: Path) -> None:
    data = exported(tmp_path)
    assert list(mutants(data, 6)) == list(mutants(data, 6))
    assert zipfile.is_zipfile(io.BytesIO(packed(members_of(data))))
    assert small_study(tmp_path / "more").is_dir()
