"""Studies of odd kinds, each with what its report must say and must not say, or why it is refused.

Key words are looked for, not whole sentences. To add a kind: a line in the table of its file.
"""

from __future__ import annotations

from tests.support.edge_kinds import claims, lost_runs, measures, shapes
from tests.support.edge_studies import EdgeStudy

STUDIES: dict[str, EdgeStudy] = {**shapes.STUDIES, **lost_runs.STUDIES, **claims.STUDIES, **measures.STUDIES}
