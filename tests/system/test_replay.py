"""A study recorded over litellm and HTTP, replayed with no network, no litellm and no sandbox; and as one file."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.models.registry import make_model
from mlesearch.storage.files import read_json
from mlesearch.storage.redact import Redactor, secrets_of
from mlesearch.storage.store import open_store
from mlesearch.study.archive.packing import export
from mlesearch.study.archive.unpacking import unpack
from mlesearch.testing.openai_stub import Answer, OpenAIStub, serving
from mlesearch.types import ConfigError
from tests.support.command import MLESEARCH, cli

KEY = "abcd-very-secret-0123456789"
GUARD = """
import importlib.abc, socket, sys
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("litellm", "hydra") or name in (
            "mlesearch.sandbox.rungs.local", "mlesearch.sandbox.inside.supervisor"
        ):
            raise ImportError(f"{name} was imported")
sys.meta_path.insert(0, Guard())
def refuse(*a, **k):
    raise OSError("the network was used")
socket.socket.connect = refuse
socket.create_connection = refuse
"""
"""Run at the start of a python process: no network, no litellm, no Hydra, no sandbox."""


def engineers(*capabilities: tuple[str, float]):  # type: ignore[no-untyped-def]
    """A reply function that lets a simulated engineer answer for each model's name."""
    replies = {name: serving(make_model(name, "simulated", {"capability": c})) for name, c in capabilities}

    def reply(body: Mapping[str, object]) -> str | Answer:
        return replies[str(body["model"]).removeprefix("openai/")](body)

    return reply


def record(folder: Path, stub: OpenAIStub, *words: str) -> subprocess.CompletedProcess[str]:
    """A recorded study in `folder/rec`."""
    command = [
        *(*MLESEARCH, "run", "-m", "model=local", "model.params.model=openai/${model.name}", "launcher.n_jobs=1"),
        *(f"model.params.api_base={stub.base_url}", "model.params.api_key_env=MY_KEY", "tasks=[rentals]"),
        "sandbox=local",
        "model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 4.0}",
        *("cassette=record", "sandbox.exec_store=record", "study.dir=rec", *words),
    ]
    env = {**os.environ, "MY_KEY": KEY}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env, timeout=1500)


