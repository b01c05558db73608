"""A small recorded study and its export, made by hand; and exports that somebody has damaged, or made to do damage."""

from __future__ import annotations

import hashlib
import io
import json
import random
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from mlesearch.storage.documents import RUN
from mlesearch.storage.entry import Entry
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.storage.store import open_store
from mlesearch.study.archive.packing import export

RUN_ID = "m/greedy/base/rentals/seed-0"


def small_study(folder: Path) -> Path:
    """Two runs with journals, grades and blobs, three calls and two executions with files."""
    open_study(folder, study_header("small", None))
    keys = [RunKey("m", "greedy", "base", "rentals", seed) for seed in (0, 1)]
    note_launch(folder, keys)
    for key in keys:
        run = folder / key.id
        (run / "blobs").mkdir(parents=True)
        content = {"id": key.id, "key": key.to_json(), "digest": "0", "identity": {}, "labels": {}, "settings": {}}
        (run / RUN).write_text(json.dumps(content))
        (run / "journal.jsonl").write_text('{"type":"journal","format":1}\n' * 20)
        (run / "grades.jsonl").write_text('{"id":0}\n')
        (run / "result.json").write_text('{"status": "failed", "reason": "none", "real_s": 1.0}\n')
        for text in ("a program", "a prompt " * 50):
            (run / "blobs" / hashlib.sha256(text.encode()).hexdigest()).write_text(text)
    with closing(open_store(folder / "cassette.db")) as store:
        for n in range(3):
            entry = Entry({"kind": "call", "address": f"{RUN_ID}/0/{n}/draft/0", "prompt": "p"}, {"text": "reply" * 9})
            store.put(entry, str(entry.fields["address"]))
    with closing(open_store(folder / "executions.db")) as store:
        for n in range(2):
            left = {"submission.csv": f"id,y\n1,{n}\n".encode(), "metrics.json": b"{}"}
            entry = Entry({"kind": "execution", "address": f"{RUN_ID}/{n}", "program": "q"}, {"result": {}}, left)
            store.put(entry, str(entry.fields["address"]))
    return folder


def exported(folder: Path) -> bytes:
    """The export of such a study."""
    export(small_study(folder / "small"), folder / "small.zip")
    return (folder / "small.zip").read_bytes()


Members = dict[str, bytes]


