"""Tables of different kinds, as people have them, for tests of `tasks new`: each a file and options for it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlesearch.tasks.new import make
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.write import write_task
from mlesearch.tasks.protocol import Validation
from mlesearch.types import Finding

ROWS = 400

Column = Sequence[object]


@dataclass(frozen=True)
class TableCase:
    """A table.

    Attributes:
        name: of the file, without its ending.
        data: its bytes.
        options: of `mlesearch tasks new`, behind `--from FILE`.
        refusal: what the refusal says; empty where a task is made.
        mended: further options with which a refused one becomes a task.
    """

    name: str
    data: bytes
    options: tuple[str, ...]
    refusal: str = ""
    mended: tuple[str, ...] = ()

    def write(self, folder: Path) -> Path:
        """The file in a folder."""
        path = folder / f"{self.name}.csv"
        path.write_bytes(self.data)
        return path


def table(columns: Mapping[str, Column], delimiter: str = ",") -> str:
    """A table as text, with quotes where they are needed."""
    out = io.StringIO()
    made = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    made.writerow(columns)
    made.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(list(name.encode()))


def _signal(rng: np.random.Generator, rows: int = ROWS) -> tuple[np.ndarray, list[float], list[float]]:
    """A number that two columns tell in part, and the columns."""
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    return (
        a - 0.7 * b + rng.normal(scale=0.6, size=rows),
        [round(x, 3) for x in a.tolist()],
        [round(x, 3) for x in b.tolist()],
    )


def _plain() -> TableCase:
    rng = _rng("plain")
    signal, a, b = _signal(rng)
    gaps = [x if rng.random() > 0.1 else "" for x in a]
    colour = rng.choice(["red", "green", "blue"], ROWS).tolist()
    churned = ["yes" if s > 0.5 else "no" for s in signal]
    text = table({"age": gaps, "income": b, "colour": colour, "churned": churned})
    return TableCase("plain", text.encode(), ("--target", "churned", "--metric", "auc"))


def _semicolons() -> TableCase:
    """Latin-1, semicolons, decimal commas, and points between groups of digits."""
    rng = _rng("semicolons")
    signal, a, b = _signal(rng)
    city = rng.choice(["Köln", "Zürich", "Orléans"], ROWS).tolist()
    price = [f"{1000 + 300 * s:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".") for s in signal]
    columns = {
        "Fläche": [f"{x:.3f}".replace(".", ",") for x in a],
        "Höhe": [f"{x:.3f}".replace(".", ",") for x in b],
        "Stadt": city,
        "Preis": price,
    }
    return TableCase("semicolons", table(columns, ";").encode("latin-1"), ("--target", "Preis", "--metric", "rmse"))


def _dates() -> TableCase:
    """Tabs, and days whose order is that of the rows' time."""
    rng = _rng("dates")
    signal, a, b = _signal(rng)
    days = np.datetime64("2022-11-05") + np.sort(rng.integers(0, 500, ROWS))
    written = [f"{str(d)[8:]}.{str(d)[5:7]}.{str(d)[:4]}" for d in days]
    columns: dict[str, Column] = {
        "day": written,
        "a": a,
        "b": b,
        "sold": [round(x, 2) for x in np.exp(signal).tolist()],
    }
    return TableCase("dates", table(columns, "\t").encode(), ("--target", "sold", "--metric", "rmsle", "--time", "day"))


def _texts() -> TableCase:
    """A byte-order mark, free text, quotes and newlines within cells."""
    rng = _rng("texts")
    words = {"bill": ["invoice", "charge", "refund"], "bug": ["crash", "error", "broken"], "other": ["hello", "thanks"]}
    kinds = rng.choice(list(words), ROWS, p=[0.5, 0.3, 0.2]).tolist()
    filler = ["please", "the", "app", "today", "my", "again", 'so "called"', "and,", "really\nsoon"]
    said = [
        " ".join(rng.permutation([*rng.choice(words[k], 2), *rng.choice(filler, 7)]).tolist())
        if rng.random() > 0.2
        else " ".join(rng.choice(filler, 9).tolist())
        for k in kinds
    ]
    columns = {"message": said, "channel": rng.choice(["mail", "phone"], ROWS).tolist(), "kind": kinds}
    return TableCase(
        "texts",
        b"\xef\xbb\xbf" + table(columns).encode(),
        ("--target", "kind", "--metric", "macro_f1", "--text", "message"),
    )


def _wide() -> TableCase:
    """300 columns, and classes of which probabilities are asked."""
    rng = _rng("wide")
    values = rng.normal(size=(ROWS, 300))
    kinds = np.argmax(values[:, :3] + rng.gumbel(scale=0.5, size=(ROWS, 3)), axis=1)
    columns: dict[str, Column] = {f"x{j:03d}": [round(x, 3) for x in values[:, j].tolist()] for j in range(300)}
    columns["species"] = [["setosa", "versicolor", "virginica"][k] for k in kinds]
    return TableCase("wide", table(columns).encode(), ("--target", "species", "--metric", "log_loss"))


def _groups() -> TableCase:
    """Several rows a patient, who is ill in all of them or in none."""
    rng = _rng("groups")
    patients = rng.integers(0, 60, ROWS)
    ill = (rng.random(60) < 0.4)[patients]
    columns = {
        "patient": [f"P{p:03d}" for p in patients],
        "pulse": [round(x, 1) for x in (70 + 8 * ill + rng.normal(scale=9, size=ROWS)).tolist()],
        "ill": ill.astype(int).tolist(),
    }
    return TableCase(
        "groups", table(columns, "|").encode(), ("--target", "ill", "--metric", "auc", "--group", "patient")
    )


