"""For authors of plug-ins: suites that a plug-in's tests inherit, and stand-ins for what it stands on.

The suites are `optimizer_contract`, `model_contract` and `sandbox_contract` (`mlesearch sandbox check` makes the last
one's checks, by `contract_run`). The stand-ins are `openai_stub` and `serve` for a provider and `scripted_sandbox`
for a rung. Begin with the suite of what you write. It may import optimizers, models and sandbox; only the command
line imports it, and the suites need `mlesearch[test]`.
"""

import sys

if (_pytest := sys.modules.get("pytest")) is not None:  # failures in the suites then show the values compared
    _pytest.register_assert_rewrite(*(f"{__name__}.{suite}_contract" for suite in ("optimizer", "model", "sandbox")))
