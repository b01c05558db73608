"""Every pair of colours that the page puts upon each other, in both themes, by the contrast ratio of WCAG 2.2."""

import re

import pytest

from tests.support.paths import ROOT

CSS = (ROOT / "analysis/page/templates/report.css").read_text(encoding="utf-8")
GROUNDS = ("card", "page", "hover", "band")
"""What text and marks stand on: a section, the page, a table's row under the pointer, a group in the trend's figure."""

TEXTS = ("ink", "muted", "accent", "plus", "minus", "sim", "yes", "no")
MARKS = ("open", *(f"s{i}" for i in range(8)), *(f"p{i}" for i in range(8)))
"""Lines, bars and dots, for which 3 to 1 is asked for."""


def rgb(text):
    return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))


def mixed(over, under, share):
    return tuple(share * a + (1 - share) * b for a, b in zip(over, under, strict=True))


def luminance(colour):
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ratio(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def theme(name):
    start = CSS.index(":root", CSS.index("prefers-color-scheme: dark") if name == "dark" else 0)
    block = CSS[start : CSS.index("}", start)]
    colours = {key: rgb(value) for key, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", block)}
    share = int(re.search(r"color-mix\(in srgb, var\(--accent\) (\d+)%", CSS)[1]) / 100
    colours["hover"] = mixed(colours["accent"], colours["card"], share)
    colours["band"] = mixed(colours["rule"], colours["card"], 0.45)
    return colours


def test_the_ratio_is_that_of_the_standard():
    assert ratio(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)
    assert ratio(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.005)  # the known near miss of AA


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_can_be_read(name):
    colours = theme(name)
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS] + [("sim", "sim-bg")]
    found = {pair: ratio(*(colours[c] for c in pair)) for pair in pairs}
    print(name, min(found, key=found.get), round(min(found.values()), 2))
    assert {pair: round(value, 2) for pair, value in found.items() if value < 4.5} == {}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_marks_can_be_told_from_the_ground(name):
    colours = theme(name)
    found = {mark: ratio(colours[mark], colours["card"]) for mark in (*MARKS, "plus", "minus", "sim", "accent")}
    assert {mark: round(value, 2) for mark, value in found.items() if value < 3} == {}


def test_no_text_is_made_paler_than_its_colour():
    """Opacity would take contrast away that the pairs above do not show."""
    assert re.findall(r"opacity: (?!1\b)[^;]+", CSS) == []
