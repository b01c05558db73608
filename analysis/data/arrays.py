"""The types of arrays that all of the analysis computes with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Sums = Ints | Floats
"""Sums over runs: of successes, whole numbers; or of a measure's values."""
Flags = npt.NDArray[np.bool_]
