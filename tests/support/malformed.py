"""Submissions with something odd or wrong in them, as bytes: for a task of binary labels, ids 7 to 19."""

from __future__ import annotations

IDS = range(7, 20)
TRUTH = {i: i % 2 for i in IDS}
RIGHT = {i: 0.8 if label else 0.2 for i, label in TRUTH.items()}


def table(
    changes: dict[int, str] | None = None, header: str = "id,label", drop: tuple[int, ...] = (), more: str = ""
) -> str:
    """A submission as text: one row an id, some with another cell, some left out, some lines added."""
    cells = {i: repr(p) for i, p in RIGHT.items()} | (changes or {})
    rows = [f"{i},{cell}" for i, cell in cells.items() if i not in drop]
    return "\n".join([header, *rows]) + "\n" + more


def variants() -> dict[str, bytes]:
    """All of them, by what is odd about them."""
    whole = table()
    lines = whole.splitlines()
    texts = {
        "as it should be": whole,
        "rows reordered": "\n".join([lines[0], *reversed(lines[1:])]) + "\n",
        "columns reordered": "\n".join(",".join(reversed(line.split(","))) for line in lines) + "\n",
        "CRLF": whole.replace("\n", "\r\n"),
        "CR": whole.replace("\n", "\r"),
        "blank lines": whole.replace("\n", "\n\n"),
        "quoted cells": "\n".join(",".join(f'"{c}"' for c in line.split(",")) for line in lines) + "\n",
        "no last line end": whole.rstrip("\n"),
        "ids as floats": table().replace("\n1", "\n0").replace("\n0", "\n1").replace(",0.", ".0,0."),
        "spaces in the header": table(header="id, label"),
        "semicolons": whole.replace(",", ";"),
        "tabs": whole.replace(",", "\t"),
        "decimal commas": whole.replace(",0.", ",0,"),
        "an index column": "\n".join([f",{lines[0]}", *(f"{n},{line}" for n, line in enumerate(lines[1:]))]) + "\n",
        "an extra column": "\n".join([f"{lines[0]},note", *(f"{line},x" for line in lines[1:])]) + "\n",
        "column twice": "\n".join([f"{lines[0]},label", *(f"{line},0.5" for line in lines[1:])]) + "\n",
        "other column name": table(header="id,probability"),
        "no header": "\n".join(lines[1:]) + "\n",
        "header alone": lines[0] + "\n",
        "header twice": table(more="id,label\n"),
        "an id missing": table(drop=(9,)),
        "an id unknown": table({99: "0.5"}, drop=(9,)),
        "an id too many": table({99: "0.5"}),
        "an id twice": table(more="9,0.8\n"),
        "an id twice, another missing": table(drop=(8,), more="9,0.8\n"),
        "no id in a row": table(drop=(9,), more=",0.8\n"),
        "ids as texts": whole.replace("\n7,", "\nseven,"),
        "an empty cell": table({13: ""}),
        "NaN": table({13: "nan"}),
        "infinity": table({13: "inf"}),
        "minus infinity": table({13: "-inf"}),
        "overflow": table({13: "1e999"}),
        "a whole number of 400 digits": table({13: "9" * 400}),
        "a word among numbers": table({13: "high"}),
        "above 1": table({13: "1.0000001"}),
        "below 0": table({13: "-0.1"}),
        "percent": table({13: "80%"}),
        "booleans": "\n".join([lines[0], *(f"{i},{bool(label)}" for i, label in TRUTH.items())]) + "\n",
        "an open quote": table({13: '"0.5'}),
        "longer rows": table(more="20,0.5,0.5\n"),
        "two tables": whole + "\n" + whole,
        "empty": "",
        "white space": "\n \n\t\n",
        "JSON": '[{"id": 7, "label": 0.5}]',
        "a web page": "<html><body>id,label</body></html>\n",
        "NUL bytes": whole.replace("0.2", "0.2\0", 1),
        "a formula": table({13: "=1/2"}),
        "a comment first": "# my submission\n" + whole,
    }
    return {name: text.encode() for name, text in texts.items()} | {
        "byte-order mark": b"\xef\xbb\xbf" + whole.encode(),
        "UTF-16": whole.encode("utf-16"),
        "UTF-32": whole.encode("utf-32"),
        "Latin-1": table({13: "\u00bd"}).encode("latin-1"),
        "a zip": b"PK\x03\x04" + bytes(range(256)) * 4,
        "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(255, -1, -1)) * 4,
    }
