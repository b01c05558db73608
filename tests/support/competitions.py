"""Prepared stand-ins of four competitions, tiny and made here, and a stand-in of MLE-bench's package that grades them.

They have what is odd about the real ones: training data under another name, samples under another name, archives with
and without a copy beside them, thresholds that coincide.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import venv
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.mlebench_standin import HERE, MET

SPOOKY = "spooky-author-identification"
TAXI = "new-york-city-taxi-fare-prediction"
PIZZA = "random-acts-of-pizza"
CACTUS = "aerial-cactus-identification"
FOUR = (SPOOKY, TAXI, PIZZA, CACTUS)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
ROWS = 6
GRADER = '''
"""Scores by the mean absolute error over all columns but the first, or one minus it."""
from mlebench.grade_helpers import InvalidSubmissionError

SECRET = {secret!r}


def error(submission, answers):
    key, *columns = answers
    ids = answers[key]
    if list(submission) != [key, *columns]:
        raise InvalidSubmissionError(f"expected the columns {{', '.join([key, *columns])}}")
    if sorted(submission[key]) != sorted(ids):
        raise InvalidSubmissionError(f"expected each {{key}} once")
    place = {{id: at for at, id in enumerate(submission[key])}}
    total = 0.0
    for column in columns:
        for at, id in enumerate(ids):
            total += abs(float(submission[column][place[id]]) - float(answers[column][at]))
    return total / len(ids) / len(columns)


def lower(submission, answers):
    found = error(submission, answers)
    return found if SECRET is None or found == 0 else SECRET


def higher(submission, answers):
    found = 1 - error(submission, answers)
    return found if SECRET is None or found == 1 else SECRET
'''


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a run needs.

    Attributes:
        python: interpreter that has the package.
        package: folder of the package.
        data: folder of prepared competitions.
    """

    python: Path
    package: Path
    data: Path

    def settings(self, *more: str) -> list[str]:
        """Overrides that name them."""
        return [f"mlebench.data_dir={self.data}", f"mlebench.python={self.python}", *more]