def _sorted_ids() -> TableCase:
    """Ids that were given class by class."""
    rng = _rng("ids")
    signal, a, b = _signal(rng)
    order = np.argsort(signal > 0, kind="stable").tolist()
    columns = {
        "id": list(range(1, ROWS + 1)),
        "a": [a[i] for i in order],
        "b": [b[i] for i in order],
        "good": [int(signal[i] > 0) for i in order],
    }
    return TableCase(
        "sorted_ids",
        table(columns).encode(),
        ("--target", "good", "--metric", "log_loss"),
        "column 'id' predicts the target 'good' by itself",
        ("--drop", "id"),
    )


def _labels() -> TableCase:
    """Several 0/1 targets."""
    rng = _rng("labels")
    signal, a, b = _signal(rng)
    columns = {"a": a, "b": b}
    for name, level in (("toxic", 0.3), ("rude", 0.8), ("spam", 1.4)):
        columns[name] = (signal + rng.normal(scale=0.5, size=ROWS) > level).astype(int).tolist()
    return TableCase("labels", table(columns).encode(), ("--target", "toxic,rude,spam", "--metric", "auc"))


def _outputs() -> TableCase:
    """Two numbers to predict, validated by the programs themselves."""
    rng = _rng("outputs")
    signal, a, b = _signal(rng)
    columns: dict[str, Column] = {
        "key": [f"k{i}" for i in rng.permutation(ROWS).tolist()],
        "a": a,
        "b": b,
        "gap": [round(x, 3) for x in signal.tolist()],
        "energy": [round(x, 3) for x in (2 * signal + rng.normal(size=ROWS)).tolist()],
    }
    options = ("--target", "gap", "--target", "energy", "--metric", "rmse", "--id", "key", "--validation", "reported")
    return TableCase("outputs", table(columns).encode(), options)


def _levels() -> TableCase:
    """Ordered levels, and rows without one."""
    rng = _rng("levels")
    signal, a, b = _signal(rng)
    level = np.clip(np.rint(signal + 2), 0, 4).astype(int)
    told = [str(k) if rng.random() > 0.05 else "NA" for k in level.tolist()]
    return TableCase(
        "levels",
        table({"a": a, "b": b, "level": told}).encode("utf-16"),
        ("--target", "level", "--metric", "quadratic_kappa"),
        "rows have no 'level'",
        ("--drop-missing",),
    )


def _rare() -> TableCase:
    """A class of one row."""
    rng = _rng("rare")
    signal, a, b = _signal(rng)
    kind = ["high" if s > 0 else "low" for s in signal]
    kind[7] = "odd"
    return TableCase(
        "rare",
        table({"a": a, "b": b, "kind": kind}).encode(),
        ("--target", "kind", "--metric", "accuracy"),
        "too rare to be split, with fewer than 3 rows: odd",
        ("--drop-rare",),
    )


def _doubled() -> TableCase:
    """Every row twice."""
    rng = _rng("doubled")
    signal, a, b = _signal(rng, ROWS // 2)
    columns = {"a": a * 2, "b": b * 2, "y": [round(x, 3) for x in signal.tolist()] * 2}
    return TableCase(
        "doubled",
        table(columns).encode(),
        ("--target", "y", "--metric", "mae"),
        "stand among the training rows too",
        ("--drop-duplicates",),
    )


MAKERS: tuple[Callable[[], TableCase], ...] = (
    _plain,
    _semicolons,
    _dates,
    _texts,
    _wide,
    _groups,
    _sorted_ids,
    _labels,
    _outputs,
    _levels,
    _rare,
    _doubled,
)


def cases() -> dict[str, TableCase]:
    """All tables, by name."""
    return {case.name: case for case in (make() for make in MAKERS)}


_FLAGS = {"--drop-missing": "drop_missing", "--drop-rare": "drop_rare", "--drop-duplicates": "drop_duplicates"}
_LISTS = {"--text": "texts", "--drop": "drop", "--keep": "keep", "--target": "targets"}


def request_of(case: TableCase, folder: Path, *, mended: bool = False) -> NewTaskRequest:
    """What the options of a table ask for; the table lies in the folder, where the task goes too."""
    words = iter(case.options + (case.mended if mended else ()))
    given: dict[str, Any] = dict.fromkeys(_LISTS.values(), ())
    for option in words:
        if option in _FLAGS:
            given[_FLAGS[option]] = True
        elif option in _LISTS:
            given[_LISTS[option]] += (next(words),)
        elif option == "--validation":
            given["validation"] = Validation(next(words))
        else:
            given[option.removeprefix("--").replace("-", "_")] = next(words)
    return NewTaskRequest(table=folder / f"{case.name}.csv", folder=folder / case.name, **given)


@dataclass(frozen=True)
class MadeTable:
    """A task made of a table: its folder, what was planned, and what the preflight found."""

    place: Path
    planned: make.PlannedTask
    findings: list[Finding]


def made_task(case: TableCase, folder: Path, *, mended: bool = False) -> MadeTable:
    """The task of a table, made in a folder."""
    case.write(folder)
    planned = make.plan(request_of(case, folder, mended=mended))
    with make.staged(planned.request.place) as place:
        write_task(planned, place)
        findings = make.preflight(place)
    return MadeTable(planned.request.place, planned, findings)
