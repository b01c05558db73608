"""A figure for the page is laid out before it is drawn, and comes out as matplotlib would draw it."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from mlesearch.analysis.figures import svg


def made() -> Figure:
    """Two panels with all that asks for room: titles, labels, ticks of unequal width and a legend beside them."""
    fig = svg.figure(svg.WIDTH, 3.0)
    left, right = fig.subplots(1, 2)
    left.plot([0, 1, 2], [0.0, 1234.5, 0.001], label="a long name of a strategy")
    left.set(title="a title", xlabel="steps", ylabel="score")
    right.barh(["one", "a much longer label"], [1, 2])
    fig.legend(loc="outside right upper")
    return fig


def test_it_is_what_savefig_draws_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with svg.drawing():
        found = svg.drawn(made(), "figure", "two panels", simulated=True).svg
        monkeypatch.setattr(svg, "_laid_out", lambda _fig: None)
        assert found == svg.drawn(made(), "figure", "two panels", simulated=True).svg
        bare = made()
        bare.set_layout_engine(None)
        assert found != svg.drawn(bare, "figure", "two panels", simulated=True).svg


def test_it_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[Figure] = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: (times.append(self), draw(self, renderer))[1])
    with svg.drawing():
        fig = made()
        svg.drawn(fig, "figure", "two panels", simulated=True)
    assert times == [fig]
    assert fig.get_layout_engine() is not None  # for whoever draws it in another form
