"""Keys are read where they are used and are found nowhere else: files, logs, prompts, the program's environment."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlesearch.models.live.keys import KEY_VARIABLES
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import Answer, Fault, OpenAIStub
from tests.support.command import cli

USED = "sk-the-key-in-use-8f3a61c09b"
KEYS = {name: f"sk-{name.lower()}-5d1c0" for names in KEY_VARIABLES.values() for name in names} | {"MY_KEY": USED}

SPY = """
import glob, os, sys
print("ENVIRONMENT", sorted(os.environ))
print(dict(os.environ))
seen = []
for path in ["/proc/self/environ", *glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/cmdline")]:
    try:
        text = open(path, "rb").read()
    except OSError as error:
        seen.append(f"{path}: {error.strerror}")
    else:
        seen.append(f"{path}: {len(text)} bytes")
        print(text)
print("LOOKED AT", seen[:20])
"""


def _reply(body: Mapping[str, Any]) -> Answer:
    text = "".join(m["content"] for m in body["messages"])
    if 'op="review"' in text:
        return Answer(json.dumps({"is_bug": True, "lesson": "It wrote no submission."}), 100, 20)
    return Answer(f"Look around.\n\n```python\n{SPY}\n```\n", 100, 20)


def _texts(path: Path) -> Iterator[bytes]:
    """What a file holds, and what its compressed entries hold."""
    yield path.read_bytes()
    if path.suffix == ".db":
        with sqlite3.connect(path) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in db.execute(f"SELECT * FROM {table}"):
                    for value in row:
                        data = value if isinstance(value, bytes) else str(value).encode()
                        yield data
                        for start in range(min(len(data), 200)):
                            if data[start : start + 1] == b"x":
                                try:
                                    yield zlib.decompress(data[start:])
                                except zlib.error:
                                    continue


def test_an_endpoint_of_the_users_own_is_found_in_the_list_of_a_launch_alone(tmp_path: Path) -> None:
    """Workers need it; what is handed on of a study, runs, tables, reports and exports, has none of it."""
    with OpenAIStub() as stub:
        url = stub.base_url
    words = ["run", "model=local", "strategy=greedy", "budget.steps=1", "launcher.n_jobs=1", "cassette=record"]
    words += ["sandbox=local", "sandbox.warm=off", "launcher.retries=0"]
    own = [f"model.params.api_base={url}", "model.params.max_retries=0"]
    failed = cli(tmp_path, *words, *own, "model.params.limits={requests_per_minute: 6000}")  # nobody listens any more
    assert failed.returncode == 1
    study = tmp_path / "studies/main"
    (result,) = study.glob("*/*/*/*/seed-0/result.json")
    assert "at its api_base" in json.loads(result.read_text())["reason"]
    texts = {str(p): b"\0".join(_texts(p)) for p in study.rglob("*") if p.is_file()}
    assert {Path(name).name for name in texts} >= {"limits.db", "cassette.db", "journal.jsonl", "run.json"}
    found = [
        Path(name).relative_to(study).as_posix()
        for name, text in texts.items()
        if urlsplit(url).netloc.encode() in text
    ]
    assert found == ["launches/1.jsonl"]


def test_no_key_is_found_anywhere(tmp_path: Path) -> None:
    words = [
        *("run", "model=local", "model.params.api_key_env=MY_KEY", "strategy=greedy", "budget.steps=2"),
        *("launcher.n_jobs=1", "sandbox.exec_store=record", "model.params.limits={requests_per_minute: 6000}"),
        "model.params.backoff={base_s: 0.0, cap_s: 0.0}",
        "sandbox.warm=off",  # its programs import nothing that takes long
    ]
    with OpenAIStub(_reply) as stub:
        at = f"model.params.api_base={stub.base_url}"
        stub.faults.extend([Fault.UNAUTHORIZED])
        refused = cli(tmp_path, *words, at, env=KEYS)  # before any program runs
        assert refused.returncode == 1
        stub.faults.extend([Fault.RATE_LIMIT, Fault.CONTENT_FILTER, Fault.TRUNCATED_JSON])
        done = cli(tmp_path, *words, at, env=KEYS, fresh=True)
        assert done.returncode == 0, done.stderr
        assert {seen.authorization for seen in stub.seen} == {f"Bearer {USED}"}
        prompts = json.dumps([dict(seen.body) for seen in stub.seen])
    (run,) = (tmp_path / "studies/main").glob("*/*/*/*/seed-0")
    looked = [e["output"]["stdout"]["head"] for e in read(run / "journal.jsonl")[1] if e["type"] == "executed"]
    assert len(looked) == 2
    assert all("ENVIRONMENT [" in text and "LOOKED AT [" in text for text in looked)
    assert all("/proc/self/environ" in text for text in looked)
    everything = {str(p): text for p in tmp_path.rglob("*") if p.is_file() for text in [b"\0".join(_texts(p))]}
    (executions,) = (text for name, text in everything.items() if name.endswith("executions.db"))
    assert b"LOOKED AT" in executions  # its entries are compressed; they were looked into
    assert {Path(name).name for name in everything} >= {"limits.db", "executions.db", "journal.jsonl", "result.json"}
    shown = {"prompts": prompts, "first output": refused.stdout + refused.stderr, "output": done.stdout + done.stderr}
    everything |= {name: text.encode() for name, text in shown.items()}
    found = [
        (name, variable) for name, text in everything.items() for variable in KEYS if KEYS[variable].encode() in text
    ]
    assert found == []
    assert not [text for text in looked if any(variable in text for variable in KEYS)]
