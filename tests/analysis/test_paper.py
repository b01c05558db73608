"""What a paper takes over: claims, methods and a checklist, all of it from what the report used and nothing else."""

import hashlib
import re
import shutil
import subprocess

import pytest

from mlesearch.analysis.data.tables import read
from mlesearch.analysis.files.methods import methods, paragraph
from mlesearch.analysis.files.paper import checklist, paper
from mlesearch.analysis.files.table_files import latex
from mlesearch.analysis.report import report_place, write_results
from mlesearch.analysis.results import analyse
from mlesearch.analysis.words.wording import verdicts
from tests.support.synthetic_study import synthetic, write


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write(synthetic(models=6, tasks=8, seeds=2), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def results(study):
    return analyse(read(study))


def test_every_claim_stands_in_the_fragment_with_status_and_outcome(study, results):
    text = paper(results, study)
    claims = text[: text.index(r"\end{table}")]
    rows = [line for line in claims.split("\n") if line.endswith(r"\\") and line.count(" & ") == 3][1:]
    assert len(rows) == len(verdicts(results)) >= 3
    for row, answer in zip(rows, verdicts(results), strict=True):
        assert row.split(" & ")[1:3] == [latex(answer.status), latex(answer.headline)]
    assert "Simulated engineers, not language models" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert r"\label{tab:gaps-main}" in text


def test_methods_name_what_was_used_and_only_that(study, results):
    names = {m.name for m in methods(results)}
    assert {"rates", "parity", "sign-flip", "adjustment", "slope", "odds", "crossover", "family", "missing"} <= names
    assert names.isdisjoint({"t", "looks", "category", "equivalence"})
    said = paragraph(results)
    assert "(Wilson 1927; E2)" in said
    assert "(exact p)" in said
    assert "Holm 1979" in said
    single = analyse(read(study), "fail")
    assert paragraph(single) == said


def test_an_undeclared_claim_has_mid_p_and_benjamini_hochberg(tmp_path):
    folder = write(synthetic(models=3, tasks=4, claim=False), tmp_path / "study")
    said = paragraph(analyse(read(folder)))
    assert "(mid-p)" in said
    assert "Benjamini and Hochberg 1995" in said
    assert "Holm" not in said


def test_many_tasks_are_tested_by_t(tmp_path):
    folder = write(synthetic(models=2, strategies=("greedy", "gome"), tasks=75, seeds=5), tmp_path / "study")
    found = analyse(read(folder))
    methods_used = {gap.method for gap in found.main.gaps}
    assert ("t" in {m.name for m in methods(found)}) == ("t over tasks" in methods_used)
    assert "t over tasks" in methods_used


def test_the_checklist_has_digests_versions_and_what_is_missing(study, results):
    rows = dict(checklist(results, study))
    for name in ("study.json", "runs.parquet", "nodes.parquet", "calls.parquet"):
        assert rows[f"sha256 of {name}"] == hashlib.sha256((study / name).read_bytes()).hexdigest()
    assert rows["Evidence"] == "simulated engineers"
    assert rows["Deviations"] == "none known"
    assert rows["Missing runs"].startswith("no missing run among ")


@pytest.mark.usefixtures("undrawn")
def test_it_is_written_on_request_alone_and_the_same_twice(study, results):
    write_results(results, study, report_place(study))
    assert not (study / "report.tex").exists()
    write_results(results, study, report_place(study), tex_too=True)
    first = (study / "report.tex").read_bytes()
    write_results(results, study, report_place(study), tex_too=True)
    assert (study / "report.tex").read_bytes() == first


def test_braces_and_environments_are_closed(study, results):
    text = re.sub(r"\\[{}\\]", "", paper(results, study))
    assert text.count("{") == text.count("}")
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    assert sorted(begun) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    body = re.sub(r"\$[^$]*\$", "", re.sub(r"^%.*$", "", text, flags=re.MULTILINE)).replace("tabular", "")
    assert not re.search(r"(?<!\\)[%#]", body)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
def test_latex_takes_the_fragment(study, results, tmp_path):
    packages = r"\usepackage[utf8]{inputenc}\usepackage[T1]{fontenc}\usepackage{booktabs,array}"
    (tmp_path / "report.tex").write_text(paper(results, study), encoding="utf-8")
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}{packages}\begin{{document}}\input{{report}}\end{{document}}", encoding="utf-8"
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "all.tex"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
