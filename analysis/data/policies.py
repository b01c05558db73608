"""What is done with runs without a result, by name; `mlesearch.analysis.data.tables.apply_policy` does it."""

from __future__ import annotations

from typing import Literal, get_args

Policy = Literal["fail", "drop_task", "drop_seed"]
"""What is done with missing runs."""

POLICIES: tuple[Policy, ...] = get_args(Policy)
