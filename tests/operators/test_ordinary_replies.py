"""Ordinary replies, well formed and whole, are read at once: no doubt where there is nothing to doubt; and quickly."""

from __future__ import annotations

from itertools import product

import pytest

from mlesearch.operators.parse import parse
from mlesearch.types import Op, ReplyUnusable
from tests.support.replies.case import FOREST, RIDGE, SHORT
from tests.support.replies.field_fourth import POLARS
from tests.support.replies.field_programs import BASE, BETTER, MEDIAN, NET, PARTS, TREES

PROGRAMS = [FOREST, RIDGE, SHORT, POLARS, BASE, BETTER, MEDIAN, NET, PARTS, TREES]
LEADS = [
    "Boosted trees suit a small table. Missing values are left to them.",
    "I'll build a robust pipeline with cross-validation.\n\nHere's the improved code:",
    "The original code used the raw columns. The mistake above is repaired: it must be fixed first.\n\n**Code**",
    "The base program failed because a column was missing.\n\nFixed program:",
    "Below is the updated version. Everything else stays as in the base.",
    "<think>\nWait, should I change the folds? No.\n</think>\n\n### Solution",
    "Based on the previous attempt's output, the model overfits, so regularisation is stronger now.",
    "```text\nscore 0.31\n```\n\nThat was the base. The new program:",
]
ENDS = [
    "",
    "**Key changes:**\n1. Added ratios\n2. Replace the median by the mean\n3. Remove the unused import at the top",
    "This should improve the score slightly. If it does not, try changing the learning rate.",
    "Let me know if you'd like me to add a neural network to the ensemble!",
    "Note: you may need to change the path before running it on your machine.",
    "The mistake in the previous program was that the encoder saw the test rows; this has been fixed.",
    "Expected output:\n```\ncv 0.3\n```",
    "Explanation:\n- `load` reads the files\n- `main` writes the submission, which must be in the right order\n"
    "- Next, I would try target encoding.",
    "To run it: `python solution.py`. Make sure that the folder `input/` is there before you run it.",
    "Further ideas: add more seeds, replace the model by CatBoost, tune the depth.",
    "Actually, that is all. The run takes about 30 s; wait for the last line.",
]


def around(code: str, lead: str, end: str) -> str:
    return f"{lead}\n\n```python\n{code}```\n\n{end}".rstrip("\n") + "\n"


@pytest.mark.parametrize("lead", range(len(LEADS)))
def test_a_whole_program_is_read_whatever_ordinary_words_stand_around_it(lead):
    asked = []
    for code, end in product(PROGRAMS, ENDS):
        try:
            assert parse(Op.IMPROVE, around(code, LEADS[lead], end)).code == code
        except ReplyUnusable as e:
            asked.append(f"{end[:40]!r}: {e}")
    assert asked == []


def test_a_long_reply_is_read():
    part = TREES.split("errors = []")[1].split("final = ")[0].rstrip("\n")
    steps = "\n".join(f"# step {i}: the same with another seed\nSEED += 1\nerrors = []{part}\n" for i in range(120))
    code = TREES.replace("final = ", f"{steps}\nfinal = ")
    assert len(code) > 50_000
    assert parse(Op.IMPROVE, around(code, LEADS[1], ENDS[7])).code == code