def members_of(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(
    members: Mapping[str, bytes | int],
    *,
    manifest: bool = True,
    attributes: Mapping[str, int] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A zip of these members; the manifest made anew, so that only what is wrong in them is wrong.

    A number in place of a content stands for so many zeros.
    """
    made = dict(members)
    if manifest:
        sums = {n: _sha256(d) for n, d in made.items() if n != "MANIFEST.json"}
        made["MANIFEST.json"] = json.dumps({"format": 1, "files": sums}).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as file:
        for name, data in made.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = compression, (attributes or {}).get(name, 0o644 << 16)
            with file.open(info, "w") as target:
                for chunk in _chunks(data):
                    target.write(chunk)
    return out.getvalue()


def _chunks(data: bytes | int) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    for start in range(0, data, 1 << 20):
        yield bytes(min(1 << 20, data - start))


def _sha256(data: bytes | int) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(data):
        digest.update(chunk)
    return digest.hexdigest()


NAMES = [
    *("/etc/cron.d/evil", "../evil", "study/../../evil", "study//evil", "study/./study.json", "study\\..\\evil"),
    *("C:\\evil", "study/task/grade.py", f"study/{RUN_ID}/grade.py", "study/cassette.db", "study/imported.json"),
    *("study/m/../m/base/rentals/seed-0/run.json", "study/.m/greedy/base/rentals/seed-0/run.json", "study/link"),
    *(f"study/{RUN_ID}/blobs/evil", f"study/{RUN_ID}/blobs/{'A' * 64}", "artefacts/x", "artefacts/../evil", "a\nb"),
    *(
        "study/" + "x/" * 40 + "run.json",
        "study/" + "x" * 250 + "/a/b/c/seed-0/run.json",
        "",
        "study/",
        "\ufeff",
        "étude",
    ),
    *(f"study/{RUN_ID}/best/solution.py", f"study/{RUN_ID}/submissions/0/submission.csv", "conftest.py", "__pycache__"),
]
KINDS = [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK]
JSON = [
    *(b"", b"null", b"[]", b"7", b'"x"', b"{", b"{}", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"\0" * 50),
    *(b'{"format": 1}', b'{"format": 2, "files": {}}', b'{"format": 1, "files": []}', b'{"format": 1, "files": 3}'),
    *(b'{"key": 1}', b'{"key": "k", "fields": [], "value": {}, "blobs": {}}', b"9" * 5000, b"NaN", b"1e999"),
    b'{"key": "k", "fields": {}, "value": {}, "blobs": {"s": "../../etc/passwd"}}',
    b'{"key": "k", "fields": {"kind": "\\ud800"}, "value": {}, "blobs": {}}',
    b'{"key": "k", "fields": {"kind": NaN}, "value": {}, "blobs": {}}',
    b'{"key": "k", "fields": {"kind": "x"}, "value": {}, "blobs": {"s": {}}}',
]


def mutants(data: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """So many damaged exports, each with what was done to it; the same ones for a seed."""
    random_ = random.Random(seed)
    members = members_of(data)
    kinds: list[Callable[[random.Random, bytes, Members], tuple[str, bytes]]] = [
        *(_truncated, _flipped, _flipped, _named, _named, _typed, _twice, _bomb, _wrong_json, _wrong_json, _nul_name),
        *(_header, _lost, _compressed, _encrypted, _swapped, _manifest_lies, _not_a_zip, _changed_size, _long_line),
    ]
    for n in range(count):
        yield kinds[n % len(kinds)](random_, data, members)


def _truncated(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    at = r.randrange(len(data))
    return f"cut at {at}", data[:at]


def _flipped(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    changed, places = bytearray(data), [r.randrange(len(data)) for _ in range(r.choice([1, 2, 8, 64]))]
    for at in places:
        changed[at] ^= r.randrange(1, 256)
    return f"bytes changed at {places[:3]}", bytes(changed)


def _named(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    name = r.choice(NAMES)
    if r.random() < 0.5:
        return f"also {name!r}", packed({**members, name: b"evil"})
    old = r.choice([n for n in members if n != "MANIFEST.json"])
    return f"{old!r} as {name!r}", packed({(name if n == old else n): d for n, d in members.items()})


def _typed(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    name, kind = r.choice(sorted(members)), r.choice(KINDS)
    body = {**members, name: b"/etc/passwd"} if name != "MANIFEST.json" else members
    return f"{name!r} of type {kind:o}", packed(body, attributes={name: (kind | 0o777) << 16})


def _twice(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    name, out = r.choice(sorted(members)), io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as file:
        file.writestr(zipfile.ZipInfo(name), r.choice([members[name], b"another"]))
    return f"{name!r} twice", out.getvalue()


def _bomb(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    size, name = r.choice([80, 120, 300]) << 20, r.choice(["calls.jsonl", f"artefacts/{'0' * 64}", "study/study.json"])
    if r.random() < 0.5:  # many entries of one file
        big = 30 << 20
        digest = _sha256(big)
        lines = []
        for n in range(400):
            entry = Entry({"kind": "execution", "address": f"{RUN_ID}/{n}"}, {})
            blobs = {"submission.csv": digest}
            lines.append(json.dumps({"key": entry.key, "fields": entry.fields, "value": {}, "blobs": blobs}))
        made: dict[str, bytes | int] = {
            **members,
            f"artefacts/{digest}": big,
            "executions.jsonl": "\n".join(lines).encode() + b"\n",
        }
        return "400 entries of one file", packed(made)
    return f"{name} of {size:,} bytes", packed({**members, name: size})


def _wrong_json(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    names = [n for n in members if n.endswith((".jsonl", "run.json", "study.json")) and "/journal" not in n]
    name, text = (
        r.choice([n for n in names if "grades" not in n and "launches" not in n] + ["MANIFEST.json"]),
        r.choice(JSON),
    )
    if name.endswith(".jsonl") and not text:
        text = b"{}"
    return f"{name} holds {text[:40]!r}", packed({**members, name: text}, manifest=name != "MANIFEST.json")


def _nul_name(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    name = r.choice([n for n in members if len(n) > 12])
    old, new = name.encode(), name.encode()[:-4] + b"\0" + name.encode()[-3:]
    return f"NUL in {name!r}", data.replace(old, new)


def _header(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    """The end of the directory says that it is elsewhere, or larger."""
    at = data.rfind(b"PK\5\6")
    fields = list(struct.unpack_from("<4s4H2LH", data, at))
    place, value = r.choice([3, 4, 5, 6]), r.choice([0, 1, 0xFFFF, 0x7FFF, 0xFFFFFFFF, 0x7FFFFFFF])
    if place < 5:
        fields[3] = fields[4] = value & 0xFFFF
    else:
        fields[place] = value
    return f"its end says {fields[3:7]}", data[:at] + struct.pack("<4s4H2LH", *fields) + data[at + 22 :]


def _lost(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    name = r.choice(["MANIFEST.json", f"study/{RUN_ID}/run.json", "study/study.json", *members])
    return f"without {name!r}", packed({n: d for n, d in members.items() if n != name}, manifest=False)


def _compressed(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    return "lzma or bzip2", packed(members, compression=r.choice([zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]))


def _encrypted(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    at = data.find(b"PK\1\2")
    flags = data[at + 8] | r.choice([0x01, 0x41, 0x21])
    return "encrypted", data[: at + 8] + bytes([flags]) + data[at + 9 :]


def _swapped(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    """A run in another's place; entries under other keys."""
    if r.random() < 0.5:
        other = members[f"study/{RUN_ID}/run.json"].replace(b'"seed": 0', b'"seed": 7')
        return "a run of another place", packed({**members, f"study/{RUN_ID}/run.json": other})
    lines = members["calls.jsonl"].replace(b'"prompt":"p"', b'"prompt":"other"')
    return "another prompt", packed({**members, "calls.jsonl": lines})


def _manifest_lies(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    name = r.choice([n for n in members if n != "MANIFEST.json"])
    return f"{name!r} changed", packed({**members, name: members[name] + b" "}, manifest=False)


def _not_a_zip(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    junk = [
        b"",
        b"PK",
        b"SQLite format 3\0" + bytes(4096),
        b"\x1f\x8b" + bytes(100),
        b"PK\5\6" + b"\xff" * 18,
        bytes(70_000),
    ]
    return "no zip", r.choice(junk)


def _changed_size(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    """The directory lies about how large a member is."""
    at, places = -1, []
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        places.append(at)
    at = r.choice(places) + r.choice([20, 24])
    value = r.choice([0, 1, 2**31, 2**32 - 1, 1 << 20])
    return f"a size of {value}", data[:at] + struct.pack("<L", value) + data[at + 4 :]


def _long_line(r: random.Random, data: bytes, members: Members) -> tuple[str, bytes]:
    text = r.choice(
        [b"[]," * 3_000_000, b" " * 9_000_000, b'{"key":"' + random.Random(1).randbytes(5_000_000).hex().encode()]
    )
    return "a line of megabytes", packed({**members, r.choice(["calls.jsonl", "executions.jsonl"]): text})
