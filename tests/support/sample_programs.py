"""A model that answers with programs that submit a competition's sample submission, changed a little each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mlesearch.testing.openai_stub import Answer

PROGRAM = """
import csv, glob, os
(sample,) = [path for path in glob.glob("input/*.csv") if "ubmission" in path]
with open(sample, newline="") as file:
    rows = list(csv.reader(file))
rows[0][-1] = {column} or rows[0][-1]
rows[1][-1] = str(float(rows[1][-1]) + {number} / 1000)
if len(rows[1]) > 2:  # probabilities, which still sum to 1
    rows[1][-2] = str(float(rows[1][-2]) - {number} / 1000)
with open("submission.csv", "w", newline="") as file:
    csv.writer(file).writerows(rows)
{more}
print("validation_score: 0.{number}")
"""
"""Submits the sample with another number in it each time; every third has a column of another name."""


def programs(more: str = "") -> Callable[[Mapping[str, Any]], Answer]:
    """Replies by how often a prompt came: another program each time, the same ones in the same order of calls."""
    count = iter(range(1, 10**6))

    def reply(body: Mapping[str, Any]) -> Answer:
        number = next(count)
        code = PROGRAM.format(column="'index'" if number % 3 == 0 else "''", number=number, more=more)
        size = len(json.dumps(body["messages"]))
        return Answer(f"A plan.\n\n```python\n{code}\n```\n", size // 4, len(code) // 4)

    return reply
