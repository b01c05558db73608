"""`run.trial` and `run.audit`: when they are part of a run's identity, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlesearch.config.assemble import assemble
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.types import ConfigError, Op, Outcome, Status
from tests.support.task_maker import make_task, write_csv


def planned(folder: Path, *words: str):
    words = (f"study.dir={folder / 'study'}", "model=sim_05", "sandbox=local", *words)
    cells = [cell.settings for cell in jobs(expand(words), multirun=False).jobs]
    with ProcessResources() as resources:
        return plan(cells, resources).runs[0]


@pytest.mark.parametrize("strategy", ["greedy", "gome"])
def test_off_they_are_no_part_of_an_identity(tmp_path, strategy):
    usual = planned(tmp_path, f"strategy={strategy}")
    assert not {"trial", "audit"} & set(usual.identity)
    for words in (["run.audit=off"], ["run.trial.time_s=7", "run.trial.rows=9"]):
        assert planned(tmp_path, f"strategy={strategy}", *words).identity == usual.identity
    on = planned(tmp_path, f"strategy={strategy}", "run.trial.share=0.2", "run.audit=always")
    assert on.identity["trial"] == {"share": 0.2, "rows": 500, "time_s": 60.0, "version": 1}
    assert on.identity["audit"] is True


@pytest.mark.parametrize(
    ("validation", "audit", "audited"),
    [
        ("harness", "reported", False),
        ("harness", "always", True),
        ("harness", "off", False),
        ("reported", "reported", True),
        ("reported", "always", True),
        ("reported", "off", False),
    ],
)
@pytest.mark.parametrize("strategy", ["greedy", "gome"])
def test_where_the_word_of_the_review_counts(tmp_path, validation, audit, audited, strategy):
    make_task(tmp_path / "own", validation=validation)
    words = (f"tasks=[{tmp_path / 'own'}]", "model=local", "model.params.api_base=http://localhost:1/v1")
    run = planned(tmp_path, *words, f"strategy={strategy}", f"run.audit={audit}", "cassette=record")
    assert run.identity.get("audit", False) is audited
    with ProcessResources() as resources:
        parts = assemble(run, resources)
        parts.folder.close()
    assert parts.context.audit is audited
    assert parts.context.review is (strategy != "gome")
    assert parts.context.sample_runs is None


def test_all_runs_of_a_process_share_one_sample_and_a_task_version_is_not_touched(tmp_path):
    words = ("run.trial.share=0.1", "run.trial.rows=200", "run.trial.time_s=999")
    found = []
    with ProcessResources() as resources:
        for strategy, seed in (("greedy", 0), ("mcts", 0), ("gome", 7)):
            run = planned(tmp_path / strategy, *words, f"strategy={strategy}", f"seeds=[{seed}]")
            parts = assemble(run, resources)
            parts.folder.close()
            found.append(parts.context.sample_runs.spec())
            assert parts.context.sample_runs.spec() is not parts.spec
            assert parts.spec.task in found[-1].task
            assert parts.spec.task != found[-1].task
    assert found[0] == found[1] == found[2]
    assert found[0].limits.time_s == 60.0  # the program's own limit is shorter
    assert not found[0].input_dir.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run.trial.share=1"], "run.trial.share: 1.0; a share of the labelled rows below 1, or 0 for no trial runs"),
        (["run.trial.share=-0.1"], "run.trial.share: -0.1"),
        (["run.trial.share=nan"], "run.trial.share: nan"),
        (["run.trial.rows=0"], "run.trial.rows: 0; at least 1 is needed"),
        (["run.trial.time_s=0"], "run.trial.time_s: 0.0; a number above 0 is needed"),
        (["run.trial.share=0.1", "run.trial.rows=1400"], "lower run.trial.rows (now 1400)"),
        (["run.audit=maybe"], "run.audit: 'maybe'; there are: reported, always, off"),
    ],
)
def test_what_can_not_work_gets_one_line(tmp_path, words, said):
    with pytest.raises(ConfigError) as error:
        planned(tmp_path, *words)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_task_without_labelled_rows_in_a_table_is_refused(tmp_path):
    make_task(tmp_path / "own", validation="reported")
    (tmp_path / "own" / "public" / "train.csv").unlink()
    write_csv(tmp_path / "own" / "public" / "notes.csv", "id,z", ["1,2"])
    words = (f"tasks=[{tmp_path / 'own'}]", "model=local", "model.params.api_base=http://localhost:1/v1")
    with pytest.raises(ConfigError, match="'small' has no CSV file of labelled rows"):
        planned(tmp_path, *words, "run.trial.share=0.1")


@pytest.mark.parametrize(("words", "debugs"), [([], 3), (["run.trial.share=0.1"], 10)])
def test_a_strategy_is_told_whether_programs_run_on_a_sample_first(tmp_path, words, debugs):
    """Gome then debugs more often, since a bug costs little."""
    with ProcessResources() as resources:
        parts = assemble(planned(tmp_path, "strategy=gome", *words), resources)
        parts.folder.close()
    optimizer, asked = parts.optimizer, []
    while (proposal := optimizer.ask(0.5)).trace == 0 or not asked:
        asked.append(proposal.op)
        status = Status.ERROR if proposal.op.makes_program else Status.REPLY_UNUSABLE
        optimizer.tell(Outcome(proposal.id, proposal.op, status))
    assert asked.count(Op.DEBUG) == debugs
