"""Limits on calls, kept together by all processes of a study: requests and tokens a minute, calls in flight, breakers.

May import types, storage and of `mlesearch.models` the protocol and `attempt`. Begin with `gate` (where a call waits),
then `counters` (the database that processes share) and its tables: `windows` for the limits, `breakers` for models that
fail. `place` says where the database is, `combining` lets threads ask it together.
"""
