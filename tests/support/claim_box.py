"""What a reader may quote of a claim box: sentences that stand alone, and numbers that stand in the tables."""

from __future__ import annotations

import re

from mlesearch.analysis.page import views
from mlesearch.analysis.results import Results
from mlesearch.analysis.words.wording import verdicts

COUNTS = ("The study", "The runs", "The sandbox")
"""Parts of the box about runs, in which nothing is estimated."""

OPENING = re.compile(
    r"(?P<status>Confirmatory|Exploratory)(?P<simulated>, in simulation)?, on tasks like these "
    r"\(E2, n = (?P<tasks>\d+) tasks?, (?P<low>\d+)(?: to (?P<high>\d+))? seeds? each\): (?P<rest>.+)",
    re.DOTALL,
)
QUOTED = re.compile(r"(\S+) \(([+−][\d.]+) points \[95 % ([^\]]+)\], p ([=<]) ([\d.]+)(?: exactly)?\)")
"""A model with its gap, interval and p, as the claim box gives up to two of them."""


def check_quotable(results: Results) -> list[str]:
    """Assert that each sentence says n, target population, status and whether it is simulated, as the tables have it.

    Returns:
        The models whose gap, interval and p were found in the box and in the table.
    """
    simulated = results.tables.simulated
    quoted = []
    for answer in verdicts(results):
        if answer.title in COUNTS:
            assert answer.sentence.startswith("In simulation, ") == simulated, answer.sentence
            assert answer.status not in ("confirmatory", "exploratory")
            continue
        found = OPENING.fullmatch(answer.sentence)
        assert found, answer.sentence
        assert found["status"].lower() == answer.status
        assert bool(found["simulated"]) == simulated
        counts = results.board.counts
        assert int(found["tasks"]) == len(counts.tasks)
        seeds = counts.counts[counts.counts > 0]
        assert (int(found["low"]), int(found["high"] or found["low"])) == (seeds.min(), seeds.max())
        assert answer.status == "exploratory" or (results.claim is not None and results.claim.declared)
        if answer.title == "The gap":
            quoted += _same_as_table(results, found["rest"])
    return quoted


def _same_as_table(results: Results, sentence: str) -> list[str]:
    assert results.main is not None
    assert results.main.treatment.label in sentence
    assert results.main.baseline.label in sentence
    table = {row[0].text: row for row in views.gaps(results, [results.main], "gaps-main").rows}
    models = []
    for model, points, interval, sign, p in QUOTED.findall(sentence):
        row = table[model]
        assert (points, interval) == (row[2].text, row[3].text)
        shown = row[5].text
        assert shown == "<0.001" if sign == "<" else abs(float(p) - float(shown)) < 0.0051
        models.append(model)
    return models
