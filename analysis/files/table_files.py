"""The report's tables as they stand on the page, in Markdown and in LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap

import pandas as pd

from mlesearch.analysis.page.titles import title_of
from mlesearch.analysis.page.views import TableCell, View

WRAP = 15
"""Characters of a line in a cell."""

_SIZES = ((62, ""), (74, r"\small"), (86, r"\footnotesize"), (10**9, r"\scriptsize"))
"""Characters of a row up to which letters have a size, for a text of some 12 cm."""

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
    r"""A table of the page for LaTeX: needs \usepackage{booktabs}; the caption is the page's.

    Long texts and second lines of cells stand below each other in rows of their own, and letters are as small as the
    table's width asks for.
    """
    names = sum(cell.kind == "name" for cell in view.rows[0]) if view.rows else 1
    sides = "l" * names + "r" * (len(view.heads) - names)
    head = [wrap(_one_line(text), WRAP) for text in view.heads]
    rows = [[_lines(cell) for cell in row] for row in view.rows]
    width = sum(2 + max(len(line) for lines in column for line in (*lines, "")) for column in zip(head, *rows))  # noqa: B905
    size = next(command for most, command in _SIZES if width <= most)
    between = [r"\addlinespace[2pt]"] if any(len(cell) > 1 for row in rows for cell in row) else []
    body = [line for row in rows for line in (*between, *_printed(row))][len(between) :]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            rf"\caption{{{latex(_caption(view, simulated=simulated))}}}",
            rf"\label{{tab:{view.name}}}",
            rf"{size}\setlength{{\tabcolsep}}{{3pt}}",
            rf"\begin{{tabular}}{{@{{}}{sides}@{{}}}}",
            r"\toprule",
            *_printed([[""] * (max(map(len, head)) - len(lines)) + lines for lines in head]),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _lines(cell: TableCell) -> list[str]:
    """What stands below each other in a cell: a name in one piece, all else broken."""
    text = _one_line(cell.text)
    return [*([text] if cell.kind == "name" else wrap(text, WRAP)), *wrap(_one_line(cell.sub), WRAP)]


def _printed(row: Sequence[Sequence[str]]) -> list[str]:
    """A row of cells as rows of LaTeX."""
    return [" & ".join(map(latex, line)) + r" \\" for line in zip_longest(*row, fillvalue="")]


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
