"""Trial runs: every program first runs on a sample, and one that does not pass is not run in full. In a toy run."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.folder import RunFolder
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunStatus
from mlesearch.engine.replay import Recording
from mlesearch.engine.sample_runs import SampleRuns
from mlesearch.sandbox.protocol import Limits, Spec
from mlesearch.storage.events import not_passed
from mlesearch.study.runs.fold import fold
from mlesearch.tasks.row_sample import SampleRule
from mlesearch.types import Captured, ExecResult, ExecStatus, SandboxUnavailable, Status
from tests.support import toy_run
from tests.support.journals import comparable, copy_cut, events
from tests.support.scripted_strategy import Scripted, drafts
from tests.support.toy_run import Killed, ToyModel, prompt_text

RULE = SampleRule(0.1, 20)
LIMIT_S = 5.0
SAMPLE_US = 700_000


@dataclass
class TwoStageSandbox(toy_run.ToySandbox):
    """On the sample every fourth program fails, and every fourth but one leaves a submission of a wrong form."""

    wall_us: int = 9_000_000

    def run(self, slot, job):
        result = super().run(slot, job)
        if not job.address.endswith("/sample"):
            assert (slot.spec.task, slot.spec.limits.time_s, slot.spec.gpus) == ("toy@1", 60.0, 1)
            return replace(result, gpu_us=2_000_000)
        assert (slot.spec.task, slot.spec.limits.time_s) == ("toy@1+sample1(0.1,20)", LIMIT_S)
        assert slot.spec.input_dir.name == "sample"
        assert job.deadline_s <= LIMIT_S
        job.outbox.mkdir(parents=True)
        (job.outbox / "submission.csv").write_text("id,y\n")
        id = int(job.address.split("/")[-2])
        text = "wrong form" if id % 4 == 2 else "score 99.0"
        status = ExecStatus.ERROR if id % 4 == 3 else ExecStatus.OK
        reason = "ValueError: too few rows" if status is ExecStatus.ERROR else ""
        out = Captured(text, "", len(text))
        return ExecResult(status, 0, wall_us=SAMPLE_US, stdout=out, reason=reason, gpu_us=500_000)


class FormScorer(toy_run.ToyScorer):
    """Of what was printed it knows the form."""

    def submission_problem(self, result):
        return "it has no rows" if result.stdout.head == "wrong form" else ""


def made(folder, **options):
    options = {"sandbox": TwoStageSandbox(score=lambda id: id / 10)} | options
    parts = toy_run.parts(folder, **options)
    spec = Spec("toy@1", folder, (), 0, Limits(time_s=60.0), gpus=1)
    runs = SampleRuns(RULE, LIMIT_S, spec, lambda: folder / "sample")
    return replace(parts, spec=spec, context=replace(parts.context, scorer=FormScorer(), sample_runs=runs))


def run(folder, should_stop=lambda: False, **options):
    parts = made(folder, **options)
    try:
        return Engine(parts, should_stop).run()
    finally:
        parts.folder.close()


def test_a_program_that_does_not_pass_is_not_run_in_full(tmp_path):
    strategy, model = Scripted(*drafts(9)), ToyModel()
    end = run(tmp_path, strategy=strategy, model=model, budget=Budget(steps=8))
    assert (end.status, end.steps, end.selected) == (RunStatus.COMPLETED, 8, 5)
    tried, executed = events(tmp_path, "sample_run"), events(tmp_path, "executed")
    assert [e["id"] for e in tried] == list(range(8))
    assert [e["id"] for e in executed] == [0, 1, 4, 5]
    assert [e["id"] for e in tried if not_passed(e)] == [2, 3, 6, 7]
    assert [o.status for o in strategy.told[:4]] == [Status.OK, Status.OK, Status.INVALID_SUBMISSION, Status.ERROR]
    assert [o.score for o in strategy.told[:4]] == [0.0, 0.1, None, None]  # never the 99 of the sample
    told = events(tmp_path, "told")
    opening = "Trial run on a sample of the labelled rows (share 0.1, at least 20 rows; time limit 5 s), not passed"
    assert told[2]["problem"] == f"{opening}, so there was no full run: it has no rows"
    assert told[3]["problem"] == f"{opening}, so there was no full run: ValueError: too few rows"
    assert all("problem" not in e for e in (told[0], told[1]))
    reviews = [prompt_text(r.messages) for r in model.requests if r.address.op == "review"]
    assert opening in reviews[2]
    assert "99.0" not in reviews[0]
    # the sample costs no step and is charged like any run
    calls = 8 * 2 * 1000
    assert end.charged_us == calls + 8 * SAMPLE_US + 4 * 9_000_000
    assert not list(tmp_path.glob("submissions/*-sample"))
    f = fold(tmp_path)
    assert (f.n_executions, len(f.sample_runs), f.seconds("gpu_us")) == (12, 8, 4 * 2.0 + 8 * 0.5)


def test_a_failure_costs_at_most_the_short_limit(tmp_path):
    @dataclass
    class Slow(TwoStageSandbox):
        def run(self, slot, job):
            self.jobs.append(job)
            return ExecResult(ExecStatus.TIMEOUT, wall_us=round(job.deadline_s * 1e6), reason=f"{job.deadline_s:g} s")

    sandbox = Slow()
    budget = Budget(time_s=12.0)
    end = run(tmp_path, strategy=Scripted(*drafts(9)), sandbox=sandbox, budget=budget, review=False)
    assert end.status is RunStatus.BUDGET
    assert all(j.address == f"toy/run/{i}/sample" for i, j in enumerate(sandbox.jobs))
    assert [j.deadline_s for j in sandbox.jobs[:2]] == [LIMIT_S, LIMIT_S]
    assert sandbox.jobs[2].deadline_s == 1.9  # what is left of the run, as the prompt names it
    assert end.charged_us <= 12_000_000 + 1000  # a call that was under way is let finish
    told = list(events(tmp_path, "told"))
    assert {e["outcome"]["status"] for e in told} == {"timeout"}
    assert ["time limit 5 s" in e["problem"] for e in told[:3]] == [True, True, False]
    assert "time limit 1.9 s" in told[2]["problem"]  # the one that was enforced


def test_a_program_that_passed_as_the_time_ran_out_is_never_told(tmp_path):
    budget = Budget(time_s=0.7)
    end = run(tmp_path, strategy=Scripted(*drafts(2)), budget=budget, review=False)
    assert end.status is RunStatus.BUDGET
    assert [e["type"] for e in events(tmp_path)] == ["asked", "reply", "sample_run", "ended"]


def test_gpu_time_on_the_sample_is_spent_too(tmp_path):
    budget = Budget(steps=8, gpu_s=2.4)
    end = run(tmp_path, strategy=Scripted(*drafts(8)), budget=budget, review=False)
    assert end.status is RunStatus.BUDGET
    assert [e["id"] for e in events(tmp_path, "executed")] == [0]
    again = tmp_path / "again"
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    copy_cut(tmp_path, again, lines[:-1])
    assert run(again, strategy=Scripted(*drafts(8)), budget=budget, review=False).status is RunStatus.BUDGET
    assert comparable(again) == comparable(tmp_path)


@pytest.mark.parametrize("strategy", ["random", "greedy", "mcts", "gome"])
@pytest.mark.parametrize("workers", [1, 3])
def test_cut_after_any_event_it_goes_on_to_the_same_journal(tmp_path, strategy, workers):
    whole, options = tmp_path / "whole", {"strategy": strategy, "workers": workers, "virtual": workers > 1}
    run(whole, budget=Budget(steps=6), **options)
    lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert any(b'"sample_run"' in x for x in lines)
    for cut in range(1, len(lines)):
        folder, sandbox = tmp_path / f"cut{cut}", TwoStageSandbox(score=lambda id: id / 10)
        copy_cut(whole, folder, lines[:cut])
        run(folder, budget=Budget(steps=6), sandbox=sandbox, **options)
        if workers == 1:
            assert comparable(folder) == comparable(whole)
        done = [json.loads(x) for x in lines[1:cut]]
        ended = {f"toy/run/{e['id']}/sample" for e in done if e["type"] == "sample_run"}
        ended |= {f"toy/run/{e['id']}" for e in done if e["type"] == "executed"}
        assert not ended & {j.address for j in sandbox.jobs}
        tried = [e["id"] for e in events(folder, "sample_run")]
        assert len(tried) == len(set(tried)) == 6


def test_killed_within_a_sample_run_it_is_run_again(tmp_path):
    run(tmp_path / "whole", budget=Budget(steps=5))
    for id in range(5):
        folder = tmp_path / str(id)
        die = TwoStageSandbox(
            score=lambda n: n / 10, fail=lambda job, id=id: Killed() if job.address == f"toy/run/{id}/sample" else None
        )
        parts = made(folder, sandbox=die, budget=Budget(steps=5))
        with pytest.raises(Killed):
            Engine(parts).run()
        parts.folder.close()
        run(folder, budget=Budget(steps=5))
        assert comparable(folder) == comparable(tmp_path / "whole")


def test_a_sandbox_that_fails_in_a_sample_run_stops_the_run_until_it_is_launched_again(tmp_path):
    run(tmp_path / "whole", budget=Budget(steps=3))
    broken = TwoStageSandbox(
        score=lambda id: id / 10, fail=lambda j: SandboxUnavailable("gone") if j.address.endswith("1/sample") else None
    )
    with pytest.raises(SandboxUnavailable):
        run(tmp_path / "a", sandbox=broken, budget=Budget(steps=3))
    run(tmp_path / "a", budget=Budget(steps=3))
    assert comparable(tmp_path / "a") == comparable(tmp_path / "whole")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_replay_writes_the_recorded_journal(tmp_path, workers):
    recorded, options = tmp_path / "recorded", {"strategy": "greedy", "workers": workers, "budget": Budget(steps=9)}
    run(recorded, virtual=workers > 1, **options)
    recording = Recording(recorded / "journal.jsonl")
    parts = made(tmp_path / "replayed", **options)
    parts.folder.close()
    (tmp_path / "replayed" / "journal.jsonl").unlink()
    folder = RunFolder(tmp_path / "replayed", {}, durable=False, keep_prompts=False, recording=recording)
    Engine(replace(parts, folder=folder, execution=replace(parts.execution, recording=recording))).run()
    folder.close()
    journals = [(tmp_path / name / "journal.jsonl").read_bytes() for name in ("recorded", "replayed")]
    assert journals[0] == journals[1]


def test_a_node_has_the_limit_that_it_ran_under_and_a_debug_names_it(tmp_path):
    @dataclass
    class Slow(TwoStageSandbox):
        def run(self, slot, job):
            return ExecResult(ExecStatus.TIMEOUT, wall_us=round(job.deadline_s * 1e6), reason=f"{job.deadline_s:g} s")

    model, params = ToyModel(), {"num_drafts": 1, "debug_prob": 1.0}
    options = {"strategy": "greedy", "params": params, "budget": Budget(steps=2), "sandbox": Slow()}
    run(tmp_path, model=model, **options)
    texts = [prompt_text(r.messages) for r in model.requests if r.address.op == "debug"]
    assert len(texts) == 1
    assert "It ran longer than 5 s, the time limit that it had" in texts[0]
    lines = (tmp_path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    told = next(i for i, x in enumerate(lines) if b'"type":"told"' in x)
    copy_cut(tmp_path, tmp_path / "cut", lines[: told + 1])
    again = ToyModel()
    run(tmp_path / "cut", model=again, **options)
    assert [prompt_text(r.messages) for r in again.requests if r.address.op == "debug"] == texts


def test_prompts_of_a_resumed_run_show_the_sample_run_that_failed(tmp_path):
    """Greedy debugs what failed on the sample; before and after a cut it is shown the same."""
    sent = []
    whole = tmp_path / "whole"
    for folder in (whole, tmp_path / "cut"):
        model = ToyModel()
        if folder != whole:
            lines = (whole / "journal.jsonl").read_bytes().splitlines(keepends=True)
            told = [i for i, x in enumerate(lines) if b'"type":"told"' in x]
            copy_cut(whole, folder, lines[: told[5] + 1])
        run(folder, strategy="greedy", params={"num_drafts": 4, "debug_prob": 1.0}, model=model, budget=Budget(steps=8))
        sent.append({str(r.address): prompt_text(r.messages) for r in model.requests})
    debugged = [text for address, text in sent[1].items() if "/debug/" in address]
    assert debugged
    assert all("Trial run on a sample" in text for text in debugged)
    assert sent[1].items() <= sent[0].items()


def test_without_trial_runs_nothing_is_written_of_them(tmp_path: Path) -> None:
    toy_run.run(tmp_path / "off", budget=Budget(steps=6))
    text = (tmp_path / "off" / "journal.jsonl").read_text()
    assert "sample" not in text
    on = [e for e in comparable_passed(tmp_path / "on") if e["type"] != "sample_run"]
    off = events(tmp_path / "off")
    keys = [[(e["type"], *e) for e in found] for found in (on, off)]
    assert keys[0] == keys[1]


def comparable_passed(folder):
    """A run in which every program passes."""
    parts = toy_run.parts(folder, budget=Budget(steps=6))
    runs = SampleRuns(RULE, LIMIT_S, parts.spec, lambda: folder)

    @dataclass
    class Passing(toy_run.ToySandbox):
        def run(self, slot, job):
            if job.address.endswith("/sample"):
                return ExecResult(ExecStatus.OK, 0, wall_us=1)
            return super().run(slot, job)

    Engine(replace(parts, sandbox=Passing(), context=replace(parts.context, sample_runs=runs))).run()
    parts.folder.close()
    return events(folder)
