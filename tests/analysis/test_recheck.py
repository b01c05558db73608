"""A report is checked against its tables: the same, or the first thing that differs, by its place."""

import json
import random
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from mlesearch.analysis import recheck as rechecking
from mlesearch.analysis.data.tables import read
from mlesearch.analysis.figures import dynamics
from mlesearch.analysis.files import provenance
from mlesearch.analysis.page.page_text import phrases
from mlesearch.analysis.planning.sequential import standing
from mlesearch.analysis.recheck import recheck
from mlesearch.analysis.report import write_report
from mlesearch.storage.sequential import note_look
from mlesearch.types import ConfigError
from tests.support.sequential_study import sequential_study
from tests.support.synthetic_study import synthetic, write


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write(synthetic(models=4, tasks=5, seeds=2), tmp_path_factory.mktemp("study"))
    write_report(folder)
    return folder


@pytest.fixture
def copied(study, tmp_path):
    return shutil.copytree(study, tmp_path / "copy")


def test_an_unchanged_report_is_the_same(study):
    found = recheck(study / "report.html")
    assert found.differs == ""
    assert found.numbers > 100
    assert found.figures == 8
    assert recheck(study / "report.html", redraw=True).differs == ""


@pytest.mark.usefixtures("undrawn")
def test_a_report_elsewhere_is_checked_against_the_study_that_is_named(study, tmp_path):
    page = write_report(study, tmp_path / "elsewhere" / "page.html", missing="drop_seed")
    assert recheck(page, study).differs == ""
    with pytest.raises(ConfigError, match=r"study\.json does not exist"):
        recheck(page)


def _other_digit(text, at, rng):
    return text[:at] + rng.choice([d for d in "0123456789" if d != text[at]]) + text[at + 1 :]


@pytest.fixture
def computed_once(monkeypatch):
    """What files of the same bytes give is computed once: most changes are of the page, and leave them as they are.

    Returns the names of what was computed.
    """
    kept, done = {}, []

    def remember(name, key, owner=rechecking):
        own = getattr(owner, name)

        def once(*args):
            known = name, key(*args)
            if known not in kept:
                kept[known] = own(*args), args  # the arguments are kept, so that no other has their identity
                done.append(name)
            return kept[known][0]

        monkeypatch.setattr(owner, name, once)

    remember("read", lambda folder: tuple(sorted(provenance.digests(folder).items())))
    remember("analyse", lambda tables, policy: (id(tables), policy))
    for name in ("sections", "csv_files"):
        remember(name, lambda results, curves: id(results))
    remember("all_curves", id, owner=dynamics)
    return done


@pytest.mark.parametrize("changes", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_a_single_changed_digit_is_found_wherever_it_is(study, copied, computed_once, changes):
    """Of the page (texts, figures, styles, what it states of itself), of study.json, and of the CSV files."""
    rng = random.Random(changes)
    beside = ("study.json", "report_tables/gaps.csv", "report_tables/dynamics.csv")
    files = ["report.html"] * (changes * 7 // 10) + [name for name in beside for _ in range(changes // 10)]
    missed = []
    for name in files:
        text = (study / name).read_text(encoding="utf-8")
        at = rng.choice([m.start() for m in re.finditer(r"\d", text)])
        (copied / name).write_text(_other_digit(text, at, rng), encoding="utf-8")
        try:
            found = recheck(copied / "report.html").differs
        except ConfigError as error:
            found = str(error)
        if not found:
            missed.append((name, text[max(0, at - 40) : at + 20]))
        shutil.copyfile(study / name, copied / name)
    assert missed == []
    assert recheck(copied / "report.html").differs == ""
    assert 1 < computed_once.count("read") <= 1 + changes // 10  # study.json is read anew where it was changed


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("runs", "gold", r"section \w+.*: the page says '.*', the tables give '.*'"),
        ("nodes", "cum_tokens", r"."),
        ("calls", "service_s", r"calls\.parquet: it is not the file that the page was made from"),
    ],
)
def test_a_changed_value_of_a_table_is_found(copied, table, column, said):
    path = copied / f"{table}.parquet"
    frame = pd.read_parquet(path)
    values = frame[column].tolist()
    at = next(i for i, v in enumerate(values) if v) if column == "gold" else len(values) // 2
    values[at] = not values[at] if column == "gold" else values[at] + 1
    frame[column] = pd.Series(values, dtype=frame[column].dtype)
    frame.to_parquet(path)
    assert re.search(said, recheck(copied / "report.html").differs)


