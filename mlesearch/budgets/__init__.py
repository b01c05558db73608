"""What may be spent: by one run, and by all processes of a study together.

May import types, storage and models. Begin with `meter` (one run: steps, time, tokens, US dollars), then `shared`
(money that processes spend together, in a small database), `paid` (models whose every call is paid from it) and
`partition` (how a study's money is split among machines).
"""
