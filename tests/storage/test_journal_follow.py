"""A journal read on while it grows tells the same events as one that is read at once."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.storage.events import TYPES, calls_of, stage_of
from mlesearch.storage.journal import Journal, JournalError, follow, read

HEADER = b'{"type":"journal","format":1,"mlesearch":"test","run":"r"}\n'

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
events = st.builds(
    lambda type, id, text: {"type": type, "id": id, "text": text},
    st.sampled_from(sorted(TYPES)),
    st.integers(0, 999),
    texts,
)


def journals(most: int) -> st.SearchStrategy[list[dict[str, object]]]:
    """Events of one writer: no id is asked or told twice, and there is one end."""
    return st.lists(events, max_size=most, unique_by=lambda e: (e["type"], e["type"] == "ended" or e["id"]))


bad_lines = st.one_of(
    st.sampled_from(
        [b"", b"garbage", b"[1,2]", b'{"type":"ask', b"\0\0\0", b"{}", b'{"type":[]}', b'{"type":"journal"}']
    ),
    st.binary(max_size=8).filter(lambda b: b"\n" not in b),
)


def line(event):
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def grow(path, data, cuts):
    """Follow a file that grows up to each cut; what every look found."""
    looks, offset = [], 0
    path.write_bytes(b"")
    for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        with open(path, "ab") as file:
            file.write(data[file.tell() : cut])
        found, offset = follow(path, offset)
        looks.append(found)
    return looks, offset


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("follow") / "journal.jsonl"


@given(journals(8), st.lists(st.integers(0, 600), max_size=12))
def test_any_split_tells_the_same_events_once(path, written, cuts):
    data = HEADER + b"".join(map(line, written))
    looks, offset = grow(path, data, cuts)
    assert [e for look in looks for e in look] == written == read(path)[1]
    assert offset == len(data)
    assert follow(path, offset) == ([], offset)


@given(journals(6).filter(bool), st.integers(1, 400), st.lists(st.integers(0, 600), max_size=8))
def test_a_torn_line_waits_for_its_rest(path, written, kept, cuts):
    *written, last = written
    whole = HEADER + b"".join(map(line, written))
    torn = line(last)[:-1][:kept]
    looks, offset = grow(path, whole + torn, cuts)
    assert [e for look in looks for e in look] == written == read(path)[1]
    assert offset == len(whole)
    with open(path, "ab") as file:
        file.write(line(last)[len(torn) :])
    assert follow(path, offset) == ([last], len(whole) + len(line(last)))


def outcome(look):
    try:
        return look()
    except JournalError as error:
        return str(error)


@given(journals(5).filter(bool), st.data(), st.lists(st.integers(0, 600), max_size=8))
def test_a_wrong_line_is_found_by_both_ways_of_reading_or_by_none(path, written, data, cuts):
    lines = [HEADER, *map(line, written)]
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(bad_lines) + b"\n"
    content = b"".join(lines)
    followed = outcome(lambda: [e for look in grow(path, content, cuts)[0] for e in look])
    path.write_bytes(content)  # where following stopped at an error, the file had not grown to its end
    whole = outcome(lambda: read(path)[1])
    if isinstance(whole, list) or isinstance(followed, str):
        assert followed == whole
        assert isinstance(whole, list) or f", line {at + 1}:" in whole or (at == 0 and "journal format" in whole)
    else:  # a file that holds nothing but a torn header has no events yet
        assert (followed, at, len(lines)) == ([], 0, 1)


def test_a_wrong_line_is_named_by_its_number_in_the_file_however_late_it_comes(path):
    path.write_bytes(HEADER + line({"type": "asked", "id": 0}) * 3)
    found, offset = follow(path)
    assert len(found) == 3
    with open(path, "ab") as file:
        file.write(b"garbage\n")
    assert follow(path, offset) == ([], offset)  # a power cut may have left it: what follows will tell
    with open(path, "ab") as file:
        file.write(line({"type": "told", "id": 0}))
    with pytest.raises(JournalError, match="line 5: not a journal event"):
        follow(path, offset)


def test_an_event_of_an_unknown_type_is_refused_and_kept(path):
    content = HEADER + line({"type": "asked", "id": 0}) + line({"type": "dreamt", "id": 1})
    path.write_bytes(content)
    for use in (read, follow, lambda p: Journal(p, {"mlesearch": "test", "run": "r"})):
        with pytest.raises(JournalError, match=r"line 3: .*its type is 'dreamt'"):
            use(path)
    assert path.read_bytes() == content  # it may be of a later version: nothing is cut off


def test_a_repaired_journal_is_read_on_where_it_was_sound(path):
    path.unlink(missing_ok=True)
    asked, told = {"type": "asked", "id": 0}, {"type": "told", "id": 0}
    with Journal(path, {"mlesearch": "test", "run": "r"}) as journal:
        journal.append(asked)
    with open(path, "ab") as file:
        file.write(b"\0" * 40 + b"\n")
    found, offset = follow(path)
    assert found == [asked]
    with Journal(path, {"mlesearch": "test", "run": "r"}) as journal:
        journal.append(told)
    assert follow(path, offset) == ([told], path.stat().st_size)


def test_a_journal_that_is_just_being_made_has_no_events_yet(path):
    path.write_bytes(b"")
    assert follow(path) == ([], 0)
    path.write_bytes(HEADER[:20])
    assert follow(path) == ([], 0)
    with pytest.raises(JournalError, match="line 1: no journal header"):
        read(path)


def test_what_was_read_is_not_read_again(path, monkeypatch):
    path.write_bytes(HEADER + line({"type": "asked", "id": 0}))
    _, offset = follow(path)
    with open(path, "ab") as file:
        file.write(line({"type": "told", "id": 0}))
    parsed = []
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(text) or real(text))
    assert follow(path, offset)[1] == os.stat(path).st_size
    assert parsed == [line({"type": "told", "id": 0})[:-1]]


def test_calls_and_stages_are_told_apart():
    kinds = [{"type": t, "id": 1, "attempt": 2} for t in ("asked", "reply", "review", "embedded", "executed", "told")]
    assert [e["type"] for e in calls_of(kinds)] == ["reply", "review", "embedded"]
    assert [stage_of(e) for e in kinds[1:5]] == [("reply", 2), ("review", 2), ("embedded", 0), ("executed", 0)]
