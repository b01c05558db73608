"""Names of models short enough for a figure, and still told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def short_names(names: Sequence[str], width: int = 22) -> tuple[str, ...]:
    """Each name without its provider, cut in the middle where it is long.

    What tells two names apart is kept: of `azure/gpt-5` and `openai/gpt-5` the provider, of two long ones as many
    characters as it takes.

    Args:
        names: all different.
        width: characters, at most where that tells them apart.
    """
    parts = [name.split("/") for name in names]
    kept = [1] * len(names)
    while True:
        tails = ["/".join(p[-k:]) for p, k in zip(parts, kept, strict=True)]
        twice = {tail for tail, n in Counter(tails).items() if n > 1}
        longer = [i for i, tail in enumerate(tails) if tail in twice and kept[i] < len(parts[i])]
        if not longer:
            break
        for i in longer:
            kept[i] += 1
    most = max((len(tail) for tail in tails), default=0)
    while width < most and len({_cut(tail, width) for tail in tails}) < len(set(tails)):
        width += 2
    return tuple(_cut(tail, width) for tail in tails)


def _cut(text: str, width: int) -> str:
    """At most `width` characters, with what stands in the middle left out."""
    if len(text) <= width:
        return text
    end = (width - 1) // 3
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
