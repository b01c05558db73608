"""For authors of plug-ins: suites that a plug-in's tests inherit, and stand-ins for what it stands on.

The suites are `optimizer_contract`, `model_contract` and `sandbox_contract` (`mlesearch sandbox check` makes the last
one's checks, by `contract_run`). The stand-ins are `openai_stub` and `serve` for a provider and `scripted_sandbox`
for a rung. It imports optimizers, models and sandbox; only the command line imports it, and the suites need
`mlesearch[test]`.
"""
