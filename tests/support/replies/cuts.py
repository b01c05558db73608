"""Replies that end before they are whole."""

from __future__ import annotations

from tests.support.replies.case import DRAFT, FOREST, RIDGE, SHORT, Ask, Case, py

OPEN = f"A forest.\n\n```python\n{FOREST}"
BEFORE_FIT = FOREST[: FOREST.index("model.fit")]
EARLY = SHORT + FOREST

CASES = [
    Case("within a statement", OPEN[: OPEN.index("cross_val_score(model") + 20], Ask(("cut off",)), finish="length"),
    Case("between two statements", f"A forest.\n\n```python\n{BEFORE_FIT}", Ask(("cut off",)), finish="length"),
    Case("between two statements, said to be stopped", f"A forest.\n\n```python\n{BEFORE_FIT}", Ask(("cut off",))),
    Case(
        "after a first submission",
        f"x\n\n```python\n{EARLY[: EARLY.index('folds = ')]}",
        Ask(("cut off",)),
        finish="length",
    ),
    Case("within the imports", f"x\n\n```python\n{FOREST[: FOREST.index('train =')]}", Ask(("cut off",))),
    Case("whole, the mark is missing", OPEN, FOREST),
    Case("whole, the mark is missing, at the limit", OPEN, Ask(("cut off",)), finish="length"),
    Case("whole, prose after it cut", f"A forest.\n\n{py(FOREST)}\n\nThis takes ab", FOREST, finish="length"),
    Case(
        "the corrected one is cut",
        f"x\n{py(DRAFT)}\nWait, corrected:\n```python\n{RIDGE[:300]}",
        Ask(("cut off",)),
        finish="length",
    ),
    Case(
        "the corrected one is cut between statements",
        f"x\n{py(SHORT)}\nCorrected:\n```python\n{BEFORE_FIT}",
        Ask(("cut off",)),
    ),
    Case("bare code, cut", f"A forest.\n\n{BEFORE_FIT}", Ask(("cut off",)), finish="length"),
    Case("bare code, cut, said to be stopped", BEFORE_FIT, Ask(("cut off",))),
    Case("nothing", "", Ask(("empty",))),
    Case("an empty block", "x\n```python\n```", Ask(("empty",))),
    Case("only comments", "x\n```python\n# nothing yet\n```", Ask(("empty",))),
    Case(
        "the plan alone, cut", "The table is small, so a forest is a sound first", Ask(("no program",)), finish="length"
    ),
    Case(
        "JSON with code, cut",
        '{"plan": "Ridge.", "code": "import pandas as pd\\nx = pd.read_csv(\'a\')\\n',
        Ask(),
        finish="length",
    ),
]
