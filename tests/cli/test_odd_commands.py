"""Commands as people mistype them: each is refused in a line that names fault and fix, or does what was meant.

`REFUSED` has at least a hundred; the twelve of the field, and those that a new user met, are among them.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlesearch.cli.main import main
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.settings import Settings

REFUSED: dict[str, tuple[str, ...]] = {
    # names that can't be
    "run smoke claim.treatment=gredy": ("claim.treatment: no strategy is called 'gredy' (did you mean 'greedy'?)",),
    "run smoke hydra/launcher=joblb": ("hydra/launcher: no launcher is called 'joblb' (did you mean 'joblib'?)",),
    "run smoke hydra/launcher=slurm": ("submitit_slurm",),
    "run smoke study.name=a/b": ("study.name: 'a/b' is not the name of one folder", "set study.dir"),
    "run smoke study.name=..": ("study.name: '..' is not the name of one folder",),
    f"run smoke study.name={'x' * 300}": ("study.name: xxx", "takes 300 bytes, and the name of a folder at most 255"),
    f"run smoke study.dir=/tmp/{'y' * 256}": ("study.dir: yyy", "takes 256 bytes"),
    f"run smoke study.dir=/tmp/{'/'.join(['y' * 250] * 20)}": ("study.dir: its path takes",),
    "submit --list studies/nope": ("studies/nope: no study here (no study.json), and no experiment is called so",),
    "estimate studies/nope": ("studies/nope: no study here",),
    "work studies/nope": ("studies/nope: no study here (no study.json); name a study's folder",),
    # lists and sweeps
    'run -m "model=[sim_05,sim_09]" strategy=greedy --check': (
        "several are swept over with -m and without brackets",
        "mlesearch run --check -m model=sim_05,sim_09 strategy=greedy",
    ),
    'run -m "strategy=[greedy,gome]"': ("mlesearch run -m strategy=greedy,gome",),
    'run "model=[sim_05]"': ("a list is no model", "mlesearch run model=sim_05"),
    'run "strategy=[greedy, gome]"': ("mlesearch run -m strategy=greedy,gome",),
    'estimate -m "model=[sim_05,sim_09]"': ("mlesearch estimate -m model=sim_05,sim_09",),
    "run strategy=greedy,gome": ("several values make a sweep", "mlesearch run -m strategy=greedy,gome"),
    "estimate --gpus 2 model=sim_05,sim_09": ("mlesearch estimate --gpus 2 -m model=sim_05,sim_09",),
    "run budget.steps=3,6": ("several values", "mlesearch run -m budget.steps=3,6"),
    "run variant=a,b": ("several values", "mlesearch run -m variant=a,b", "quote it: 'variant=\"a,b\"'"),
    "run study.dir=/data/a,b": ("several values", "quote it: 'study.dir=\"/data/a,b\"'"),
    "run seeds=range(3)": ("a list of whole numbers", "mlesearch run 'seeds=[0,1,2]'"),
    "run seeds=range(1,4)": ("mlesearch run 'seeds=[1,2,3]'",),
    "run seeds=0..2": ("mlesearch run 'seeds=[0,1,2]'",),
    "run seeds=0-2": ("mlesearch run 'seeds=[0,1,2]'",),
    "run seeds=1,2": ("a list of whole numbers", "mlesearch run 'seeds=[1,2]'"),
    "run -m seeds=1,2": ("mlesearch run -m 'seeds=[1,2]'",),
    "run seeds=3": ("a list of whole numbers", "mlesearch run 'seeds=[3]'"),
    "run seeds=(0,1)": ("mlesearch run 'seeds=[0,1]'",),
    "run seeds=[0,one]": ("seeds", "'one' is none", "seeds=[0,1,2]"),
    "run seeds=[0.5]": ("seeds", "'0.5' is none"),
    "run seeds=[0,,1]": ("an empty place is no item", "mlesearch run 'seeds=[0,1]'"),
    "run seeds=[0,1,2": ("[ is opened and not closed by ]",),
    "run seeds=": ("a list of whole numbers",),
    "run seeds=[]": ("seeds: at least one is needed",),
    "run tasks=rentals,tickets": ("a list is expected", "mlesearch run 'tasks=[rentals,tickets]'"),
    "run tasks=rentals": ("a list is expected", "mlesearch run 'tasks=[rentals]'"),
    "run -m tasks=rentals,tickets": ("mlesearch run -m 'tasks=[rentals,tickets]'",),
    "run tasks=[rentals": ("[ is opened and not closed by ]",),
    "run sandbox.require=net_off": ("mlesearch run 'sandbox.require=[net_off]'",),
    # spaces
    "run strategy=greedy, gome": ("there is a space in it", "mlesearch run -m strategy=greedy,gome"),
    "run -m strategy=greedy, gome, mcts": ("mlesearch run -m strategy=greedy,gome,mcts",),
    "run budget.steps = 3": ("there is a space in it", "mlesearch run budget.steps=3"),
    "run budget.steps= 3": ("mlesearch run budget.steps=3",),
    "run budget.steps =3": ("mlesearch run budget.steps=3",),
    'run "budget.steps = 3"': ("a space before the =", "mlesearch run budget.steps=3"),
    "run seeds=[0, 1, 2]": ("there is a space in it", "mlesearch run 'seeds=[0,1,2]'"),
    "run claim={treatment: gome, baseline: greedy}": ("space in it", "'claim={treatment: gome,baseline: greedy}'"),
    "run study.name=my study": ("quote both", "mlesearch run 'study.name=my study'"),
    'run demo ""': ("word 2 is empty", "mlesearch run demo"),
    'run demo "  "': ("word 2 is blank", "mlesearch run demo"),
    # one value for a mapping, values of the wrong kind
    "run study=mine": ("study: it has settings of its own", "mlesearch run study.name=mine"),
    "run budget=3": ("budget: it has settings of its own", "mlesearch run budget.steps=3"),
    "run launcher=4": ("mlesearch run launcher.n_jobs=4",),
    "run claim=gome": ("mlesearch run claim.treatment=gome",),
    "run run.trial=0.1": ("mlesearch run run.trial.share=0.1",),
    "run model.sampling=0.5": ("mlesearch run model.sampling.temperature=0.5",),
    "run strategy.params=3": ("parameters by name", "strategy.params.NAME=3"),
    "run model.roles=sim_05": ("parameters by name", "model.roles.NAME=sim_05"),
    "run clock=[virtual]": ("one text is expected", "'[virtual]'"),
    "run notify.command={a:b}": ("one text is expected, or null for none",),
    "run budget.steps=ten": ("a whole number is expected", "'ten'", "budget.steps=3"),
    "run budget.steps=3.5": ("a whole number is expected", "'3.5'"),
    "run budget.steps=1e1": ("a whole number is expected", "budget.steps=10"),
    "run budget.steps==3": ("a whole number is expected", "'=3'", "write budget.steps=3"),
    "run budget.steps=": ("a whole number is expected", "this is empty"),
    "run budget.time_s=2h": ("a number is expected", "budget.time_s=7200"),
    "run budget.time_s=30min": ("budget.time_s=1800",),
    "run budget.cost_usd=$5": ("a number is expected", "write budget.cost_usd=5"),
    "run budget.tokens=200k": ("budget.tokens=200000",),
    "run budget.reserve_s=null": ("budget.reserve_s", "can't be null"),
    "run budget.cost_usd=-1": ("budget.cost_usd", "above 0"),
    "run budget.cost_usd=nan": ("budget.cost_usd", "above 0"),
    "run sandbox.memory_gib=4GB": ("a number is expected", "sandbox.memory_gib=4"),
    "run sandbox.memory_gib=512MB": ("sandbox.memory_gib=0.5",),
    "run strategy.review=maybe": ("true or false is expected", "'maybe'"),
    "run launcher.n_jobs=all": ("a whole number is expected", "launcher.n_jobs=-1"),
    "run cassette=recrod": ("cassette", "did you mean 'record'", "live, record, replay"),
    "run run.selection=revalidat": ("run.selection", "did you mean 'revalidate'"),
    "run run.context=natve": ("run.context", "did you mean 'native'"),
    "run run.keep_submissions=none": ("run.keep_submissions", "best, all"),
    "run sandbox.exec_store=on": ("sandbox.exec_store", "off, record, replay"),
    # names
    "run strategy=gredy": ("strategy", "did you mean 'greedy'", "conf/strategy/NAME.yaml"),
    "run model=gpt5": ("model", "did you mean 'gpt-5'", "conf/model/NAME.yaml"),
    "run -m model=sim_05,sim_99": ("model", "'sim_99'"),
    "run sandbox=dokcer": ("sandbox", "did you mean 'docker'"),
    "run model=": ("model: one name is needed",),
    "run model=null": ("model: one name is needed",),
    "run +strategy=greedy": ("choose without +", "mlesearch run strategy=greedy"),
    "run ++model=sim_05": ("choose without ++", "mlesearch run model=sim_05"),
    "run '~strategy'": ("a run needs a strategy", "strategy=NAME"),
    "run '~budget.steps'": ("can't be taken away", "budget.steps="),
    "run 'model={name: sim_05}'": ("a name is needed",),
    "run tasks=[rentlas]": ("rentlas", "did you mean 'rentals'", "tasks/NAME/task.yaml"),
    "run dem": ("experiments", "did you mean 'demo'", "experiments/NAME.yaml"),
    "run demo paradigms": ("'demo' and 'paradigms' are two", "mlesearch run demo"),
    "run experiments=dmo": ("experiments", "did you mean 'demo'"),
    "run greedy": ("it is a strategy, and no experiment", "mlesearch run strategy=greedy"),
    "run gpt-5": ("it is a model", "mlesearch run model=gpt-5"),
    "run ./my_experiment.yaml": ("an experiment is named, not its file", "experiments/NAME.yaml"),
    # keys
    "run budgt.steps=3": ("budgt.steps", "did you mean 'budget.steps'"),
    "run budget.setps=3": ("did you mean 'budget.steps'",),
    "run steps=3": ("steps: there is no such key", "here are allowed"),
    "run strategy.params.momentm=true": ("did you mean 'momentum'",),
    "run budget.steps": ("a value is missing", "budget.steps=3"),
    "run strategy": ("a value is missing",),
    "run budget.steps:3": ("with = and not with a colon", "mlesearch run budget.steps=3"),
    "run =3": ("the key is missing before the =",),
    "run 3": ("a value without a key",),
    "run -": ("experiments",),
    'run study.name="\'abc"': ("' is opened and not closed",),
    "run 'study.name=${HOME}'": ("${HOME} names no setting", "${oc.env:HOME}"),
    "run 'study.dir=$HOME/x'": ("begins with a variable", "${oc.env:HOME}"),
    "run 'study.dir=~nobody_here/x'": ("~nobody_here is nobody's home folder", "./~nobody_here/x"),
    # options
    "run --steps 3": ("--steps: mlesearch run has no such option", "mlesearch run budget.steps=3"),
    "run --budget.steps=3": ("without dashes", "mlesearch run budget.steps=3"),
    "run --n-jobs 4": ("mlesearch run launcher.n_jobs=4",),
    "run --chek": ("did you mean '--check'",),
    "run --chec": ("did you mean '--check'",),
    "run --best": ("no such option", "mlesearch show has it"),
    "show x --bset": ("did you mean '--best'",),
    "show x --node one": ("--node: a whole number is expected", "'one'"),
    "show x --node": ("--node: a value is missing",),
    "show x --best=3": ("--best: it takes no value",),
    "show x --best --node 3": ("--node: it can't stand with --best",),
    "show": ("STUDY | RUN", "missing"),
    "rn demo": ("no command is called 'rn'", "did you mean 'run'"),
    "budget.steps=3": ("no command is called", "mlesearch run budget.steps=3"),
    "tasks lst": ("no action is called 'lst'", "did you mean 'list'"),
    "sandbox": ("ACTION is missing", "check, bench, build"),
    "cassette import a b --form sqlit": ("did you mean 'sqlite'",),
    "report a b": ("one word too many", "report takes STUDY"),
    "estimate --gpus two": ("--gpus: a whole number is expected",),
    # places
    "show nowhere": ("no study and no run here", "studies/NAME"),
    "verify nowhere": ("no run here",),
    "report nowhere": ("no study here",),
    "strategies gredy": ("did you mean 'greedy'",),
    "tasks eda rentlas": ("did you mean 'rentals'",),
    "models check sim_5": ("no model is called 'sim_5'", "did you mean"),
}
MEANT: dict[str, tuple[str, object]] = {
    "study.name=1e3": ("study.name", "1e3"),
    "study.name=null": ("study.name", "null"),
    "study.name=true": ("study.name", "true"),
    "study.name=0x10": ("study.name", "0x10"),
    "study.name=1_000": ("study.name", "1_000"),
    "study.name=nan": ("study.name", "nan"),
    "study.name=007": ("study.name", "007"),
    "study.name=0.10": ("study.name", "0.10"),
    "study.name=my study": ("study.name", "my study"),
    "study.name=été": ("study.name", "été"),
    "study.name=it's": ("study.name", "it's"),
    "study.name=a:b=c[d]{e}(f)": ("study.name", "a:b=c[d]{e}(f)"),
    "study.name='a,b'": ("study.name", "a,b"),
    "study.name=a\\,b": ("study.name", "a,b"),
    "variant=1.0": ("variant", "1.0"),
    "model.tier=null": ("model.tier", None),
    "model.tier=true": ("model.tier", "true"),
    "study.dir=/data/lr=0.1/x": ("study.dir", "/data/lr=0.1/x"),
    "study.dir=~/x": ("study.dir", str(Path("~/x").expanduser())),
    "study.dir=./~x": ("study.dir", "./~x"),
    "study.dir=/data/my study": ("study.dir", "/data/my study"),
    "study.dir=/data/${study.name}": ("study.dir", "/data/main"),
    "cassette_path=~/calls.db": ("cassette_path", str(Path("~/calls.db").expanduser())),
    "tasks=[./tasks/été]": ("tasks", ["./tasks/été"]),
    "tasks=[./tasks/été,~/b c,/data/lr=0.1/x, rentals]": (
        "tasks",
        ["./tasks/été", str(Path("~/b c").expanduser()), "/data/lr=0.1/x", "rentals"],
    ),
    "tasks=[1e3,null,true]": ("tasks", ["1e3", "null", "true"]),
    "budget.steps=1_000": ("budget.steps", 1000),
    "budget.steps=null": ("budget.steps", None),
    "seeds=[0,1,2]": ("seeds", [0, 1, 2]),
    "seeds=[0, 1]": ("seeds", [0, 1]),
}


@pytest.mark.parametrize("command", REFUSED)
def test_an_odd_command_is_one_line_that_names_the_fix(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(shlex.split(command))
    except SystemExit as end:
        code = int(str(end.code))
    said = capsys.readouterr()
    assert code == 2, said
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert said.err.startswith("mlesearch: error: ")
    for words in REFUSED[command]:
        assert words in said.err, said.err
    assert list(tmp_path.iterdir()) == []


def test_there_are_a_hundred() -> None:
    assert len(REFUSED) >= 100


def setting(s: Settings, key: str) -> object:
    found: object = s
    for part in key.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("word", MEANT)
def test_a_text_is_what_was_written(word: str) -> None:
    key, value = MEANT[word]
    (cell,) = jobs(expand([word]), False).jobs
    assert setting(cell.settings, key) == value


PLAIN_JSON = st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8"), max_size=6)


@settings(max_examples=10, deadline=None)
@given(
    value=st.dictionaries(
        st.sampled_from(["grammar", "top_k"]), PLAIN_JSON | st.lists(PLAIN_JSON, max_size=2), min_size=1
    )
)
@example(value={"grammar": 'root ::= "A plan.\\n```python\\n" [1-9] | "x,y" {1,2}', "t": True, "f": 1e-5})
@example(value={"a": "it's \\ ok\\", "b": {"e": [{"f": [1.5]}]}, "c": "null", "d": ""})
def test_json_is_a_parameter_as_it_is_written(value: dict[str, object]) -> None:
    (cell,) = jobs(expand(["model=local", f"model.params.extra_body={json.dumps(value)}"]), False).jobs
    assert cell.settings.model.params["extra_body"] == value


@pytest.mark.parametrize("url", ["http://[::1]:8000/v1", "http://h:80/v1?a=1&b=2", "http://h/~me/v1"])
def test_a_url_is_a_parameter_as_it_is_written(url: str) -> None:
    (cell,) = jobs(expand(["model=local", f"model.params.api_base={url}"]), False).jobs
    assert cell.settings.model.params["api_base"] == url


def test_texts_are_swept_over_as_they_are_written() -> None:
    found = jobs(expand(["variant=1e3,null,a b,x=y"], multirun=True), True)
    assert [cell.settings.variant for cell in found.jobs] == ["1e3", "null", "a b", "x=y"]
