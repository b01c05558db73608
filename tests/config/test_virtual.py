"""What a virtual clock refuses, by name and before anything is written."""

import pytest

from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.sandbox import ladder
from mlesearch.types import ConfigError

REFUSED = {
    "clock": ({"clock": "sundial"}, "clock: 'sundial' is no clock; there are: real, virtual"),
    "model": ({"model": "gpt-5"}, "the model 'gpt-5' is not simulated; choose a simulated engineer"),
    "role": ({"model": {"file": "sim_05", "roles": {"feedback": "gpt-5"}}}, "the model 'gpt-5' is not simulated"),
    "embedder": (
        {"embedder": {"kind": "litellm", "params": {"model": "openai/x", "api_key_env": "K"}}},
        "the embedder .* is paid for",
    ),
    "sandbox": (
        {"sandbox": "local"},
        "sandbox.kind: local, but with clock=virtual no program is run; set sandbox.kind=auto",
    ),
    "gpus": ({"sandbox": {"gpus": 1}}, "sandbox.gpus: 1, but with clock=virtual"),
    "require": ({"sandbox": {"require": ["net_off"]}}, "sandbox.require"),
    "weights": ({"sandbox": {"weights": "/w"}}, "sandbox.weights: /w, .* set sandbox.weights=null"),
    "exec_store": ({"sandbox": {"exec_store": "record"}}, "sandbox.exec_store: record"),
    "cassette": ({"cassette": "record"}, "cassette: record"),
    "trial": ({"run": {"trial": {"share": 0.5}}}, "run.trial.share: 0.5, .* a table knows nothing of samples"),
    "revalidate": (
        {"run": {"selection": "revalidate"}},
        "run.selection: revalidate, .* set run.selection=best_validation",
    ),
    "real_time": ({"budget": {"real_time_s": 60.0}}, "budget.real_time_s: 60.0, .* nothing waits"),
    "cell_usd": ({"budget": {"cell_usd": 1.0}}, "budget.cell_usd: 1.0"),
    "study_usd": ({"budget": {"study_usd": 1.0}}, "budget.study_usd: 1.0"),
    "network": ({"limits": {"network": True}}, "network file system"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_on_a_virtual_clock_is_refused_in_one_line(tmp_path, case, monkeypatch):
    given, words = REFUSED[case]
    monkeypatch.setattr("mlesearch.storage.file_systems.on_network", lambda folder: True) if case == "network" else None
    place = tmp_path / "study"
    with ProcessResources() as resources, pytest.raises(ConfigError, match=words) as error:
        plan(
            cells({"clock": "virtual", "study": {"dir": str(place)}, "tasks": ["tickets"], **given}),
            resources,
            keys=False,
        )
    assert "\n" not in str(error.value)
    assert not place.exists()


def test_a_task_without_a_table_is_refused(tmp_path):
    from mlesearch.experiments import make_landscapes  # the folder of the suite's tasks

    own = tmp_path / "own"
    own.mkdir()
    for name in ("public", "private"):
        (own / name).symlink_to(make_landscapes.TASKS_FOLDER / "tickets" / name)
    for name in ("description.md", "leaderboard.csv"):
        (own / name).write_bytes((make_landscapes.TASKS_FOLDER / "tickets" / name).read_bytes())
    declared = (make_landscapes.TASKS_FOLDER / "tickets" / "task.yaml").read_text().replace("id: tickets", "id: own")
    (own / "task.yaml").write_text(declared)
    given = {"clock": "virtual", "study": {"dir": str(tmp_path / "study")}, "tasks": [str(own)]}
    with (
        ProcessResources() as resources,
        pytest.raises(ConfigError, match="nobody knows what programs of 'own' come to"),
    ):
        plan(cells(given), resources)


def test_no_sandbox_is_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "choose", None)
    with ProcessResources() as resources:
        (run,) = plan(
            cells({"clock": "virtual", "study": {"dir": str(tmp_path)}, "tasks": ["tickets"]}), resources
        ).runs
    assert run.settings.sandbox.kind == "table"
    assert run.labels["sandbox_why"] == "none is used: programs are looked up (clock=virtual)"
    assert run.identity["sandbox"]["rung"] == "table"


def test_the_clock_is_in_the_identity_only_where_it_is_virtual(tmp_path):
    given = {"study": {"dir": str(tmp_path)}, "tasks": ["tickets"], "sandbox": "local"}
    with ProcessResources() as resources:
        (run,) = plan(cells(given), resources).runs
    assert "clock" not in run.identity
