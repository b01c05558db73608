"""As the real one does, importing this makes a folder `cache` in the working directory."""

from __future__ import annotations

from pathlib import Path

Path("cache").mkdir(exist_ok=True)
