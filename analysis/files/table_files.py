"""The report's tables as they stand on the page, in Markdown and in LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from mlesearch.analysis.page.titles import title_of
from mlesearch.analysis.page.views import View

_IN_MATHS: Mapping[str, str] = {
    "±": r"$\pm$",
    "−": "$-$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "Δ": r"$\Delta$",
    "–": "--",
    "…": r"\ldots{}",
    "\u00a0": "~",
    "\u202f": r"\,",
}
"""What plain LaTeX writes in its own way, after escaping."""


def markdown(view: View, *, simulated: bool) -> str:
    """A table of the page as a pipe table, its caption below."""
    frame = _frame(view)
    rows = [[*map(str, frame.columns)], ["---"] * len(view.heads), *frame.to_numpy(dtype=str).tolist()]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([*lines, "", _caption(view, simulated=simulated), ""])


def booktabs(view: View, *, simulated: bool) -> str:
    r"""A table of the page for LaTeX: needs \usepackage{booktabs}; the caption is the page's."""
    names = sum(cell.kind == "name" for cell in view.rows[0]) if view.rows else 1
    text: str = _frame(view).to_latex(
        index=False,
        escape=True,
        column_format="l" * names + "r" * (len(view.heads) - names),
        caption=_escaped(_caption(view, simulated=simulated)),
        label=f"tab:{view.name}",
        position="htbp",
    )
    return _in_latex(text)


def latex(text: str) -> str:
    """A text of the page as LaTeX."""
    return _in_latex(_escaped(_one_line(text)))


def _frame(view: View) -> pd.DataFrame:
    cells = [[f"{cell.text} {cell.sub}".strip() for cell in row] for row in view.rows]
    return pd.DataFrame([[_one_line(cell) for cell in row] for row in cells], columns=list(view.heads), dtype=str)


def _caption(view: View, *, simulated: bool) -> str:
    said = f"{title_of(view.name)}. {_one_line(view.caption)}"
    return f"Simulated engineers, not language models. {said}" if simulated else said


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _escaped(text: str) -> str:
    """As pandas escapes cells; it leaves captions as they are."""
    text = text.replace("\\", r"\textbackslash ")
    text = re.sub(r"([&%$#_{}])", r"\\\1", text)
    return text.replace("~", r"\textasciitilde ").replace("^", r"\textasciicircum ")


def _in_latex(text: str) -> str:
    return "".join(_IN_MATHS.get(character, character) for character in text)
