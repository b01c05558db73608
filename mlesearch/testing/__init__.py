"""Conformance suites and stand-ins for authors of plug-ins and for tests.

`optimizer_contract` and `sandbox_contract` are suites to inherit from; `openai_stub` and `scripted_sandbox` stand in
for a provider and a sandbox; `contract_run` makes the sandbox's checks from the command line. May import optimizers,
models and the sandbox. Begin reading at `optimizer_contract`.
"""

import sys

if (_pytest := sys.modules.get("pytest")) is not None:  # failures in the suites then show the values compared
    _pytest.register_assert_rewrite("mlesearch.testing.optimizer_contract", "mlesearch.testing.sandbox_contract")
