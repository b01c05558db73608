"""Runs programs that a model wrote, contained, with the same words on every machine for what went wrong.

It imports `mlesearch.types` and `mlesearch.storage`, and nothing that knows of strategies, models or budgets. Begin
with `protocol` (what a sandbox is to the rest of the package), then `ladder` (which rung a machine can have). `rungs`
start sandboxes, `inside` is what runs in them beside the program, `results` makes an `ExecResult` of what that
reports; `gpu` leases GPUs, `recorded` answers from a store, and docs/sandbox.md says what is promised.
"""
