"""Figures and tables as files of their own: whole, in colours of their own, and the same bytes every time."""

import re
import shutil
import subprocess
import zlib
from xml.etree import ElementTree

import pytest

from mlesearch.analysis.data.tables import read
from mlesearch.analysis.files import table_files
from mlesearch.analysis.page.views import TableCell, View
from mlesearch.analysis.report import report_place, write_results
from mlesearch.analysis.results import analyse
from tests.support.large_study import Shape, large
from tests.support.synthetic_study import synthetic, write
from tests.support.undrawn import undrawn

FIGURES = ["budgets", "capability", "cost", "dynamics", "failures", "gaps", "mechanism", "rates"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = write(synthetic(models=3, tasks=3, seeds=2), tmp_path_factory.mktemp("study"))
    with undrawn():
        for out in (folder, folder / "again"):
            write_results(analyse(read(folder)), folder, report_place(folder, out), figures_too=True)
    return folder


def test_every_figure_is_there_as_svg_and_pdf_the_same_twice(made):
    files = sorted(path.name for path in (made / "report_figures").iterdir())
    assert files == sorted(f"{name}.{kind}" for name in FIGURES for kind in ("pdf", "svg"))
    for name in files:
        assert (made / "report_figures" / name).read_bytes() == (made / "again/report_figures" / name).read_bytes()
    assert (made / "report.html").read_bytes() == (made / "again/report.html").read_bytes()


@pytest.mark.parametrize("name", FIGURES)
def test_an_svg_stands_alone(made, name):
    text = (made / "report_figures" / f"{name}.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert float(root.attrib["width"].removesuffix("pt")) > 100
    assert "var(" not in text
    assert "#0a0" not in text
    assert "simulated engineers, not language models" in text


@pytest.mark.parametrize("name", FIGURES)
def test_a_pdf_has_no_stand_in_for_a_colour(made, name):
    data = (made / "report_figures" / f"{name}.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    starts = [m.end() for m in re.finditer(rb"stream\r?\n(?=x)", data)]
    said = b"".join(zlib.decompressobj().decompress(data[at:]) for at in starts).decode("latin-1")
    colours = {
        tuple(round(255 * float(v)) for v in m)
        for m in re.findall(r"([\d.]+)\s+([\d.]+)\s+([\d.]+)\s+(?:rg|RG)\b", said)
    }
    assert len(colours) > 2
    assert {c for c in colours if c[0] == 10 and c[1] in (11, 12, 13) and c[2] < 16} == set()
    assert b"CreationDate" not in data


def test_tables_are_there_in_three_forms(made):
    names = {path.stem for path in (made / "report_tables").glob("*.md")}
    assert {"medals", "gaps-main", "cost"} <= names
    assert {path.stem for path in (made / "report_tables").glob("*.tex")} == names
    lines = (made / "report_tables/medals.md").read_text(encoding="utf-8").split("\n")
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert lines[-2].startswith("Simulated engineers, not language models. ")


ODD = View(
    "odd",
    "50 % of $x_1$ ± 2 {n}, \\input{~/x}",
    ("model", "a|b & c"),
    ((TableCell("m_1 #2", kind="name"), TableCell("−3.5 ± 1.0", sub="≤ 5 %")),),
)


def test_odd_characters_are_escaped():
    assert table_files.markdown(ODD, simulated=False).split("\n")[:3] == [
        r"| model | a\|b & c |",
        "| --- | --- |",
        "| m_1 #2 | −3.5 ± 1.0 ≤ 5 % |",
    ]
    text = table_files.booktabs(ODD, simulated=True)
    assert r"m\_1 \#2 & $-$3.5 $\pm$ 1.0 \\" + "\n & $\\leq$ 5 \\% \\" in text
    assert r"\caption{Simulated engineers, not language models. Odd. 50 \% of \$x\_1\$ $\pm$ 2 \{n\}" in text
    assert r"a|b \& c" in text
    assert r"\begin{tabular}{@{}lr@{}}" in text


def test_a_table_too_wide_for_a_text_is_printed_in_parts_that_all_have_the_names():
    heads = ("model", "strategy", *(f"figure {i}" for i in range(40)))
    row = (TableCell("m", kind="name"), TableCell("s", kind="name"), *(TableCell(f"{i}.25 of {i}") for i in range(40)))
    text = table_files.booktabs(View("odd", "c", heads, (row, row)), simulated=False)
    assert 1 < text.count(r"\begin{tabular}{@{}ll") == text.count("model & strategy &") == text.count(r"\end{tabular}")
    assert text.count(r"\label{tab:odd}") == 1
    printed = re.findall(r"(\d+)\.25 of", text)
    assert sorted(map(int, printed)) == sorted([*range(40), *range(40)])


def test_a_table_too_high_for_a_page_goes_on_in_others():
    rows = tuple((TableCell(f"row {i}", kind="name"), TableCell(str(i))) for i in range(200))
    text = table_files.booktabs(View("odd", "c", ("model", "n"), rows), simulated=False)
    assert text.count(r"\begin{table}") == text.count(r"\caption{") == 1 + text.count(r"\caption{Odd, continued.}") > 3
    assert re.findall(r"row (\d+) &", text) == [str(i) for i in range(200)]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
@pytest.mark.parametrize("kind", ["made", "wide"])
@pytest.mark.usefixtures("undrawn")
def test_latex_takes_every_table_into_a_text_of_12_cm(made, tmp_path, kind):
    """None is wider than the text, and none higher than a page, where rows would be lost."""
    folder = made
    if kind == "wide":
        folder = write(large(Shape(models=10, tasks=16, seeds=2, steps=6)), tmp_path / "study")
        write_results(analyse(read(folder)), folder, report_place(folder), tex_too=True)
        (folder / "report.tex").rename(folder / "report_tables/report.tex")
    body = "".join(f"\\input{{{path}}}\n" for path in sorted((folder / "report_tables").glob("*.tex")))
    packages = "\\usepackage[utf8]{inputenc}\\usepackage[T1]{fontenc}\\usepackage{booktabs,array}"
    text = f"\\textwidth=12cm\\hsize=12cm\\begin{{document}}{body}\\end{{document}}"
    (tmp_path / "all.tex").write_text(f"\\documentclass{{article}}{packages}{text}", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "all.tex"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")
    assert [pt for pt in re.findall(r"Overfull .hbox \(([\d.]+)pt", log) if float(pt) > 2] == []
    assert "Float too large" not in log