def guarded(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line where nothing can be called or executed."""
    (folder / "guard").mkdir(exist_ok=True)
    (folder / "guard/sitecustomize.py").write_text(GUARD)
    return cli(folder, *words, env={"PYTHONPATH": str(folder / "guard")}, fresh=True)


def journals(study: Path) -> dict[str, bytes]:
    return {str(p.relative_to(study)): p.read_bytes() for p in sorted(study.glob("*/*/*/*/seed-*/journal.jsonl"))}


def same(recorded: Path, replayed: Path) -> None:
    """Byte for byte: journals, grades and report."""
    assert journals(recorded) == journals(replayed) != {}
    for path in recorded.glob("*/*/*/*/seed-*/grades.jsonl"):
        assert path.read_bytes() == (replayed / path.relative_to(recorded)).read_bytes()
    for study in (recorded, replayed):
        assert main(["report", str(study)]) == 0
    assert (recorded / "report.html").read_bytes() == (replayed / "report.html").read_bytes()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model, two strategies, three workers in a run."""
    folder = tmp_path_factory.mktemp("study")
    with OpenAIStub(engineers(("high", 0.9))) as stub:
        done = record(folder, stub, "model.name=high", "strategy=greedy,gome", "run.workers=3", "budget.steps=3")
    assert done.returncode == 0, done.stderr
    return folder / "rec"


def test_a_study_replays_byte_for_byte(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study, tmp_path / "rec")
    done = guarded(tmp_path, "run", "strategy=random")
    assert "ImportError: hydra was imported" in done.stderr  # the guard stands
    done = guarded(tmp_path, "replay", "rec")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs came out the same" in done.stdout
    same(study, tmp_path / "rec-replay")
    for run in (tmp_path / "rec-replay").rglob("run.json"):
        labels = read_json(run)["labels"]
        assert (labels["cassette"], labels["exec_store"], labels["simulated"]) == ("replay", "replay", False)
    for path in [*study.rglob("*"), *(tmp_path / "rec-replay").rglob("*")]:
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def test_a_study_travels_as_one_file(study: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        contents = export(study, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert (contents.runs, contents.redacted) == (2, 0)
    assert contents.calls > 6
    assert contents.executions == 6
    names = zipfile.ZipFile(tmp_path / "one.zip").namelist()
    assert names[:-1] == sorted(names[:-1])
    assert unpack(tmp_path / "one.zip", tmp_path / "here", "files") == contents
    for path in ("one.zip", "here", "here/cassette", "here/executions"):
        assert main(["cassette", "verify", str(tmp_path / path)]) == 0
    done = guarded(tmp_path, "replay", "here", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    same(study, tmp_path / "here-replay")
    export(tmp_path / "here", tmp_path / "three.zip")
    assert (tmp_path / "three.zip").read_bytes() == (tmp_path / "one.zip").read_bytes()


def test_a_changed_prompt_is_a_miss_that_names_it(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlesearch.operators import prompts

    before = prompts.PromptOperators.render
    monkeypatch.setattr(
        prompts.PromptOperators,
        "render",
        lambda self, scene: tuple(
            type(m)(m.role, m.content + " Be quick.") if m.role == "user" else m for m in before(self, scene)
        ),
    )
    assert main(["replay", str(study), "--out", str(tmp_path / "out")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2  # one a run
    for line in lines:
        assert "the nearest stored key is" in line
        assert 'differs in prompt (stored "' in line


def test_what_can_not_replay_says_why(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(study, tmp_path / "rec")

    def refused(*words: str) -> str:
        assert main(list(words)) == 2
        line = capsys.readouterr().err
        assert len(line.splitlines()) == 1
        return line

    assert "no study here" in refused("replay", str(tmp_path))
    assert "name another folder" in refused("replay", str(tmp_path / "rec"), "--out", str(tmp_path / "rec"))
    run = next((tmp_path / "rec").rglob("run.json"))
    changed = read_json(run)
    changed["identity"]["limits"]["time_s"] = 1.0
    run.write_text(json.dumps(changed))
    assert "limits.time_s is 60.0 here and 1.0 there" in refused("replay", str(tmp_path / "rec"))
    del changed["settings"]
    run.write_text(json.dumps(changed))
    assert "its settings can't be read" in refused("replay", str(tmp_path / "rec"))
    (tmp_path / "rec/cassette.db").rename(tmp_path / "elsewhere.db")
    assert "nothing to replay from: no cassette here; record a study with cassette=record" in refused(
        "replay", str(tmp_path / "rec")
    )
    assert main(["cassette", "verify", str(tmp_path / "rec")]) == 1
    assert "no store of cassette here; record with cassette=record" in capsys.readouterr().err
    shutil.copy(study / "../rec" / run.relative_to(tmp_path / "rec"), run)
    where = ["--cassette", str(tmp_path / "elsewhere.db")]
    assert main(["replay", str(tmp_path / "rec"), "--out", str(tmp_path / "out"), *where]) == 0


def test_verify_finds_what_would_not_replay(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(study, tmp_path / "rec")
    for name, kind in (("cassette", "call"), ("executions", "execution")):
        with sqlite3.connect(tmp_path / f"rec/{name}.db") as db:
            (key,) = db.execute("SELECT key FROM entries WHERE near LIKE 'high/%' ORDER BY key").fetchone()
            db.execute("DELETE FROM entries WHERE key = ?", (key,))
        db.close()
        assert main(["cassette", "verify", str(tmp_path / "rec")]) == 1
        assert f"the {kind} high/" in capsys.readouterr().err
    with sqlite3.connect(tmp_path / "rec/cassette.db") as db:
        db.execute("UPDATE entries SET entry = zeroblob(40) WHERE near LIKE 'high/greedy%'")
    db.close()
    assert main(["cassette", "verify", str(tmp_path / "rec/cassette.db")]) == 1
    assert "is damaged; remove it and record it again" in capsys.readouterr().err


def test_an_embedder_that_is_paid_for_is_part_of_what_replays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the two strategies one embeds."""
    with OpenAIStub(engineers(("high", 0.9), ("critic", 0.9))) as stub:
        own = f"api_base: '{stub.base_url}', api_key_env: MY_KEY"
        done = record(
            tmp_path,
            stub,
            *("model.name=high", "strategy=random,gome", "run.workers=1", "budget.steps=3"),
            *("embedder.kind=litellm", f"+embedder.params={{model: openai/e, {own}}}"),
            f"model.roles={{ideas: {{name: local, params: {{model: openai/critic, {own}}}}}}}",
        )
    assert done.returncode == 0, done.stderr
    assert main(["cassette", "verify", str(tmp_path / "rec")]) == 0, capsys.readouterr().err
    done = guarded(tmp_path, "replay", "rec")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs came out the same" in done.stdout
    for kind, said in (
        ("embedding", "the embedding high/gome/"),
        ("embedder", "no such embedder was recorded"),
        ("model", "no such model was recorded"),
    ):
        shutil.copytree(tmp_path / "rec", tmp_path / kind)
        with closing(open_store(tmp_path / kind / "cassette.db")) as store:
            keys = store.keys()
            found = [key for key in keys if (entry := store.get(key)) and entry.fields["kind"] == kind]
        with sqlite3.connect(tmp_path / kind / "cassette.db") as db:
            db.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in found])
        db.close()
        assert main(["cassette", "verify", str(tmp_path / kind)]) == 1
        assert said in capsys.readouterr().err


def test_runs_that_had_not_ended_are_taken_over(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(study, tmp_path / "rec")
    first, second = sorted((tmp_path / "rec").rglob("run.json"))
    (first.parent / "result.json").write_text('{"status": "failed", "reason": "no credit left", "real_s": 1.0}\n')
    shutil.rmtree(second.parent)
    for table in (tmp_path / "rec").glob("*.parquet"):
        table.unlink()  # they tell of two whole runs, and tables that can't be made again are kept
    assert main(["replay", str(tmp_path / "rec"), "--out", str(tmp_path / "out")]) == 0
    assert "unfinished runs that were taken over: 1\n" in capsys.readouterr().out
    for name in ("rec", "out"):
        assert main(["report", str(tmp_path / name)]) == 0
    assert (tmp_path / "rec/report.html").read_bytes() == (tmp_path / "out/report.html").read_bytes()


def test_a_damaged_or_foreign_file_is_refused(study: Path, tmp_path: Path) -> None:
    export(study, tmp_path / "s.zip")
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(ConfigError, match="no export of a study"):
        unpack(tmp_path / "no.zip", tmp_path / "out")
    for name, data in (("study/study.json", b"{}"), ("study/../../evil", b"x"), ("study/extra", b"x")):
        with (
            zipfile.ZipFile(tmp_path / "s.zip") as good,
            zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as bad,
        ):
            for member in good.namelist():
                if member != name:
                    bad.writestr(member, good.read(member))
            bad.writestr(name, data)
        with pytest.raises(ConfigError, match=r"damaged|not both in the manifest"):
            unpack(tmp_path / "bad.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path.parent / "evil").exists()
    unpack(tmp_path / "s.zip", tmp_path / "out")
    with pytest.raises(ConfigError, match="not empty"):
        unpack(tmp_path / "s.zip", tmp_path / "out")


def test_secrets_are_redacted_and_the_study_still_replays(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word of the task's own text stands in prompts, programs and outputs: the hardest place for a secret."""
    text = b"".join(p.read_bytes() for p in study.rglob("blobs/*"))
    word = "HistGradientBoostingRegressor" if b"HistGradientBoostingRegressor" in text else "submission"
    monkeypatch.setenv("SOME_API_KEY", word)
    contents = export(study, tmp_path / "s.zip")
    assert contents.redacted > 0
    unpack(tmp_path / "s.zip", tmp_path / "here")
    for path in (tmp_path / "here").rglob("*"):
        if path.is_file():
            assert word.encode() not in path.read_bytes(), path
    with zipfile.ZipFile(tmp_path / "s.zip") as file:
        for name in file.namelist():
            assert word.encode() not in file.read(name), name
    assert main(["cassette", "verify", str(tmp_path / "here")]) == 0


def test_what_counts_as_a_secret() -> None:
    environment = {"MY_KEY": "0123456789", "SHORT_KEY": "abc", "HOME": "/home/somebody", "GH_TOKEN": "x" * 12}
    assert secrets_of(environment, ["HOME"]) == ("/home/somebody", "x" * 12, "0123456789")
    redactor = Redactor(["0123456789"])
    hidden = {
        "key 0123456789.": "key **********.",
        "sk-proj-abcdefghijklmnop1234": "*" * 28,
        "Authorization: Bearer abcdefghijklmnopqrst": "Authorization: Bearer " + "*" * 20,
        "https://me:pass@host/x": "https://*******@host/x",
        "task-force-of-the-year-2024": "task-force-of-the-year-2024",
    }
    for before, after in hidden.items():
        assert redactor.json({"a": [before]}) == {"a": [after]}
        assert redactor.raw(before.encode()) == after.encode()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("workers", [1, 3])
def test_a_sweep_of_two_models_and_four_strategies_replays(
    workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OpenAIStub(engineers(("low", 0.3), ("high", 0.9))) as stub:
        words = ["model.name=low,high", "strategy=random,greedy,mcts,gome", "seeds=[0,1]", "budget.steps=6"]
        done = record(tmp_path, stub, *words, f"run.workers={workers}")
    assert done.returncode == 0, done.stderr
    for jobs in (1, 4):
        out = tmp_path / f"out-{jobs}"
        replayed = guarded(tmp_path, "replay", "rec", "--out", str(out), "--jobs", str(jobs))
        assert replayed.returncode == 0, replayed.stderr
        assert "16 of 16 runs came out the same" in replayed.stdout
        with capsys.disabled():
            print("\n", replayed.stdout.splitlines()[-1], f"({workers} workers, {jobs} jobs)")
        same(tmp_path / "rec", out)
