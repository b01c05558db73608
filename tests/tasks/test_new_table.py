"""Tables of unknown make: what they are taken for, and that whatever is no table is refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlesearch.tasks.new.dates import closest_dates, read_dates
from mlesearch.tasks.new.numbers import decimal_mark, plain_numbers, told
from mlesearch.tasks.new.table import read_table
from mlesearch.types import ConfigError

words = st.text(st.sampled_from("abcäößé xyz,;|'\"\n1."), min_size=1, max_size=12).map(str.strip).filter(bool)


@given(
    rows=st.lists(st.tuples(words, words, words), min_size=3, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cells_come_back_whatever_the_make(tmp_path, rows, delimiter, encoding, newline):
    out = io.StringIO()
    made = csv.writer(out, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    made.writerows([("first", "second", "third"), *rows])
    path = tmp_path / "t.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    table = read_table(path, delimiter=delimiter)
    assert list(table.frame) == ["first", "second", "third"]
    assert [tuple(row) for row in table.frame.itertuples(index=False)] == rows


@pytest.mark.parametrize(("delimiter", "named"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_the_delimiter_is_found_among_texts_that_hold_others(tmp_path, delimiter, named):
    path = tmp_path / "t.csv"
    others = "".join(d for d in ",;|\t" if d != delimiter)
    rows = [["name", "note", "n"]] + [[f"row {i}", f"this, that; and | more{others}", str(i)] for i in range(30)]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")
    table = read_table(path)
    assert table.delimiter == delimiter
    assert named in table.taken_for


@given(data=st.binary(max_size=400))
@example(b",")
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_table_or_refused_in_one_line(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    said, table = "", None
    try:
        table = read_table(path)
    except ConfigError as refused:
        said = str(refused)
    if table is None:
        assert said
        assert "\n" not in said
        return
    assert table.frame.shape[1] >= 1
    assert not table.frame.isna().any().any()


REFUSED = {
    "a zip": (b"PK\x03\x04rest", "a zip archive or a spreadsheet"),
    "a gzip": (gzip.compress(b"a,b\n1,2\n"), "unpack it (gunzip)"),
    "a parquet": (b"PAR1rest", "a Parquet file"),
    "nothing": (b" \n", "is empty"),
    "one column": (b"a\n1\n2\n", "has one column only"),
    "no header": (b"1,2\n3,4\n", "looks like data"),
    "a name twice": (b"a,a\n1,2\n", "several columns named 'a'"),
    "long rows": (b"a,b\n1,2,3\n", "more cells than its header has names"),
    "a later long row": (b"a,b\n" + b"1,2\n" * 9 + b"1,2,3\n", "Expected 2 fields in line 11, saw 3"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_table_is_refused_with_what_to_do(tmp_path, what):
    data, said = REFUSED[what]
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        read_table(path)
    assert said in str(refused.value)


def test_what_is_given_is_taken(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("a:b\nжук:2\n".encode("cp1251"))
    table = read_table(path, encoding="cp1251", delimiter=":")
    assert table.frame.iloc[0].tolist() == ["жук", "2"]
    with pytest.raises(ConfigError, match="--encoding: Python knows no 'cp99'"):
        read_table(path, encoding="cp99")
    with pytest.raises(ConfigError, match="--delimiter: '::' is not one character"):
        read_table(path, delimiter="::")


def test_an_index_without_a_name_is_left_out_and_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(",a,b\n0,x,1\n1,y,2\n", encoding="utf-8")
    table = read_table(path)
    assert list(table.frame) == ["a", "b"]
    assert "has no name and holds an index" in table.notes[0]


NUMBERS = [
    (["1.5", "2"], ",", ".", ["1.5", "2"]),
    (["1,5", "2"], ";", ",", ["1.5", "2"]),
    (["1.234,5", "7"], ";", ",", ["1234.5", "7"]),
    (["1,234.5", "7"], ",", ".", ["1234.5", "7"]),
    (["1,234", "7"], ",", ".", ["1234", "7"]),
    (["1,234", "7"], ";", ",", ["1.234", "7"]),
    (["-3e-4", "+.5"], ",", ".", ["-3e-4", "+.5"]),
    (["5", "NA", "?", "-"], ",", ".", ["5", "", "", ""]),
    (["5", "five"], ",", ".", None),
    (["2021-01-01", "2021-01-02"], ",", ".", None),
    (["", "NA"], ",", ".", None),
]


@pytest.mark.parametrize(("cells", "delimiter", "mark", "plain"), NUMBERS)
def test_numbers_are_read_as_people_write_them(cells, delimiter, mark, plain):
    column = pd.Series(cells, dtype="str")
    found = decimal_mark([told(column)], delimiter)
    assert found == mark
    numbers = plain_numbers(column, found)
    assert (None if numbers is None else numbers.tolist()) == plain


def test_one_column_of_a_file_decides_what_another_leaves_open():
    open_column, decided = pd.Series(["1,234", "7,000"]), pd.Series(["1,5", "2,25"])
    assert decimal_mark([open_column], ",") == "."
    assert decimal_mark([open_column, decided], ",") == ","


DATES = [
    (["2021-03-04", "2021-12-31"], "YYYY-MM-DD", ""),
    (["2021-03-04 10:11", "2021-12-31 23:59"], "YYYY-MM-DD HH:MM", ""),
    (["2021-03-04T10:11:12Z", "2021-12-31T23:59:00+02:00"], "ISO 8601", ""),
    (["04.03.2021", "31.12.2021"], "DD.MM.YYYY", ""),
    (["04/03/2021", "31/12/2021"], "DD/MM/YYYY", ""),
    (["03/04/2021", "12/31/2021"], "MM/DD/YYYY", ""),
    (["03/04/2021", "12/11/2021"], "DD/MM/YYYY", "MM/DD/YYYY"),
    (["Mar 04, 2021", ""], "Mon DD, YYYY", ""),
]


@pytest.mark.parametrize(("cells", "form", "also"), DATES)
def test_dates_are_read_in_one_format(cells, form, also):
    read = read_dates(pd.Series(cells, dtype="str"))
    assert read is not None
    assert (read.words, read.also) == (form, also)
    assert read.times[pd.Series(cells) != ""].notna().all()


def test_what_is_no_date_is_none_and_the_closest_format_is_known():
    cells = pd.Series(["04.03.2021", "31.12.2021", "soon"])
    assert read_dates(cells) is None
    closest = closest_dates(cells)
    assert closest is not None
    assert closest.words == "DD.MM.YYYY"
    assert read_dates(pd.Series(["red", "blue"])) is None


def test_no_path_of_the_machine_is_in_what_is_said(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2,y\n", encoding="utf-8")
    assert str(tmp_path) not in read_table(path).taken_for
