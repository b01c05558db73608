"""A study on a virtual clock from the command line: each command once, on runs that have no folder of their own."""

import zipfile

import pytest

from tests.support.command import cli

WORDS = (
    "clock=virtual",
    "model=sim_03,sim_08",
    "strategy=greedy,gome",
    "tasks=[tickets,synthetic:easy-01]",
    "seeds=[0,1]",
)
RUN = "study/sim_08/gome/base/synthetic-easy-01/seed-1"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("virtual")
    ran = cli(folder, "run", "-m", "study.dir=study", *WORDS, "budget.steps=4", "launcher.n_jobs=2")
    assert ran.returncode == 0, ran.stderr
    assert "sandbox: none is used: programs are looked up (clock=virtual)" in ran.stdout
    assert "16 runs on a virtual clock; the launch took " in ran.stdout
    assert "Simulated engineers, not language models" in ran.stdout
    return folder


SAYS = {
    "a study": (("show", "study"), "study main: 16 runs (16 completed)"),
    "a cell": (("show", "study/sim_08/gome"), "study main: 4 runs (4 completed)"),
    "a run": (("show", RUN), "synthetic-easy-01, seed 1: gome/base with sim_08 (simulated)"),
    "a node": (("show", RUN, "--best"), "\nprogram\n"),
    "a program": (("show", RUN, "--code"), 'TASK = "synthetic-easy-01"'),
    "a reply": (("show", RUN, "--reply"), "sim_08, stop"),
    "verify": (("verify", RUN), "decisions, all the same"),
    "whole": (("cassette", "verify", "study"), "16 runs, 0 calls, 0 executions; 0 faults"),
    "collect": (("collect", "study"), "study"),
    "report": (("report", "study"), "report.html"),
    "estimate": (
        ("estimate", "study.dir=study", *WORDS[:1], "model=sim_03", "strategy=greedy", "seeds=[7]"),
        "recorded: ",
    ),
    "again": (("run", "-m", "study.dir=study", *WORDS, "budget.steps=4"), "16 runs, 16 of them finished"),
}


@pytest.mark.parametrize("what", SAYS)
def test_a_command_reads_runs_that_lie_in_one_file(place, what):
    words, says = SAYS[what]
    done = cli(place, *words)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert not (place / RUN).exists()


def test_an_export_holds_ordinary_runs_that_show_as_before(place):
    assert cli(place, "cassette", "export", "study", "study.zip").returncode == 0
    with zipfile.ZipFile(place / "study.zip") as file:
        assert f"study/{RUN.partition('/')[2]}/journal.jsonl" in file.namelist()
    assert cli(place, "cassette", "import", "study.zip", "imported").returncode == 0
    assert (place / RUN.replace("study", "imported") / "journal.jsonl").is_file()
    shown = [cli(place, "show", RUN.replace("study", name), "--best").stdout for name in ("study", "imported")]
    assert shown[0] == shown[1] != ""


def test_what_makes_no_sense_is_refused_in_one_line(place):
    replayed = cli(place, "replay", "study", "--out", "again")
    assert (replayed.returncode, replayed.stdout) == (2, "")
    assert "launched again into another study.dir they come out the same" in replayed.stderr
    refused = cli(place, "run", "study.dir=other", "clock=virtual", "sandbox=local")
    assert refused.returncode == 2
    assert "sandbox.kind: local, but with clock=virtual no program is run; set sandbox.kind=auto" in refused.stderr
    assert not (place / "other").exists()


def test_a_damaged_store_is_one_line_that_names_it(place, tmp_path):
    store = place / "damaged" / "sim_03" / "greedy" / "base" / "runs.db"
    store.parent.mkdir(parents=True)
    (place / "damaged" / "study.json").write_bytes((place / "study" / "study.json").read_bytes())
    store.write_bytes(b"no database")
    for words in (("show", "damaged"), ("report", "damaged"), ("cassette", "verify", "damaged")):
        done = cli(place, *words)
        assert done.returncode != 0
        assert f"{store.relative_to(place)}: it can't be used: " in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
