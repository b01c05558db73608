"""Where things lie in the checkout."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SUPPORT = Path(__file__).parent
DATA = ROOT / "tests" / "data"
SHARED = Path(os.environ.get("MLESEARCH_SHARED") or ROOT.parent / "shared")
"""Reference data that is handed to developers beside the checkout; it may be absent."""