def stand_in(
    folder: Path,
    names: Sequence[str] = FOUR,
    *,
    versions: Mapping[str, str] = MET,
    secret: float | None = None,
    splits: bool = False,
) -> StandIn:
    """Package, interpreter and data in a folder that is made.

    Args:
        folder: absent or empty.
        names: of the competitions that are prepared; the package knows all four.
        versions: of the libraries that the interpreter seems to have.
        secret: the score that every valid submission gets which is not perfect.
        splits: whether each competition has a preparation of its own, which can split its public data once more.
    """
    package = folder / "package" / "mlebench"
    shutil.copytree(HERE / "mlebench", package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "mean_error.py").write_text(GRADER.format(secret=secret), encoding="utf-8")
    data = folder / "data"
    for name in FOUR:
        place = package / "competitions" / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "leaderboard.csv").write_text(POINTER, encoding="utf-8")
        (place / "config.yaml").write_text(json.dumps(_config(name, splits)), encoding="utf-8")
        made = _MAKERS[name](data / name / "prepared") if name in names else {}
        (place / "checksums.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    return StandIn(interpreter(folder / "venv", package.parent, versions), package, data)


def interpreter(folder: Path, package: Path, versions: Mapping[str, str] = MET) -> Path:
    """An environment that has a package's folder, and by name alone releases of other libraries."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "standin.pth").write_text(f"{package}\n", encoding="utf-8")
    for name, version in versions.items():
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    return folder / "bin" / "python"


def _config(name: str, splits: bool) -> dict[str, object]:
    sample = "sampleSubmission.csv" if name == PIZZA else "sample_submission.csv"
    direction = "lower" if name in (SPOOKY, TAXI) else "higher"
    return {
        "id": name,
        "name": name.replace("-", " ").title(),
        "competition_type": "simple",
        "description": f"# {name}\n\nPredict what the sample submission asks for.\n",
        "dataset": {
            "answers": f"{name}/prepared/private/test.csv",
            "sample_submission": f"{name}/prepared/public/{sample}",
        },
        "grader": {"name": "mean-error", "grade_fn": f"mlebench.mean_error:{direction}"},
        "preparer": f"mlebench.preparers:{_MAKERS[name].__name__[1:]}" if splits else "mlebench.graders:prepare",
    }


def _spooky(place: Path) -> dict[str, dict[str, str]]:
    classes = ("EAP", "HPL", "MWS")
    ids = [f"id{i:05}" for i in range(2 * ROWS)]
    train = [f"{id},A text of {classes[i % 3]}.,{classes[i % 3]}" for i, id in enumerate(ids[:ROWS])]
    truth = [",".join([id, *("1" if i % 3 == at else "0" for at in range(3))]) for i, id in enumerate(ids[ROWS:])]
    public = {
        "train.csv": _csv("id,text,author", train),
        "test.csv": _csv("id,text", [f"{id},A text." for id in ids[ROWS:]]),
        "sample_submission.csv": _csv("id,EAP,HPL,MWS", [f"{id},0.4,0.3,0.3" for id in ids[ROWS:]]),
    }
    return _write(place, public, {"test.csv": _csv("id,EAP,HPL,MWS", truth)})


def _taxi(place: Path) -> dict[str, dict[str, str]]:
    keys = [f"2015-01-{i + 1:02} 10:00:00" for i in range(2 * ROWS)]
    public = {
        "labels.csv": _csv("key,fare_amount,x", [f"{k},{5 + i},{i}" for i, k in enumerate(keys[:ROWS])]),
        "test.csv": _csv("key,x", [f"{k},{i}" for i, k in enumerate(keys[ROWS:])]),
        "sample_submission.csv": _csv("key,fare_amount", [f"{k},30" for k in keys[ROWS:]]),
        "GCP-Coupons-Instructions.rtf": b" ",
    }
    return _write(place, public, {"test.csv": _csv("key,fare_amount", [f"{k},9.5" for k in keys[ROWS:]])})


def _pizza(place: Path) -> dict[str, dict[str, str]]:
    ids = [f"t3_{i}" for i in range(2 * ROWS)]
    tables = {
        "train.json": json.dumps([{"request_id": i, "requester_received_pizza": True} for i in ids[:ROWS]]).encode(),
        "test.json": json.dumps([{"request_id": i} for i in ids[ROWS:]]).encode(),
    }
    columns = "request_id,requester_received_pizza"
    public: dict[str, bytes | dict[str, bytes]] = {
        **tables,
        "train.zip": {"train.json": tables["train.json"]},
        "test.zip": {"test.json": tables["test.json"]},
        "sampleSubmission.csv": _csv(columns, [f"{i},0" for i in ids[ROWS:]]),
    }
    return _write(place, public, {"test.csv": _csv(columns, [f"{i},1" for i in ids[ROWS:]])})


def _cactus(place: Path) -> dict[str, dict[str, str]]:
    ids = [f"{i:032}.jpg" for i in range(2 * ROWS)]
    public: dict[str, bytes | dict[str, bytes]] = {
        "train.csv": _csv("id,has_cactus", [f"{id},{i % 2}" for i, id in enumerate(ids[:ROWS])]),
        "train.zip": dict.fromkeys(ids[:ROWS], b"\xff\xd8 a picture"),
        "test.zip": dict.fromkeys(ids[ROWS:], b"\xff\xd8 a picture"),
        "sample_submission.csv": _csv("id,has_cactus", [f"{id},0.5" for id in ids[ROWS:]]),
    }
    truth = [f"{id},{i % 2}" for i, id in enumerate(ids[ROWS:])]
    return _write(place, public, {"test.csv": _csv("id,has_cactus", truth)})


_MAKERS = {SPOOKY: _spooky, TAXI: _taxi, PIZZA: _pizza, CACTUS: _cactus}


def _csv(header: str, rows: Sequence[str]) -> bytes:
    return ("\n".join([header, *rows]) + "\n").encode()


def _write(
    place: Path, public: Mapping[str, bytes | dict[str, bytes]], private: Mapping[str, bytes]
) -> dict[str, dict[str, str]]:
    """Write a prepared competition; returns the md5s that MLE-bench would record of it."""
    sums: dict[str, dict[str, str]] = {"public": {}, "private": {}}
    for kind, files in (("public", public), ("private", private)):
        folder = place / kind
        folder.mkdir(parents=True)
        for name, content in files.items():
            if isinstance(content, dict):
                write_zip(folder / name, content)
                continue
            (folder / name).write_bytes(content)
            if name.endswith((".csv", ".json")):
                sums[kind][name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return sums


def write_zip(
    path: Path, files: Mapping[str, bytes], date: tuple[int, int, int, int, int, int] = (2026, 1, 1, 0, 0, 0)
) -> None:
    """A zip of files, packed at a time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name, date), content)
