"""Tails and quantiles of Student's t, of F and of the normal distribution: what scipy's distributions call themselves.

The distributions check and reshape their arguments at every call, which takes some hundred times as long as the number,
and loading them takes as long as all else that a small report needs.
"""

from __future__ import annotations

import math
from typing import Any

from scipy import special


def t_above(t: Any, df: Any) -> Any:
    """P(T > t) with `df` degrees of freedom; arrays and numbers alike."""
    return special.stdtr(df, -t)


def t_below(t: Any, df: Any) -> Any:
    """P(T < t) with `df` degrees of freedom."""
    return special.stdtr(df, t)


def t_quantile(share: Any, df: Any) -> Any:
    """The value below which T lies with this probability."""
    return special.stdtrit(df, share)


def f_above(ratio: float, above: float, below: float) -> float:
    """P(F > ratio) with so many degrees of freedom of the numerator and the denominator."""
    return float(special.fdtrc(above, below, ratio))


def normal_upper_quantile(share: float) -> float:
    """The value above which a standard normal variable lies with this probability."""
    return float(-special.ndtri(share))


def normal_density(z: float) -> float:
    """Of the standard normal distribution."""
    return math.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi)
