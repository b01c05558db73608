"""The agent's four files: as MLE-bench's registry reads them, and put into a clone of it without harm."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from mlesearch.tasks.mlebench.agent_files import FILES, write_agent
from mlesearch.types import ConfigError


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/registry.py").write_text("")
    return tmp_path


def test_they_go_into_a_clone_and_are_what_its_registry_takes(clone: Path) -> None:
    folder = write_agent(clone)
    assert folder == clone / "agents/mlesearch"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    agents = yaml.safe_load((folder / "config.yaml").read_text())
    assert {"mlesearch", "mlesearch/dev"} <= set(agents)
    for name in ("mlesearch", "mlesearch/dev"):
        agent = agents[name]
        assert (clone / "agents" / agent["start"]).is_file()
        assert (clone / "agents" / agent["dockerfile"]).is_file()
        assert agent["kwargs_type"] == "omegaconf"
        assert int(agent["env_vars"]["TIME_LIMIT_SECS"]) > 0
    assert (folder / "Dockerfile").read_text().splitlines()[1] == "FROM mlebench-env"
    assert subprocess.run(["bash", "-n", folder / "start.sh"], check=False).returncode == 0
    assert write_agent(clone) == folder


def test_other_files_there_and_what_is_no_clone_are_refused(clone: Path, tmp_path: Path) -> None:
    (write_agent(clone) / "start.sh").write_text("mine")
    with pytest.raises(ConfigError, match=r"start.sh is there already and differs"):
        write_agent(clone)
    with pytest.raises(ConfigError, match="no clone of openai/mle-bench"):
        write_agent(tmp_path / "agents")


def test_start_sh_ends_with_two_and_calls_nothing_where_the_competition_is_unknown(tmp_path: Path) -> None:
    """Wrong input stays wrong, so it is not tried again: one call, whose words it hands on."""
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "python").write_text('#!/bin/bash\nprintf "%s\\n" "$@" >> "$CALLS"\nexit 2\n')
    (bin / "python").chmod(0o755)
    folders = {f"{name}_DIR": str(tmp_path / name.lower()) for name in ("SUBMISSION", "LOGS", "CODE", "DATA")}
    environment = {**folders, "CALLS": str(tmp_path / "calls"), "PATH": f"{bin}:{os.environ['PATH']}"}
    environment |= {"TIME_LIMIT_SECS": "100", "METRIC": "my loss", "DIRECTION": "minimize", "PAUSE_S": "0"}
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/registry.py").write_text("")
    start = write_agent(tmp_path) / "start.sh"
    done = subprocess.run(["bash", start, "sandbox.memory_gib=8"], env=environment, check=False, capture_output=True)
    assert done.returncode == 2, done.stderr
    said = (tmp_path / "calls").read_text().splitlines()
    assert said.count("solve") == 1
    assert said[:4] == ["-m", "mlesearch", "solve", str(tmp_path / "data")]
    assert said[said.index("--metric") + 1] == "my loss"
    assert said[said.index("--time") + 1] == "98s"
    assert said[-1] == "sandbox.memory_gib=8"
