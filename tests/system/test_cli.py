"""The command line as its users meet it: real processes, real Hydra, from a folder of their own."""

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.command import cli

SMALL = ["sandbox=local", "model=sim_05", "tasks=[rentals]", "budget.steps=2", "launcher.n_jobs=1"]


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


BAD = {
    "unknown strategy": (["strategy=gredy"], ["strategy", "'gredy'", "did you mean 'greedy'", "mcts"]),
    "unknown model": (["model=sim_99"], ["model", "'sim_99'", "sim_05"]),
    "unknown task": (["tasks=[rentlas]"], ["tasks", "rentlas", "did you mean 'rentals'", "canvas"]),
    "unknown experiment": (["dmo"], ["experiments", "'dmo'", "did you mean 'demo'"]),
    "unknown experiment, as Hydra has it": (["+experiments=dmo"], ["experiments", "'dmo'", "demo"]),
    "typo in a key": (["budgt.steps=3"], ["budgt.steps", "did you mean 'budget.steps'", "budget"]),
    "typo in a nested key": (["budget.step=3"], ["budget.step", "did you mean 'budget.steps'", "time_s"]),
    "typo in an added key": (["+budget.step=3"], ["budget.step", "did you mean 'budget.steps'"]),
    "typo in a parameter": (
        ["strategy=greedy", "strategy.params.num_draft=3"],
        ["num_draft", "did you mean 'num_drafts'"],
    ),
    "typo in a model's parameter": (["model.params.capabilty=0.5"], ["capabilty", "capability"]),
    "wrong type": (["budget.steps=many"], ["budget.steps", "'many'", "a whole number is expected"]),
    "wrong type of a parameter": (["strategy=greedy", "strategy.params.num_drafts=many"], ["num_drafts", "many"]),
    "out of range": (["budget.steps=0"], ["budget.steps", "0"]),
    "no budget": (["budget.steps=null"], ["budget", "steps, time_s, cost_usd, tokens"]),
    "unknown rule": (["run.selection=lucky"], ["run.selection", "'lucky'", "best_validation"]),
    "unknown operators": (["run.operators=mine"], ["operators", "'mine'", "aide"]),
    "unknown sandbox": (["sandbox=loacl"], ["sandbox", "'loacl'", "did you mean 'local'", "docker"]),
    "unknown kind of sandbox": (["sandbox.kind=loacl"], ["sandbox.kind", "'loacl'", "local"]),
    "unknown promise": (["sandbox.require=[net]"], ["sandbox.require", "'net'", "net_off"]),
    "a promise that is not kept": (
        ["sandbox=local", "sandbox.require=[gpu_pinned]"],
        ["sandbox.require", "the rung local does not keep gpu_pinned", "net_off"],
    ),
    "a promise that no rung keeps": (["sandbox.require=[gpu_pinned]"], ["sandbox=auto", "no rung", "gpu_pinned"]),
    "a general key as a rung's parameter": (["sandbox.params.warm=off"], ["sandbox.params.warm", "set sandbox.warm"]),
    "no list": (["tasks=rentals"], ["tasks", "a list is expected"]),
    "a seed twice": (["seeds=[1,1]"], ["seeds", "twice"]),
    "a sweep without -m": (["strategy=greedy,random"], ["several values", "-m"]),
    "a sweep of nothing": (["-m", "model=glob(zz*)"], ["0 jobs"]),
    "two cells in one place": (["-m", "strategy=greedy", "strategy.params.num_drafts=2,3"], ["variant", "num_drafts"]),
    "a sweep over the claim": (["-m", "study.name=a,b"], ["study"]),
    "unknown outcome": (
        ["claim={treatment: gome, baseline: greedy, outcome: medals}"],
        ["claim.outcome", "'medals'", "any_medal"],
    ),
    "no name": (["study.name="], ["study.name", "empty"]),
    "no variant": (["variant="], ["variant", "empty"]),
    "more processors than there are": (["sandbox.cpu_count=9999"], ["sandbox.cpu_count", "this machine has"]),
    "too little memory": (["sandbox.memory_gib=0.001"], ["sandbox.memory_gib", "0.25"]),
    "no temperature": (["model.sampling.temperature=-5"], ["model.sampling.temperature", "-5", "0 to 2"]),
    "a claim about nobody": (
        ["claim.treatment=gnome", "claim.baseline=greedy"],
        ["claim.treatment", "'gnome'", "gome"],
    ),
    "a model of nothing": (["model=null"], ["model"]),
    "a place that can't be written": (["study.dir=/proc/nowhere"], ["study.dir", "/proc"]),
    "half a claim": (["claim.treatment=gome"], ["claim.baseline", "two strategies"]),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_is_one_line_and_nothing_is_written(tmp_path, case):
    words, expected = BAD[case]
    done = cli(tmp_path, "run", *words)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mlesearch: error: ")
    for word in expected:
        assert word in lines[0], lines[0]
    assert files(tmp_path) == []


LIVE = """\
name: mine
kind: litellm
params: {model: openai/gpt-made-up, api_key_env: MADE_UP_API_KEY}
"""


def _live(folder: Path) -> list[str]:
    """Overrides that make a live model of a made-up name."""
    return [
        "model.name=mine",
        "model.kind=litellm",
        "~model.params.capability",
        "model.params.model=openai/gpt-made-up",
        "model.params.api_key_env=MADE_UP_API_KEY",
    ]


def test_a_missing_key_is_said_before_any_call(tmp_path):
    (tmp_path / ".env").write_text("MADE_UP_API_KEY=sk-secret\n")
    done = cli(tmp_path, "run", *_live(tmp_path))
    assert done.returncode == 2
    assert "MADE_UP_API_KEY" in done.stderr
    assert ".env" in done.stderr
    assert "sk-secret" not in done.stderr
    assert files(tmp_path) == [".env"]


def test_a_budget_in_dollars_needs_a_price(tmp_path):
    done = cli(tmp_path, "run", *_live(tmp_path), "budget.cost_usd=5", env={"MADE_UP_API_KEY": "sk-x"})
    assert done.returncode == 2, done.stderr
    assert "budget.cost_usd" in done.stderr
    assert "price" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert files(tmp_path) == []


def test_a_task_folder_without_answers_is_refused(tmp_path):
    import mlesearch.tasks

    source = Path(mlesearch.tasks.__file__).parent / "data" / "mini" / "rentals"
    task = tmp_path / "mine"
    shutil.copytree(source, task)
    shutil.rmtree(task / "private")
    done = cli(tmp_path, "run", f"tasks=[{task}]")
    assert done.returncode == 2
    assert "private" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "studies").exists()


