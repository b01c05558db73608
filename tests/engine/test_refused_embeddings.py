"""Texts that the embedder refuses, or always fails at: each costs its step, and the run goes on, also when resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunEnd, RunStatus
from mlesearch.models.embed import make_embedder
from mlesearch.models.protocol import BadRequest, EmbedReply, EmbedRequest, EmptyReply, NeverAnswered, Price
from mlesearch.storage.journal import read
from mlesearch.types import Usage
from tests.support import toy_run


class Refusing:
    """An embedder that refuses the n-th texts that it is given, and whatever is equal to them."""

    name, live, price, deadline_s = "refusing", True, Price(1.0, 0.0), 60.0

    def __init__(self, error: Exception, refused: int) -> None:
        self._error, self._refused = error, refused
        self._seen: list[tuple[str, ...]] = []
        self._inner = make_embedder({"kind": "hashed"})

    def check(self) -> None:
        pass

    def embed(self, request: EmbedRequest) -> EmbedReply:
        if request.texts not in self._seen:
            self._seen.append(request.texts)
        if self._seen.index(request.texts) == self._refused:
            raise self._error
        return self._inner.embed(request)


def _run(folder: Path, embedder: Refusing) -> RunEnd:
    made = toy_run.parts(folder, strategy="gome", budget=Budget(steps=10))
    made = replace(made, context=replace(made.context, embedder=embedder))
    try:
        return Engine(made).run()
    finally:
        made.folder.close()


@pytest.mark.parametrize("kind", [BadRequest, NeverAnswered, EmptyReply])
def test_it_costs_its_step_and_the_run_goes_on(kind: type[BadRequest], tmp_path: Path) -> None:
    error = kind("embedder 'e': HTTP 400: too many texts", Usage(lost_nusd=7))
    end = _run(tmp_path, Refusing(error, refused=1))
    assert (end.status, end.steps) == (RunStatus.COMPLETED, 10)
    journal = tmp_path / "journal.jsonl"
    _, events = read(journal)
    (problem,) = (e for e in events if e["type"] == "embedded" and "problem" in e)
    assert problem["problem"] == "embedder 'e': HTTP 400: too many texts"
    assert problem["usage"]["lost_nusd"] == 7
    lost = [e for e in events if e["type"] == "told" and e["outcome"]["status"] == "reply_unusable"]
    assert len(lost) == 1
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = next(i for i, line in enumerate(lines) if "too many texts" in line) + 1
    journal.write_text("".join(lines[:cut]), encoding="utf-8")  # killed right after it was journaled
    assert _run(tmp_path, Refusing(error, refused=99)) == end
    assert read(journal)[1][: cut - 1] == events[: cut - 1]
