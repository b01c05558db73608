"""Finding things by name: built-in first, plug-ins only when asked for, and every way in which that goes wrong."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from mlesearch.cli import catalogue, doctor
from mlesearch.config.catalogue import groups
from mlesearch.config.catalogue.strategies import strategy
from mlesearch.config.loading import compose
from mlesearch.config.parts.plugins import REGISTRIES
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import Settings
from mlesearch.models.registry import make_model
from mlesearch.optimizers.base import STRATEGIES, factory
from mlesearch.tasks import folder, metrics
from mlesearch.tasks.metrics import METRIC_NAMES
from mlesearch.types import ConfigError, Level

MAKE = "def make(*given):\n    return given\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package of one module with entry points `{name: "group"}`, all to the same object of it."""

    def installed(package: str, points: dict[str, str], code: str = MAKE, attribute: str = "make") -> None:
        place = tmp_path / package
        info = place / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"[{group}]\n{name} = {package}_module:{attribute}\n" for name, group in points.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        (place / f"{package}_module.py").write_text(code)
        monkeypatch.syspath_prepend(place)
        monkeypatch.delitem(sys.modules, f"{package}_module", raising=False)

    yield installed
    metrics.find.cache_clear()


def settings(*words: str) -> Settings:
    return compose.jobs(compose.expand(["sandbox=unsafe", "study.dir=nowhere", *words]), False).jobs[0].settings


