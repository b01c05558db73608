"""Behavioural checks for every rung: inherit `SandboxContract` and provide the fixture `sandbox`.

    @pytest.fixture(scope="module")
    def sandbox():
        with closing(MyRung()) as rung:
            yield rung

    class TestMyRung(SandboxContract):
        known_gaps = {"test_memory_file_systems_are_bounded": "what it lacks, in words"}


Each module holds the checks of one subject; `base` is the task that they run programs on. Every hostile program is
bounded: should a rung fail to hold one, the harm is a few hundred short-lived processes, some hundred megabytes or a
file in a temporary folder. None mounts, none needs root, none forks without a count.
"""

from __future__ import annotations

from mlesearch.testing.sandbox_contract.artefacts import ArtefactChecks
from mlesearch.testing.sandbox_contract.data import DataChecks
from mlesearch.testing.sandbox_contract.disk import DiskChecks
from mlesearch.testing.sandbox_contract.isolation import IsolationChecks
from mlesearch.testing.sandbox_contract.leftovers import LeftoverChecks
from mlesearch.testing.sandbox_contract.limits import LimitChecks
from mlesearch.testing.sandbox_contract.memory import MemoryChecks
from mlesearch.testing.sandbox_contract.network import NetworkChecks
from mlesearch.testing.sandbox_contract.ownership import OwnershipChecks
from mlesearch.testing.sandbox_contract.programs import ProgramChecks
from mlesearch.testing.sandbox_contract.traces import TraceChecks


class SandboxContract(
    ArtefactChecks,
    TraceChecks,
    OwnershipChecks,
    NetworkChecks,
    IsolationChecks,
    DataChecks,
    LeftoverChecks,
    DiskChecks,
    MemoryChecks,
    LimitChecks,
    ProgramChecks,  # first: pytest begins with the last base
):
    """What every rung keeps. See the package's docstring for how to use it."""
