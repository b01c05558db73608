"""What `mlesearch strategies` says is what the code says: every strategy, preset and parameter."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import dataclass

import pytest
import yaml

from mlesearch.cli import catalogue
from mlesearch.config.catalogue.strategies import presets, strategies, strategy
from mlesearch.optimizers.base import STRATEGIES, param, read_params
from mlesearch.optimizers.describe import Parameter, described, parameters
from mlesearch.types import ConfigError
from tests.support.paths import DOCS, ROOT

FILES = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "conf" / "strategy").glob("*.yaml"))]


@dataclass(frozen=True)
class Everything:
    """Parameters.

    Attributes:
        switch: whether it is on,
            or not.
        count: how many.
        share: how much: of all.
        most: at most.
        free: anything.
        word: which one.

    Notes:
        share: not this.
    """

    switch: bool = param(False)
    count: int = param(3, low=1)
    share: float = param(0.5, low=0.0, high=1.0)
    most: float = param(1e-4, high=2.0)
    free: int = param(0)
    word: str = param("a", choices=("a", "b"))
    unsaid: bool = param(True)


def test_parameters_by_hand():
    assert parameters(Everything) == [
        Parameter("switch", "off", "on or off", "whether it is on, or not."),
        Parameter("count", "3", "a whole number of at least 1", "how many."),
        Parameter("share", "0.5", "a number from 0 to 1", "how much: of all."),
        Parameter("most", "0.0001", "a number of at most 2", "at most."),
        Parameter("free", "0", "a whole number", "anything."),
        Parameter("word", "a", "a or b", "which one."),
        Parameter("unsaid", "on", "on or off", ""),
    ]


@pytest.mark.parametrize("p", parameters(Everything), ids=lambda p: p.name)
def test_what_is_said_to_be_allowed_is_what_an_error_says(p):
    with pytest.raises(ConfigError) as e:
        read_params("mine", Everything, {p.name: [1]})
    assert str(e.value) == f"strategy.params.{p.name}: mine takes {p.allowed} here, not [1]"


@pytest.mark.parametrize("s", strategies(), ids=lambda s: s.kind + "".join(map(str, (s.given or {}).values())))
def test_every_built_in_says_all_of_itself(s):
    assert s.idea
    assert "\n" not in s.idea
    assert s.parameters
    for p in s.parameters:
        assert p.meaning.endswith("."), f"{s.kind}: {p.name} has no meaning in its settings' docstring"
        assert p.default
    text = (DOCS / "strategies.md").read_text()
    sources = [word.strip(",;.()") for word in s.source.split() if "arXiv:" in word or "github.com" in word]
    assert sources
    for source in sources:
        assert source in text, f"{source} is not in strategies.md"


def test_every_strategy_and_every_file_is_listed_once():
    listed = strategies()
    assert list(dict.fromkeys(s.kind for s in listed)) == list(STRATEGIES.builtin)
    names = [p.name for s in listed for p in s.presets]
    assert sorted(names) == sorted(conf["name"] for conf in FILES)
    assert {p.name: p.kind for p in presets()} == {conf["name"]: conf["kind"] for conf in FILES}


def test_a_factory_of_two_variants_gives_each_its_own_presets():
    aira, ml_master = (s for s in strategies() if s.kind == "mcts")
    assert ([p.name for p in aira.presets], [p.name for p in ml_master.presets]) == (["mcts"], ["ml_master"])
    assert strategy("ml_master")[0] == ml_master
    assert strategy("mcts")[0] == aira


def test_the_list_shows_every_parameter_with_default_and_range():
    text = "\n".join(catalogue.strategy_lines())
    for kind in STRATEGIES.builtin:
        for d in described(STRATEGIES.load(kind)):
            assert d.idea in text
            assert f"  source: {d.source}\n" in text
            for f in dataclasses.fields(d.settings):
                low, high = f.metadata["low"], f.metadata["high"]
                shown = text[text.index(d.idea) :]
                at = shown.index(f" {f.name}=")
                entry = shown[at : shown.index(")", at)]
                for limit in (low, high):
                    assert limit is None or f"{limit:g}" in entry, entry
                for choice in f.metadata["choices"]:
                    assert choice in entry
    for conf in FILES:
        assert f"\n  {conf['name']:14} " in text
    assert max(map(len, text.splitlines())) < 140


def test_a_preset_in_full_by_hand():
    lines = list(catalogue.full_strategy_lines("aira_greedy"))
    assert lines[0] == "greedy  a few drafts, then debug a buggy leaf now and then, else improve the best program"
    assert lines[1] == "  family: tree search"
    assert lines[2].startswith("  source: AIDE: Jiang et al. 2025, arXiv:2502.13138")
    assert lines[3].startswith("  preset aira_greedy: AIRA-dojo's greedy")
    at = lines.index("  strategy.params.max_debug_depth=20: a whole number of at least 0, by default 3")
    assert lines[at + 1] == "      a buggy leaf is debugged while its depth is at most this (3: four debugs in a row)."
    assert "  strategy.params.num_drafts=5: a whole number of at least 1" in lines
    assert lines[-1].startswith("  preset greedy: AIDE's tree")


def test_an_unknown_name_is_one_line():
    with pytest.raises(
        ConfigError, match=r"^no strategy is called 'greddy' \(did you mean 'greedy'\?\); there are: "
    ) as e:
        strategy("greddy")
    assert "\n" not in str(e.value)


@dataclass
class Own:
    """Parameters.

    Attributes:
        needed: what it must be told.
    """

    needed: int
    plain: float = 1234567.0
    names: list[str] = dataclasses.field(default_factory=list)


def test_settings_that_are_not_made_by_param_are_listed_as_far_as_they_say():
    assert parameters(Own) == [
        Parameter("needed", "", "", "what it must be told."),
        Parameter("plain", "1234567.0", "", ""),
        Parameter("names", "", "", ""),
    ]
    assert parameters(int) == []


def test_the_list_loads_no_heavy_package():
    code = (
        "import sys\nfrom mlesearch.cli.main import main\nmain(['strategies'])\nmain(['strategies', 'gome'])\n"
        "heavy = {'pandas', 'sklearn', 'scipy', 'hydra', 'omegaconf', 'litellm', 'joblib', 'torch'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "strategy.params.n_traces=3" in done.stdout