def test_the_simulated_engineer_refuses_a_task_it_does_not_know(tmp_path):
    import mlesearch.tasks

    task = tmp_path / "mine"
    shutil.copytree(Path(mlesearch.tasks.__file__).parent / "data" / "mini" / "rentals", task)
    declared = (task / "task.yaml").read_text()
    (task / "task.yaml").write_text(declared.replace("id: rentals", "id: mine"))
    done = cli(tmp_path, "run", f"tasks=[{task}]")
    assert done.returncode == 2
    assert "knows nothing of 'mine', only of canvas, demand, " in done.stderr
    assert not (tmp_path / "studies").exists()


def test_several_workers_in_a_run_replay_from_their_own_journal(tmp_path):
    words = ["sandbox=local", "strategy=gome", "run.workers=4", "budget.steps=5", "launcher.n_jobs=1"]
    done = cli(tmp_path, "run", *words)
    assert done.returncode == 0, done.stderr
    run = "studies/main/sim_05/gome/base/rentals/seed-0"
    assert "all the same" in cli(tmp_path, "verify", run).stdout


def test_a_folder_that_holds_something_else_is_no_study(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("x")
    done = cli(tmp_path, "run", "study.dir=thesis")
    assert done.returncode == 2
    assert "thesis" in done.stderr
    assert files(tmp_path) == ["thesis", "thesis/chapter1.tex"]


@pytest.mark.parametrize("place", ["afile", "afile/study"])
def test_a_file_is_no_place_for_a_study(tmp_path, place):
    (tmp_path / "afile").write_text("x")
    for more in ([], ["--check"]):
        done = cli(tmp_path, "run", f"study.dir={place}", *more)
        assert done.returncode == 2
        assert "afile is no folder" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_run_that_another_launch_is_writing_is_left_alone(study, tmp_path):
    """The second launch says so, and writes nothing into the folder."""
    from mlesearch.config.parts.resources import ProcessResources
    from mlesearch.config.planning.plan import plan
    from mlesearch.config.settings import (
        BudgetSettings,
        ModelSettings,
        SandboxSettings,
        Settings,
        StrategySettings,
        StudySettings,
    )
    from mlesearch.storage.journal import Journal
    from mlesearch.study.runs.execute import execute_run

    settings = Settings(
        sandbox=SandboxSettings("local"),
        study=StudySettings("busy", str(tmp_path / "busy")),
        model=ModelSettings("sim_05", "simulated", params={"capability": 0.5}),
        strategy=StrategySettings("greedy", "greedy"),
        budget=BudgetSettings(steps=1),
    )
    with ProcessResources() as resources:
        (run,) = plan([settings], resources).runs
        run.folder.mkdir(parents=True)
        with Journal(run.folder / "journal.jsonl", {"run": "r"}):
            report = execute_run(run, lambda: False, resources)
    assert report.status == "failed"
    assert "another process is writing this run" in report.reason
    assert not (run.folder / "result.json").exists()


def test_lists(tmp_path):
    tasks = cli(tmp_path, "tasks", "list").stdout
    for word in ("canvas", "rentals", "tickets", "minimize", "maximize"):
        assert word in tasks
    assert "greedy" in cli(tmp_path, "strategies").stdout
    assert "sim_05" in cli(tmp_path, "models").stdout
    assert "demo" in cli(tmp_path, "experiments").stdout
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["show", "nowhere"], "no study and no run here"),
        (["verify", "nowhere"], "no run here"),
        (["collect", "nowhere"], "no study here"),
        (["report", "nowhere"], "no study here"),
        (["tasks", "check", "nope"], "nope"),
        (["tasks", "grade", "rentals", "nope.csv"], "nope.csv"),
    ],
)
def test_reading_what_is_not_there(tmp_path, words, word):
    done = cli(tmp_path, *words)
    assert done.returncode in (1, 2)
    assert word in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of two cells, really run."""
    folder = tmp_path_factory.mktemp("study")
    done = cli(folder, "run", "-m", "strategy=random,gome", *SMALL, "study.name=small")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_sweep_ends_with_a_table_and_a_report(study):
    folder, stdout = study
    assert "report: studies/small/report.html" in stdout
    assert "any medal" in stdout.lower()
    report = (folder / "studies" / "small" / "report.html").read_text()
    assert "simulated" in report
    assert files(folder)[0] == "studies"


def test_a_finished_study_is_skipped(study):
    folder, _ = study
    run = folder / "studies/small/sim_05/gome/base/rentals/seed-0"
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    done = cli(folder, "run", "-m", "strategy=random,gome", *SMALL, "study.name=small")
    assert done.returncode == 0, done.stderr
    assert "2 runs, 2 of them finished" in done.stdout
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["budget.steps=3"], "budget.steps is 3 here and 2 there"),
        (["run.context_tokens=100"], "context.tokens is 100 here and 4000 there"),
        (["strategy.review=true"], "review is true here and false there"),
        (["claim={treatment: gome, baseline: greedy}"], "claim"),
    ],
)
def test_another_identity_is_refused_and_named(study, words, field):
    folder, _ = study
    before = files(folder)
    done = cli(folder, "run", *SMALL, "strategy=gome", "study.name=small", *words)
    assert done.returncode == 2
    assert field in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert files(folder) == before


def test_show_and_verify(study):
    folder, _ = study
    run = "studies/small/sim_05/gome/base/rentals/seed-0"
    tree = cli(folder, "show", run)
    assert tree.returncode == 0, tree.stderr
    assert "diagnose" in tree.stdout
    assert "ended: completed" in tree.stdout
    best = cli(folder, "show", run, "--best")
    assert "plan" in best.stdout
    code = cli(folder, "show", run, "--best", "--code").stdout
    assert code == (folder / run / "best" / "solution.py").read_text()
    compile(code, "solution.py", "exec")
    wrong = cli(folder, "show", run, "--node", "999")
    assert wrong.returncode == 2
    assert "no such node in this run; there are nodes from 0 to " in wrong.stderr
    assert "all the same" in cli(folder, "verify", run).stdout


def test_a_tampered_journal_does_not_verify(study, tmp_path):
    folder, _ = study
    run = tmp_path / "run"
    shutil.copytree(folder / "studies/small/sim_05/random/base/rentals/seed-0", run)
    lines = (run / "journal.jsonl").read_text().splitlines()
    i = next(i for i, x in enumerate(lines) if '"type":"asked"' in x)
    event = json.loads(lines[i])
    event["p"]["op"] = "merge"
    lines[i] = json.dumps(event, separators=(",", ":"))
    (run / "journal.jsonl").write_text("\n".join(lines) + "\n")
    done = cli(tmp_path, "verify", "run")
    assert done.returncode == 1
    assert "decides otherwise" in done.stderr


def test_options_may_stand_between_overrides(tmp_path):
    done = cli(tmp_path, "run", "strategy=greedy", "--check", "seeds=[0,1,2]", "sandbox=local")
    assert done.returncode == 0, done.stderr
    assert "3 runs" in done.stdout
    wrong = cli(tmp_path, "run", "strategy=greedy", "--chek", "seeds=[0,1,2]")
    assert wrong.returncode == 2
    assert "--chek: mlesearch run has no such option (did you mean '--check'?)" in wrong.stderr
    assert "b: one word too many; mlesearch report takes STUDY" in cli(tmp_path, "report", "a", "b").stderr
    assert files(tmp_path) == []


def test_check_runs_nothing(tmp_path):
    done = cli(tmp_path, "run", "demo", "--check")
    assert done.returncode == 0, done.stderr
    assert "144 runs" in done.stdout
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "command", ["run -m 'strategy=[greedy,gome]'", "run budget.steps = 3", "run --steps 3", "show x --bset", "rn"]
)
def test_an_odd_command_is_refused_in_one_line(command: str, tmp_path: Path) -> None:
    done = cli(tmp_path, *shlex.split(command))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("mlesearch: error: ")
    assert done.stdout == ""