def one_line(error: pytest.ExceptionInfo[ConfigError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_packages_are_looked_through_once_until_something_is_installed(monkeypatch, install, tmp_path):
    counted = []
    look = importlib.metadata.entry_points

    def looked(**group):
        counted.append(group)
        return look(**group)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importlib.metadata, "entry_points", looked)
    for _ in range(5):
        assert STRATEGIES.package("mine") is None
        assert METRIC_NAMES.package("mine") is None
    assert len(counted) == 2, "once for each of the two groups"
    install("own", {"mine": "mlesearch.optimizers"})
    for _ in range(5):
        assert STRATEGIES.package("mine") == "own 1.0"
    assert len(counted) == 3


def test_what_is_built_in_is_found_without_a_look_at_packages(monkeypatch, tmp_path):
    def looked(**group):
        raise AssertionError("the installed packages were looked through")

    monkeypatch.syspath_prepend(tmp_path)  # not looked through yet
    monkeypatch.setattr(importlib.metadata, "entry_points", looked)
    for registry in REGISTRIES:
        for name in registry.builtin:
            assert registry.load(name) is not None
            assert registry.package(name) is None
    assert callable(factory("greedy"))
    with pytest.raises(AssertionError, match="looked through"):
        factory("gredy")


def test_a_plug_in_is_imported_when_it_is_asked_for_and_not_before(install):
    install("own", {"mine": "mlesearch.optimizers"})
    assert STRATEGIES.plugins()["mine"] == "own 1.0"
    assert {"random", "greedy", "mcts", "gome"} < set(STRATEGIES.names())
    assert "mine" in STRATEGIES.names()
    STRATEGIES.check(["mine", "greedy"])
    assert STRATEGIES.package("mine") == "own 1.0"
    assert "own_module" not in sys.modules
    assert factory("mine")({}, None, None) == ({}, None, None)
    assert "own_module" in sys.modules


def test_help_looks_at_no_package():
    command = [sys.executable, "-X", "importtime", "-m", "mlesearch", "run", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "mlesearch.cli.main" in done.stderr
    assert "importlib.metadata" not in done.stderr


def test_a_name_that_two_packages_claim_is_refused(install):
    install("own", {"mine": "mlesearch.models"})
    install("theirs", {"mine": "mlesearch.models", "other": "mlesearch.models"})
    with pytest.raises(ConfigError) as error:
        make_model("my_model", "mine", {})
    assert one_line(error).startswith("model 'my_model': kind: a kind of model called 'mine' is brought by ")
    assert "own 1.0" in str(error.value)
    assert "theirs 1.0" in str(error.value)
    assert str(error.value).endswith("uninstall all but one")
    assert make_model("my_model", "other", {"a": 1}) == ("my_model", {"a": 1})


def test_a_launch_is_refused_where_a_package_claims_a_built_in_name_that_it_uses(install, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    install("own", {"greedy": "mlesearch.optimizers"})
    assert factory("greedy").__module__ == "mlesearch.optimizers.greedy"
    assert "greedy" not in STRATEGIES.plugins()
    with pytest.raises(ConfigError) as error:
        plan([settings("strategy=greedy")], ProcessResources())
    assert one_line(error).startswith("strategy: own 1.0 brings a strategy called 'greedy', which is the name of a bui")
    STRATEGIES.check(["random"])  # another strategy is nobody else's


def test_a_role_is_looked_at_too(install, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    install("own", {"mine": "mlesearch.models"})
    install("theirs", {"mine": "mlesearch.models"})
    with pytest.raises(ConfigError, match=r"^model\.kind: a kind of model called 'mine' is brought by"):
        plan([settings("model.roles.feedback=mine")], ProcessResources())


@pytest.mark.parametrize(
    ("code", "attribute", "words"),
    [
        ("import no_such_library", "make", "(ModuleNotFoundError: No module named 'no_such_library')"),
        ("def make(", "make", "(SyntaxError: "),
        ("raise RuntimeError('first\\nsecond')", "make", "(RuntimeError: first second)"),
        (MAKE, "made", "(AttributeError: "),
        ("make = 7", "make", "is of the type int; see docs/plugins.md"),
    ],
)
def test_what_does_not_load_is_one_line(install, code, attribute, words):
    install("own", {"mine": "mlesearch.optimizers"}, code, attribute)
    with pytest.raises(ConfigError) as error:
        factory("mine")
    text = one_line(error)
    assert text.startswith("strategy: the strategy 'mine' of own 1.0 ")
    assert f"own_module:{attribute}" in text
    assert words in text


def test_a_metric_must_be_one(install, tmp_path):
    install("own", {"mine": "mlesearch.metrics"})
    with pytest.raises(
        ConfigError, match=r"^task\.yaml: the metric 'mine' of own 1\.0 is none: .* of the type function"
    ):
        metrics.find("mine", "task.yaml")


@pytest.mark.parametrize(
    ("code", "asked", "words"),
    [
        (
            "def make():\n    raise OSError('no disk')",
            "own:a",
            "the task source 'own' of own 1.0 can't be made: OSError: no",
        ),
        (
            "class make:\n    def names(self): raise OSError('no net')",
            "own:a",
            "the task source 'own' of own 1.0 can't say which tasks it has: OSError: no net",
        ),
        (
            "class make:\n    def names(self): return ['abc']\n    def folder(self, name): raise OSError('gone')",
            "own:abc",
            "the task source 'own' of own 1.0 has no folder for 'abc': OSError: gone",
        ),
        (
            "class make:\n    def names(self): return ['abc']",
            "own:abd",
            "own has no task 'abd' (did you mean 'abc'?); it has: abc",
        ),
        (
            "from mlesearch.types import ConfigError\nclass make:\n    def names(self): raise ConfigError('set A_KEY')",
            "own:abc",
            "set A_KEY",
        ),
        (MAKE, "owm:abc", "no task source is called 'owm' (did you mean 'own'?); there are: mlebench, synthetic, own"),
    ],
)
def test_a_task_source_that_fails_is_one_line(install, code, asked, words):
    install("own", {"own": "mlesearch.tasks"}, code)
    with pytest.raises(ConfigError) as error:
        folder.load(asked)
    assert words in one_line(error)


def test_a_folder_with_a_colon_is_still_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    with pytest.raises(ConfigError, match=r"task folder a:b: no task\.yaml in it"):
        folder.load("a:b")


def test_groups_offer_plug_ins_that_have_no_file_of_their_name(install):
    install("own", {"mine": "mlesearch.models", "gpt-5": "mlesearch.models", "place": "mlesearch.sandboxes"})
    assert groups.names("model")[-1] == "mine"
    assert groups.names("model").count("gpt-5") == 1
    assert groups.describe("sandbox", "place") == "plug-in of own 1.0"
    s = settings("model=mine", "model.params.a=1", "model.tier=low", "model.roles.ideas=mine", "sandbox=place")
    assert (s.model.name, s.model.kind, s.model.tier, s.model.params) == ("mine", "mine", "low", {"a": 1})
    assert (s.model.roles["ideas"]["kind"], s.sandbox.kind) == ("mine", "place")


def test_the_doctor_finds_what_does_not_load(install):
    install("own", {"mine": "mlesearch.models", "fine": "mlesearch.metrics"}, "import no_such_library")
    install("theirs", {"greedy": "mlesearch.optimizers", "good": "mlesearch.operators"})
    found = {f.subject: f for f in doctor.plugin_findings(REGISTRIES)}
    assert {name: str(f.level) for name, f in found.items()} == {
        "greedy": "error",
        "mine": "error",
        "good": "ok",
        "fine": "error",
    }
    assert found["good"].text == "operator set, plug-in of theirs 1.0"
    assert found["mine"].todo == "install what it needs, or another version of it"
    assert all(f.todo for f in found.values() if f.level is Level.ERROR)


SAYS = """
from dataclasses import dataclass
from mlesearch.optimizers.base import param
from mlesearch.optimizers.describe import Description

@dataclass(frozen=True)
class Settings:
    '''Parameters.

    Attributes:
        speed: how fast.
    '''

    speed: float = param(0.5, low=0.0, high=2.0)

DESCRIPTIONS = (Description("runs away", "nowhere", Settings),)

def make(params, problem, rng):
    return None
"""


def test_a_strategy_of_a_package_is_listed_unloaded_and_told_in_full_as_far_as_it_says(install):
    install("quick", {"hare": "mlesearch.optimizers"}, SAYS)
    install("mute", {"snail": "mlesearch.optimizers"})
    install("torn", {"wreck": "mlesearch.optimizers"}, "def make(")
    lines = list(catalogue.strategy_lines())
    assert [ln for ln in lines if "plug-in" in ln] == [
        "hare  plug-in of quick 1.0", "snail  plug-in of mute 1.0", "wreck  plug-in of torn 1.0",
    ]  # fmt: skip
    assert not {"quick_module", "mute_module"} & set(sys.modules)
    assert list(catalogue.full_strategy_lines("hare")) == [
        "hare  runs away; plug-in of quick 1.0",
        "  source: nowhere",
        "  strategy.params.speed=0.5: a number from 0 to 2",
        "      how fast.",
    ]
    assert list(catalogue.full_strategy_lines("snail")) == [
        "snail  plug-in of mute 1.0",
        "  It does not say what parameters it has; see the documentation of its package.",
    ]
    with pytest.raises(ConfigError) as e:
        list(catalogue.full_strategy_lines("wreck"))
    assert "can't be imported" in one_line(e)


def test_a_strategy_of_a_package_hides_no_file_of_its_name(install):
    """As in a launch, where `strategy=best_of_n` is the file."""
    install("taken", {"best_of_n": "mlesearch.optimizers"})
    assert settings("strategy=best_of_n").strategy.kind == "random"
    found, preset = strategy("best_of_n")
    assert found.kind == "random"
    assert preset is not None
    assert preset in found.presets
