"""The report's tables as they stand on the page, in Markdown and in LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap

import pandas as pd

from mlesearch.analysis.page.titles import title_of
from mlesearch.analysis.page.views import TableCell, View

WRAP = 15
"""Characters of a line in a cell."""

NAME_WRAP = 30
"""The same of a name, which is broken only where it is very long."""

TEXT_WIDTH_PT = 341.0
"""Width of the text that tables fit in: 12 cm."""

TEXT_LINES = 42.0
"""Height of a page's text that tables fit in, in lines of 10 pt."""

LETTERS = 60
"""Letters of a line of a caption."""

_GAP_PT = 6.0
"""Between two columns."""

_SIZES = (("", 1.0), (r"\small", 0.925), (r"\footnotesize", 0.85), (r"\scriptsize", 0.8))
"""Sizes of letters with the width of a letter of each, as a share of that of 10 pt."""

_LETTERS_PT = (
    (3.0, "ijl.,:;'!|"),
    (4.2, " -()[]/frstI"),
    (5.1, "0123456789aceogz–"),
    (8.4, "mwMW%−±≤≥×@&"),
    (7.7, "ABCDEFGHJKLNOPQRSTUVXYZ+=<>"),
)
"""Widths of letters of Computer Modern, 10 pt, from above; all others have the width of `n`."""

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

    Long texts and second lines of cells stand below each other in rows of their own. Letters are as small as the
    table's width asks for; one that is too wide for a text of 12 cm even so is printed in parts, each with the names,
    and one that is too high for a page in several.
    """
    names = sum(cell.kind == "name" for cell in view.rows[0]) if view.rows else 1
    head = [wrap(_one_line(text), WRAP) for text in view.heads]
    rows = [[_lines(cell) for cell in row] for row in view.rows]
    columns = zip(head, *rows, strict=False)
    widths = [max(_width_pt(line) for lines in column for line in (*lines, "")) for column in columns]
    size, share = next((size for size in _SIZES if _fits(widths, size[1])), _SIZES[-1])
    caption = latex(_caption(view, simulated=simulated))
    room = TEXT_LINES / share - 2
    pieces: list[tuple[float, str]] = []
    for part in _parts([width * share for width in widths], names):
        own_head = [head[c] for c in part]
        top = 1 + max(map(len, own_head))
        for chunk in _chunks([[row[c] for c in part] for row in rows], room - top - len(caption) / LETTERS):
            lines = top + sum(_height(row) for row in chunk)
            pieces.append((lines, _tabular(own_head, chunk, names)))
    setting = rf"{size}\setlength{{\tabcolsep}}{{{_GAP_PT / 2:.0f}pt}}"
    floats: list[str] = []
    left = 0.0
    for lines, tabular in pieces:
        if lines <= left:
            floats[-1] += f"\n\n\\medskip\\noindent\n{tabular}"
        else:
            said, label = (caption, rf"\label{{tab:{view.name}}}") if not floats else (_continued(view), "")
            left = room - len(said) / LETTERS
            floats.append("\n".join(part for part in (rf"\caption{{{said}}}", label, setting, tabular) if part))
        left -= lines + 1
    return "\n".join(f"\\begin{{table}}[htbp]\n{text}\n\\end{{table}}\n" for text in floats)


def _continued(view: View) -> str:
    return latex(f"{title_of(view.name)}, continued.")


def _height(row: Sequence[Sequence[str]]) -> float:
    """Of a row of cells, in lines."""
    return 0.2 + max((len(cell) for cell in row), default=1)


def _chunks(rows: Sequence[list[list[str]]], most: float) -> Iterator[list[list[list[str]]]]:
    """The rows in groups that are at most so many lines high, one row at least; one group without rows."""
    chunk: list[list[list[str]]] = []
    for row in rows:
        if chunk and sum(map(_height, (*chunk, row))) > most:
            yield chunk
            chunk = []
        chunk.append(row)
    yield chunk


def _tabular(head: Sequence[Sequence[str]], rows: Sequence[Sequence[Sequence[str]]], names: int) -> str:
    """Some columns as one tabular, the first of them names."""
    sides = "l" * names + "r" * (len(head) - names)
    between = [r"\addlinespace[2pt]"] if any(len(cell) > 1 for row in rows for cell in row) else []
    body = [line for row in rows for line in (*between, *_printed(row))][len(between) :]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{@{{}}{sides}@{{}}}}",
            r"\toprule",
            *_printed([[""] * (max(map(len, head)) - len(lines)) + [*lines] for lines in head]),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _fits(widths_pt: Sequence[float], share: float = 1.0) -> bool:
    """Whether columns fit beside each other."""
    return share * sum(widths_pt) + _GAP_PT * (len(widths_pt) - 1) <= TEXT_WIDTH_PT


def _parts(widths_pt: Sequence[float], names: int) -> list[list[int]]:
    """The places of the columns of each part: the names, and as many others as fit, one at least."""
    parts: list[list[int]] = [[*range(names)]]
    for column in range(names, len(widths_pt)):
        if len(parts[-1]) > names and not _fits([widths_pt[c] for c in (*parts[-1], column)]):
            parts.append([*range(names)])
        parts[-1].append(column)
    return parts


def _width_pt(line: str) -> float:
    """About how wide a line is in letters of 10 pt, rather too wide than too narrow."""
    return sum(
        next((width for width, letters in _LETTERS_PT if c in letters), 5.6 if c.isascii() else 10.0) for c in line
    )


def _lines(cell: TableCell) -> list[str]:
    """What stands below each other in a cell: a name in one piece where it can be, all else broken."""
    text = _one_line(cell.text)
    return [*wrap(text, NAME_WRAP if cell.kind == "name" else WRAP), *wrap(_one_line(cell.sub), WRAP)]


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
