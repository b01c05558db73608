"""A study with a GPU a program: through the command line on a machine that lists two, and on a real one (-m gpu)."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.sandbox.gpu.devices import inventory
from mlesearch.sandbox.gpu.pool import GpuPool
from mlesearch.sandbox.gpu.sandbox import GpuSandbox
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import GIB, Job, Limits, Spec
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.storage.documents import read_run
from mlesearch.study.runs.fold import fold
from mlesearch.study.runs.summary import summarise
from mlesearch.types import ExecStatus
from tests.support.gpu_machine import answer, entry, gpus, install

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")

RUN = ["run", "sandbox=local", "model=sim_05", "strategy=greedy", "tasks=[rentals]", "seeds=[0]", "budget.steps=2"]


def _run_folder(root: Path) -> Path:
    return next(root.rglob("run.json")).parent


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path / "bin", answer(*map(entry, gpus(2))))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_gpu_time_reaches_journal_tables_and_words(two_gpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "sandbox.gpus=1", "sandbox.gpu_slots=2", "run.keep_prompts=true"]) == 0
    folder = _run_folder(two_gpus)
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    results = [e["result"] for e in events if e.get("type") == "executed"]
    assert len(results) == 2
    assert all(r["gpu_us"] == r["wall_us"] > 0 for r in results)
    row = summarise(read_run(folder), fold(folder))
    assert row["gpu_h"] == pytest.approx(sum(r["wall_us"] for r in results) / 3.6e9)
    assert row["gpu_wait_s"] == pytest.approx(sum(r["gpu_wait_us"] for r in results) / 1e6)
    assert (
        row["charged_s"] < sum(r["wall_us"] for r in results) / 1e6 + 3600
    )  # its calls are simulated, minutes at most
    assert row["hardware"].endswith("1 x Fake 9000, 24 GiB, shared with up to 1 other programs")
    identity = json.loads((folder / "run.json").read_text())["identity"]
    assert identity["sandbox"]["gpu"]["slots"] == 2
    assert "gpu_pinned: advisory" in row["promises"]
    prompts = [p.read_text(errors="replace") for p in (folder / "blobs").iterdir()]
    assert any("Fake 9000" in text for text in prompts)
    capsys.readouterr()
    assert main(["show", str(folder), "--node", str(next(e["id"] for e in events if e["type"] == "executed"))]) == 0
    assert "with a GPU for" in capsys.readouterr().out


def test_a_gpu_that_is_not_there_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "bin", "NVIDIA-SMI has failed", 9)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.chdir(tmp_path)
    assert main([*RUN, "sandbox.gpus=1"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "a GPU is asked for and none is seen here" in said
    assert "set sandbox.gpus=0" in said
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [("sandbox.gpus=2", "0 for none, or 1"), ("sandbox.gpu_slots=0", "a number from 1 to 64 is needed")],
)
def test_wrong_settings_are_refused(
    override: str, said: str, two_gpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*RUN, "sandbox.gpus=1", override, "--check"]) == 2
    assert said in capsys.readouterr().err


TRAINING = """
import os
import torch

torch.manual_seed(0)
device = torch.device("cuda")
x = torch.randn(4096, 64, device=device)
y = x @ torch.randn(64, 1, device=device)
model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 1)).to(device)
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
first = None
for _ in range(200):
    loss = torch.nn.functional.mse_loss(model(x), y)
    first = loss.item() if first is None else first
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(torch.cuda.device_count(), os.environ["CUDA_VISIBLE_DEVICES"], loss.item() < first / 5)
"""


@pytest.mark.gpu
def test_a_small_training_on_a_real_gpu(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed here")
    found = inventory()
    if not found.gpus:
        pytest.skip(f"no GPU here: {found.said}")
    (tmp_path / "public").mkdir()
    spec = Spec("t@1", tmp_path / "public", limits=Limits(time_s=240, memory_bytes=32 * GIB, processes=2048), gpus=1)
    pool = GpuPool(found.gpus, 1, tmp_path / "locks")
    with closing(LocalSandbox()) as rung:
        sandbox = GpuSandbox(rung, inventory=found, pool=pool)
        result = sandbox.run(sandbox.prepare(spec), Job("a", TRAINING, 240.0, tmp_path / "out"))
    assert result.status is ExecStatus.OK, result
    assert result.stdout.text.split() == ["1", found.gpus[0].uuid, "True"]
    assert result.gpu_us == result.wall_us > 0
    assert "gpu_pinned: advisory" in result.promises
    lease = pool.lease()
    assert lease.gpu == found.gpus[0]
    lease.close()
