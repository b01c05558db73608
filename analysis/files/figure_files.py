"""The report's figures as files of their own, SVG and PDF, in the light theme: for papers and slides."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlesearch.analysis.figures import svg
from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.page.section import Figured, Section
from mlesearch.storage.files import make_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

FOLDER = "report_figures"
_CSS = Path(__file__).parents[1] / "page" / "templates" / "report.css"
_COLOURS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
"""What an artist may have a colour for."""


def write_figures(parts: Iterable[Section], folder: Path) -> list[Path]:
    """Draw the figure of each section for a paper, and write it as SVG and as PDF; the same bytes every time.

    A figure of one panel is as wide as one column of two, any other as the text of a page; letters have the same size
    in both.

    Args:
        parts: sections of a page; those without a figure, and with nothing to draw, are left out.
        folder: where the files go.

    Returns:
        The files.

    Raises:
        OSError: they can't be written.
    """
    make_folder(folder)
    files = []
    for part in parts:
        one = Drawn(part.id) if part.figure is None else _drawn(part.figure)
        if one.figure is None:
            continue
        for kind, content in (("svg", standalone(one).encode()), ("pdf", _pdf(one.figure))):
            path = folder / f"{one.name}.{kind}"
            write_atomically(path, content, durable=False)
            files.append(path)
    return files


def _drawn(figure: Figured) -> Drawn:
    """A figure as wide as its panels need."""
    wide = figure(width=svg.TEXT_WIDTH)
    grid = wide.figure.axes[0].get_gridspec() if wide.figure is not None else None
    return wide if grid is None or grid.ncols > 1 else figure(width=svg.COLUMN_WIDTH)


def standalone(drawn: Drawn) -> str:
    """A figure's element as a whole SVG file: in colours of its own, on white."""
    text = re.sub(r"var\((--[a-z]\w*)\)", lambda m: _light()[m[1]] if m[1] in _light() else m[0], drawn.svg)
    text = text.replace("var(--sans)", "'DejaVu Sans', sans-serif")
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text)
    if box is None:
        raise ValueError(f"figure {drawn.name} has no size")
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{box[1]}pt" height="{box[2]}pt" style="background: #ffffff"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text.replace("<svg", head, 1)}\n'


def _pdf(figure: Figure) -> bytes:
    """Draw a figure as PDF, with text as text."""
    with svg.drawing():
        for artist in (figure, *figure.findobj()):
            _settle(artist)
        buffer = io.BytesIO()
        bare = {"Creator": None, "Producer": None, "CreationDate": None}
        figure.savefig(buffer, format="pdf", metadata=bare, facecolor="white")
    return buffer.getvalue()


def _settle(artist: Artist) -> None:
    """Give an artist the colours of the light theme in place of stand-ins."""
    from matplotlib.text import Text

    behind = artist.get_bbox_patch() if isinstance(artist, Text) else None
    if behind is not None:
        _settle(behind)
    for what in _COLOURS:
        get, put = getattr(artist, f"get_{what}", None), getattr(artist, f"set_{what}", None)
        if get is None or put is None:
            continue
        value = get()
        if isinstance(value, np.ndarray) and value.ndim == 2:
            if len(value):
                put([_settled(colour) for colour in value])
        elif value is not None and not isinstance(value, list):
            put(_settled(value))


def _settled(colour: Any) -> object:
    """A colour of the light theme for a stand-in; any other as it is."""
    from matplotlib.colors import to_hex

    if isinstance(colour, str) and not colour.startswith("#"):
        return colour
    variable = svg.VARIABLES.get(to_hex(colour))
    alpha = 1.0 if isinstance(colour, str) else float(np.asarray(colour)[-1])
    if not alpha:
        return "none"  # an artist's own alpha would make it seen
    if variable is None:
        return colour
    return (_light()[variable], alpha)


@lru_cache(maxsize=1)
def _light() -> dict[str, str]:
    """The light theme's colours, by the names of the page's variables."""
    root = _CSS.read_text(encoding="utf-8").partition("}")[0]
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})\b", root))
