"""Figures as inline SVG that follows the page's theme and is the same bytes every time.

Colours are drawn as stand-ins and replaced by CSS variables of the page, so that one figure serves light and dark.
"""

from __future__ import annotations

import io
import re
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # matplotlib is loaded where something is drawn: a page is checked without it
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

INK, MUTED, GRID, PAPER, PLUS, MINUS = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05", "#0a0b06"
WIDTH = 9.6
"""Width of a figure of the page, in inches."""

TEXT_WIDTH, COLUMN_WIDTH = 6.9, 3.35
"""Widths of figures for papers, in inches: of a page's text, and of one column of two, for those of one panel."""

SERIES = tuple(f"#0a0c0{i}" for i in range(8))
"""Stand-ins of the eight colours of strategies."""

PARTS = tuple(f"#0a0d0{i}" for i in range(8))
"""Stand-ins of the eight colours of the parts of a whole, none of them a strategy's."""

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--rule",
    PAPER: "--card",
    PLUS: "--plus",
    MINUS: "--minus",
    **{colour: f"--s{i}" for i, colour in enumerate(SERIES)},
    **{colour: f"--p{i}" for i, colour in enumerate(PARTS)},
}
"""The page's variable of each stand-in."""

STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mlesearch",
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "hatch.linewidth": 1.1,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.unicode_minus": True,
    "text.usetex": False,
    "text.parse_math": False,  # a name with two dollar signs is a name
    "path.simplify": True,
}
"""matplotlib settings in force while a figure is made and drawn."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure, drawn.

    Attributes:
        name: unique on the page.
        svg: the element for the page; empty when there is nothing to draw.
        figure: of matplotlib, in stand-ins for colours; None when there is nothing to draw.
    """

    name: str
    svg: str = ""
    figure: Figure | None = None


def import_drawing() -> None:
    """Import what figures are drawn with, before one is: most of a second of a processor."""
    from matplotlib import figure, patches, ticker  # noqa: F401
    from matplotlib.backends import backend_svg  # noqa: F401


def figure(width: float, height: float) -> Figure:
    """An empty figure, size in inches, laid out by constraints."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


_PLACES = re.compile(r' (?:d|x|y|transform|points|viewBox)="[^"]*"')
_FINE = re.compile(r"(\.\d\d)\d+")
"""Digits beyond hundredths of a point, which nobody sees."""

SIMULATED = "simulated engineers, not language models"
"""What a figure of a simulated study says in its corner, wherever it is copied to."""


def drawn(fig: Figure, name: str, alt: str, *, simulated: bool) -> Drawn:
    """A figure with its `<svg>` element.

    Args:
        fig: drawn under `STYLE`.
        name: unique on the page; prefixes every id inside.
        alt: what the figure shows, for those who do not see it.
        simulated: whether its study is; then the figure says so, in ink and in words.
    """
    if simulated:
        fig.supxlabel(SIMULATED, x=0.995, ha="right", fontsize=7, color=MUTED)
        alt = f"Simulated: {alt}"
    buffer = io.StringIO()
    with warnings.catch_warnings():  # texts are drawn by the reader's browser, with fonts of its own
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        _laid_out(fig)
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        fig.set_layout_engine("constrained")
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href=", "href=")
    text = re.sub(r' id="([^"]+)"', rf' id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r' id="[^"]+-(?:figure|axes|patch|text|line2d|legend|matplotlib\.axis|xtick|ytick)_\d+"', "", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    text = _PLACES.sub(lambda found: _FINE.sub(r"\1", found[0]), text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(r"\n\s*", "\n", text)
    head = f'<svg role="img" aria-label="{escape(alt, quote=True)}" class="plot"'
    head += ' data-simulated="true"' if simulated else ""
    return Drawn(name, re.sub(r'<svg width="[^"]*" height="[^"]*"', head, text, count=1).strip(), fig)


def _laid_out(fig: Figure) -> None:
    """Lay a figure out for an SVG file: `savefig` would draw all of it once for that alone."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    FigureCanvasSVG(fig)  # widths of texts are its own, at 72 points an inch
    fig.dpi = 72
    engine = fig.get_layout_engine()
    if engine is not None:
        engine.execute(fig)
    fig.set_layout_engine(None)  # "none" leaves a placeholder, for which `savefig` draws twice, too


def drawing() -> AbstractContextManager[None]:
    """The settings in which figures are made and drawn, as a context."""
    import matplotlib as mpl

    return mpl.rc_context(STYLE)