def test_a_changed_number_is_told_by_its_place(copied):
    page = copied / "report.html"
    text = page.read_text(encoding="utf-8")
    cell = re.search(r'<table id="t-medals".*?<td class="n[^"]*"[^>]*>([\d.]+)', text, re.DOTALL)
    page.write_text(text[: cell.start(1)] + "99.9" + text[cell.end(1) :], encoding="utf-8")
    found = recheck(page).differs
    assert found.startswith("section medals, table medals, row ")
    assert re.search(r"column any medal: the page says '99\.9.*', the tables give '", found)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: "<p>no report</p>", "does not say what it was made of"),
        (lambda t: t.replace('"missing": "fail"', '"missing": "guess"'), "the policy 'guess'; known: fail"),
        (lambda t: t.replace('"interim": false', '"interim": true'), "an interim report is not rechecked"),
        (lambda t: t.replace('"format": 1', '"format": 2'), "of format 2"),
        (lambda t: t.replace('"files": {', '"files": ['), "can't be read"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(copied, change, said):
    page = copied / "report.html"
    page.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as error:
        recheck(page)
    assert "\n" not in str(error.value)


def test_no_page_and_no_text_are_told_in_one_line(copied):
    with pytest.raises(ConfigError, match=r"can't be read \(No such file"):
        recheck(copied / "nothing.html")
    (copied / "report.html").write_bytes(b"\xff\xfe\x00")
    assert recheck(copied / "report.html").differs == "report.html is no UTF-8 text"


def test_places_name_section_table_row_and_column():
    page = (
        '<h1>s</h1><section id="a"><table id="t-x"><thead><tr><th><button>model</button></th><th>rate</th></tr></thead>'
        "<tbody><tr><th>m0</th><td>1.5<small>n = 3</small></td></tr></tbody></table><p>after</p></section>"
    )
    assert [(p.place, p.text) for p in phrases(page)][-4:] == [
        ("section a, table x, column model", "m0"),
        ("section a, table x, row m0, column rate", "1.5"),
        ("section a, table x, row m0, column rate", "n = 3"),
        ("section a", "after"),
    ]


def test_what_a_page_was_made_of_can_be_read_by_anybody(study):
    text = (study / "report.html").read_text(encoding="utf-8")
    found = json.loads(re.search(r'id="made-of">(.*?)</script>', text, re.DOTALL)[1])
    assert set(found["files"]) == {"study.json", "runs.parquet", "nodes.parquet", "calls.parquet"}
    assert found["missing"] == "fail"


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """A sequential study, its report, and the looks that were recorded."""
    folder = write(sequential_study(3), tmp_path_factory.mktemp("looks"))
    for look in standing(read(folder)).looks:
        note_look(folder, look.to_line())
    write_report(folder)
    return folder


def test_recorded_looks_are_held_against_the_tables(looked_at, tmp_path):
    folder = shutil.copytree(looked_at, tmp_path / "copy")
    page, looks = folder / "report.html", folder / "looks.jsonl"
    lines = looks.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines
    assert recheck(page).differs == ""
    looks.write_text("".join(lines[:-1]), encoding="utf-8")  # the last look is not recorded yet
    assert recheck(page).differs == ""
    changed = re.sub(r"\d(?=[,}])", lambda m: str((int(m[0]) + 1) % 10), lines[-1], count=1)
    looks.write_text("".join([*lines[:-1], changed]), encoding="utf-8")
    assert recheck(page).differs == f"looks.jsonl, line {len(lines)}: the tables give another look"
    looks.write_text("".join([*lines, lines[-1]]), encoding="utf-8")
    assert recheck(page).differs == f"looks.jsonl, line {len(lines) + 1}: the tables give another look"


def test_a_page_is_checked_without_a_library_that_draws(study):
    """Loading matplotlib takes longer than all else that a small page needs."""
    script = (
        "import sys; from pathlib import Path; from mlesearch.analysis.recheck import recheck\n"
        f"assert recheck(Path({str(study / 'report.html')!r})).differs == ''\n"
        "print([name for name in sys.modules if name.startswith('matplotlib')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
