"""Field replies: several blocks, of which one, or all together, or none is the program."""

from __future__ import annotations

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case, py
from tests.support.replies.field_programs import BASE, BETTER, LOOK, MEDIAN, NET, PARTS, PLAN, TREES, cut

SNIPPET = 'frame["ratio"] = frame["width"] / frame["length"]\n'
DIFF = """--- a/solution.py
+++ b/solution.py
@@ -6,3 +6,5 @@
-columns = ["width", "length"]
+for frame in (train, held):
+    frame["ratio"] = frame["width"] / frame["length"]
+columns = ["width", "length", "ratio"]
"""
SEARCH = """<<<<<<< SEARCH
columns = ["width", "length"]
=======
columns = ["width", "length", "ratio"]
>>>>>>> REPLACE
"""
HEAD = cut(PARTS, "def features")
MIDDLE = cut(PARTS, "def main").removeprefix(HEAD)
END = PARTS.removeprefix(HEAD + MIDDLE)


def stitched(*parts: str) -> str:
    """Blocks as one program."""
    return "\n\n".join(p.strip("\n") for p in parts) + "\n"


CASES = [
    Case("before and after", f"**Before:**\n\n{py(BASE)}\n\n**After:**\n\n{py(BETTER)}", BETTER, Op.IMPROVE),
    Case(
        "after and before",
        f"New version:\n\n{py(BETTER)}\n\nFor reference, the original was:\n\n{py(BASE)}",
        BETTER,
        Op.IMPROVE,
    ),
    Case(
        "the previous program quoted",
        f"The base program was\n\n{py(BASE)}\n\nI add a ratio.\n\n{py(BETTER)}",
        BETTER,
        Op.IMPROVE,
    ),
    Case(
        "the key change, then all",
        f"The key change:\n\n{py(SNIPPET)}\n\nThe whole program:\n\n{py(BETTER)}",
        BETTER,
        Op.IMPROVE,
    ),
    Case(
        "all, then the key change", f"{PLAN}\n\n{py(BETTER)}\n\nThe key change is\n\n{py(SNIPPET)}", BETTER, Op.IMPROVE
    ),
    Case(
        "all, then a tip", f"{PLAN}\n\n{py(TREES)}\n\nFor more accuracy try:\n\n```python\nmax_iter = 1000\n```", TREES
    ),
    Case("a diff alone", f"A ratio.\n\n{py(DIFF, 'diff')}", Ask(), Op.IMPROVE),
    Case("a diff, then all", f"A ratio.\n\n{py(DIFF, 'diff')}\n\nFull file:\n\n{py(BETTER)}", BETTER, Op.IMPROVE),
    Case("all, then a diff", f"A ratio.\n\n{py(BETTER)}\n\nChanges:\n\n{py(DIFF, 'diff')}", BETTER, Op.IMPROVE),
    Case("search and replace alone", f"A ratio.\n\n{py(SEARCH, '')}", Ask(), Op.IMPROVE),
    Case("a snippet alone", f"Just add this line before `columns`:\n\n{py(SNIPPET)}", Ask(), Op.IMPROVE),
    Case(
        "a function to put in",
        "Replace the function `features` by\n\n"
        f"{py(cut(PARTS, 'def fit').removeprefix(HEAD))}\n\nand leave the rest as it is.",
        Ask(),
        Op.IMPROVE,
    ),
    Case(
        "two options", f"Option A, trees:\n\n{py(TREES)}\n\nOption B, a net:\n\n{py(NET)}\n\nBoth should work.", Ask()
    ),
    Case(
        "two options, the first recommended",
        f"**Option 1 (recommended)**\n\n{py(TREES)}\n\n**Option 2 (needs a GPU)**\n\n{py(NET)}",
        TREES,
    ),
    Case(
        "two options, the second recommended",
        f"**Option 1**\n\n{py(NET)}\n\n**Option 2**\n\n{py(TREES)}\n\nI recommend option 2 for 300 rows.",
        TREES,
    ),
    Case(
        "two options, the first recommended at the end",
        f"**Option 1**\n\n{py(TREES)}\n\n**Option 2**\n\n{py(NET)}\n\nI recommend option 1 for 300 rows.",
        TREES,
    ),
    Case(
        "three steps",
        f"Step 1\n\n{py(HEAD)}\n\nStep 2\n\n{py(MIDDLE)}\n\nStep 3\n\n{py(END)}",
        stitched(HEAD, MIDDLE, END),
    ),
    Case(
        "steps, then the complete program",
        f"Step 1\n\n{py(HEAD)}\n\nStep 2\n\n{py(MIDDLE)}\n\nStep 3\n\n{py(END)}\n\nComplete program\n\n{py(PARTS)}",
        PARTS,
    ),
    Case(
        "the complete program, then its walk through",
        f"{py(PARTS)}\n\nHow it works. Loading:\n\n{py(HEAD)}\n\nFeatures and model:\n\n{py(MIDDLE)}\n\nAnd "
        f"the end:\n\n{py(END)}",
        PARTS,
    ),
    Case("steps, one of them missing", f"Step 1\n\n{py(HEAD)}\n\nStep 3\n\n{py(END)}", Ask()),
    Case(
        "steps out of order",
        f"The main part:\n\n{py(END)}\n\nThe helpers that go above it:\n\n{py(HEAD + MIDDLE)}",
        stitched(HEAD + MIDDLE, END),
    ),
    Case("a look, then the program", f"First explore:\n\n{py(LOOK)}\n\nThen train:\n\n{py(TREES)}", TREES),
    Case("only a look", f"Before I write the program, please run this and show me the output:\n\n{py(LOOK)}", Ask()),
    Case(
        "a baseline, then the real one", f"A trivial baseline is\n\n{py(MEDIAN)}\n\nThe program:\n\n{py(TREES)}", TREES
    ),
    Case(
        "the real one, then a fallback",
        f"{PLAN}\n\n{py(TREES)}\n\nIf sklearn is missing, fall back to:\n\n{py(MEDIAN)}",
        TREES,
    ),
    Case("with its output", f"{PLAN}\n\n{py(TREES)}\n\nOutput:\n\n```\nfold 0 0.301\ncv 0.299\n```", TREES),
    Case("with pseudo code first", f"```\nload data\nfor each fold:\n    fit\naverage\n```\n\n{py(TREES)}", TREES),
    Case(
        "pseudo code alone", "```python\nload the data\nfor each fold:\n    fit the trees\nwrite submission\n```", Ask()
    ),
    Case("with a shell block before", f"```bash\npip install scikit-learn\n```\n\n{py(TREES)}", TREES),
    Case("with a shell block after", f"{PLAN}\n\n{py(TREES)}\n\n```bash\npython solution.py\n```", TREES),
    Case(
        "two files",
        f"`features.py`\n\n{py(HEAD + MIDDLE)}\n\n`main.py`\n\n"
        f"{py('from features import fit, load' + chr(10) * 2 + END)}",
        Ask(),
    ),
    Case(
        "the same program thrice, the last cut",
        f"{PLAN}\n\n{py(TREES)}\n\n{PLAN}\n\n{py(TREES)}\n\n{PLAN}\n\n```python\n{cut(TREES, 'errors = []')}",
        TREES,
        finish="length",
    ),
    Case("the same program twice", f"{py(TREES)}\n\nHere it is again in full:\n\n{py(TREES)}", TREES),
    Case(
        "a second version, cut",
        f"{py(BASE)}\n\nAn improved version:\n\n```python\n{cut(TREES, 'errors = []')}",
        Ask(),
        finish="length",
    ),
    Case(
        "the old one quoted, the new one cut",
        f"The base:\n\n{py(BASE)}\n\nNow with a ratio:\n\n```python\n{cut(BETTER, 'model = ')}",
        Ask(),
        Op.IMPROVE,
        finish="length",
    ),
    Case(
        "the old one quoted, the new one told",
        f"The base program:\n\n{py(BASE)}\n\nI would raise `n_estimators` to 500. Everything else stays as it is.",
        Ask(),
        Op.IMPROVE,
    ),
    Case(
        "a debug: what failed, then all",
        "The failing line is\n\n```python\ntrain['widht']\n```\n\nwhich should be\n\n```python\ntrain['width']\n```\n\n"
        f"Corrected program:\n\n{py(BASE)}",
        BASE,
        Op.DEBUG,
    ),
    Case(
        "a debug: all, then what was changed",
        f"The column was misspelt.\n\n{py(BASE)}\n\nChanged line:\n\n```python\n# before\ntrain['widht']\n# after\n"
        "train['width']\n```",
        BASE,
        Op.DEBUG,
    ),
    Case(
        "a debug: the line alone",
        "Change line 8 to:\n\n```python\nmodel.fit(train[columns].fillna(0), y)\n```",
        Ask(),
        Op.DEBUG,
    ),
    Case(
        "a merge: both parents quoted",
        f"Parent 1:\n\n{py(BASE)}\n\nParent 2:\n\n{py(PARTS)}\n\nMerged:\n\n{py(BETTER)}",
        BETTER,
        Op.MERGE,
    ),
    Case(
        "a merge: only the parents",
        f"Parent 1:\n\n{py(BASE)}\n\nParent 2:\n\n{py(PARTS)}\n\nAverage their predictions.",
        Ask(),
        Op.MERGE,
    ),
    Case(
        "imports in a block of their own",
        f"Imports:\n\n{py(cut(TREES, 'SEED'))}\n\nProgram:\n\n{py(TREES.removeprefix(cut(TREES, 'SEED')))}",
        stitched(cut(TREES, "SEED"), TREES.removeprefix(cut(TREES, "SEED"))),
    ),
    Case("settings as yaml beside it", f"```yaml\nseed: 7\nfolds: 5\n```\n\n{py(TREES)}", TREES),
    Case(
        "the format's example quoted",
        f"In the form\n\n```python\nimport pandas as pd\n# and so on to the last line\n```\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "a test of it after it",
        f"{py(PARTS)}\n\nA quick check that you can run afterwards:\n\n```python\nimport pandas as pd\n\n"
        'print(pd.read_csv("submission.csv").shape)\n```',
        PARTS,
    ),
    Case(
        "version 1, 2 and 3",
        f"### Version 1\n\n{py(MEDIAN)}\n\n### Version 2\n\n{py(BASE)}\n\n### Version 3 (final)\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "a block in a list",
        f"1. Plan: trees.\n2. Code:\n\n   ```python\n"
        f"{''.join('   ' + x + chr(10) if x else chr(10) for x in TREES.splitlines())}   ```\n3. Done.",
        TREES,
    ),
]
