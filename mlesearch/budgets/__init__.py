"""What may be spent: by one run, and by all processes of a study together.

May import types, storage and models. Begin with `meter` (one run: steps, time, tokens, US dollars), then `shared`
(money that processes spend together, in a small database), `ledger` and `allotted` (the same for machines that share a
folder alone), `place` (which of them a study has) and `paid` (models whose every call is paid from it).
"""
