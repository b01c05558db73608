"""Programs that leave code out, and honest ones that look as if they did."""

from __future__ import annotations

from tests.support.replies.case import FOREST, RIDGE, SHORT, Ask, Case, py


def changed(program: str, old: str, new: str) -> str:
    assert old in program
    return program.replace(old, new)


FEATURES = RIDGE[RIDGE.index("def features") : RIDGE.index("def main")]
LOADED = FOREST[FOREST.index("train = ") : FOREST.index("model = ")]

AS_BEFORE = "# ... feature engineering as in the base program ...\nmodel = "
AND_SO_ON = """import pandas as pd
# and so on to the last line, which writes the submission
"""
STUB = '''def features(frame):
    """As before."""
    ...


'''
PASSING = """def features(frame):
    pass  # same as before


"""
WRITTEN = 'sample.to_csv("submission.csv", index=False)'

DOTS = '''from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd


class Model(Protocol):
    def predict(self, x: np.ndarray) -> np.ndarray: ...


class OutOfTime(Exception): ...


def mean_of(images: np.ndarray, pick: Callable[..., float] = np.mean, fill=...) -> np.ndarray:
    """Average over the last axis: images[..., 0], and so on ... unchanged otherwise."""
    print("loading ...")
    return images[..., 0] + np.einsum("...i->...", images[..., None])


try:
    print(mean_of(np.zeros((2, 2))))
except OutOfTime:
    ...
pd.read_csv("input/sample_submission.csv").to_csv("submission.csv", index=False)
'''

COMMENTS = """import pandas as pd
from sklearn.linear_model import Ridge

# Features are unchanged: only the model differs from the base program.
train = pd.read_csv("input/train.csv").fillna(0)  # unchanged
test = pd.read_csv("input/test.csv").fillna(0)  # ... and the same for test
# the rest of the columns are codes
columns = [c for c in test.columns if c != "id"]
# same alpha as before
model = Ridge(alpha=1.0)
# --- fit (as before) ---
model.fit(train[columns], train["y"])
# The median is robust,
# ... and the rest stays the same
test["y"] = model.predict(test[columns])
# keep the existing column order
test[["id", "y"]].to_csv("submission.csv", index=False)
"""

NOISE = '''import pandas as pd

# TODO: try target encoding later
frame = pd.read_csv("input/sample_submission.csv")
# fold 1, fold 2, ...
text = """
# ... rest of the code unchanged ...
"""
frame["y"] = len(text)
frame.to_csv("submission.csv", index=False)
'''

NOTHING_WRITTEN = """import pandas as pd

train = pd.read_csv("input/train.csv")
print(train.describe())
"""

CASES = [
    Case(
        "# ... unchanged ...",
        f"x\n{py(changed(FOREST, LOADED, '# ... data loading unchanged ...' + chr(10)))}",
        Ask(("leaves code out",)),
    ),
    Case("# … unchanged", f"x\n{py(changed(FOREST, LOADED, '# … unchanged' + chr(10)))}", Ask(("leaves code out",))),
    Case("# (unchanged)", f"x\n{py(changed(FOREST, LOADED, '# (unchanged)' + chr(10)))}", Ask(("leaves code out",))),
    Case(
        "# unchanged, names unbound",
        f"x\n{py(changed(FOREST, LOADED, '# unchanged' + chr(10)))}",
        Ask(("leaves code out",)),
    ),
    Case("...", f"x\n{py(changed(FOREST, LOADED, '...' + chr(10)))}", Ask(("leaves code out",))),
    Case("…alone", f"x\n{py(changed(FOREST, LOADED, '…' + chr(10)))}", Ask(("line 5",))),
    Case(
        "features left out, all names bound",
        f"x\n{py(changed(FOREST, 'model = ', AS_BEFORE))}",
        Ask(("leaves code out",)),
    ),
    Case(
        "rest of the code",
        f"x\n{py(FOREST[: FOREST.index('scores')] + '# rest of the code remains the same' + chr(10))}",
        Ask(("leaves code out",)),
    ),
    Case(
        "existing code",
        f"x\n{py('# existing code' + chr(10) + FOREST)}",
        Ask(("leaves code out",)),
    ),
    Case(
        "your code here",
        f"x\n{py(changed(SHORT, 'sample[', '# Your code here' + chr(10) + 'sample['))}",
        Ask(("leaves",)),
    ),
    Case(
        "omitted for brevity",
        f"x\n{py(changed(SHORT, 'sample[', '# imports omitted for brevity' + chr(10) + 'sample['))}",
        Ask(("leaves",)),
    ),
    Case(
        "and so on",
        f"x\n{py(AND_SO_ON)}",
        Ask(("leaves",)),
    ),
    Case(
        "a function with dots",
        f"x\n{py(changed(RIDGE, FEATURES, 'def features(frame):' + chr(10) + '    ...  # as before' + chr(10) * 3))}",
        Ask(("`features`",)),
    ),
    Case(
        "a function with a docstring and dots",
        f"x\n{py(changed(RIDGE, FEATURES, STUB))}",
        Ask(("`features`",)),
    ),
    Case(
        "a function that passes",
        f"x\n{py(changed(RIDGE, FEATURES, PASSING))}",
        Ask(("leaves code out",)),
    ),
    Case(
        "a call with dots",
        f"x\n{py(changed(SHORT, WRITTEN, 'sample.to_csv(...)'))}",
        Ask(("line 5",)),
    ),
    Case(
        "a list with dots",
        f"x\n{py(changed(RIDGE, '=[' + chr(34) + 'id' + chr(34), '=[' + chr(34) + 'id' + chr(34) + ', ...'))}",
        Ask(("the list",)),
    ),
    Case(
        "a fragment",
        f"Change the model to\n{py('model = RandomForestRegressor(n_estimators=900)' + chr(10))}",
        Ask(("part of a program",)),
    ),
    Case("a function alone", f"Add\n{py(FEATURES + 'train = features(train)' + chr(10))}", Ask(("part of a program",))),
    Case("dots that belong there", f"x\n{py(DOTS)}", DOTS),
    Case("honest comments", f"x\n{py(COMMENTS)}", COMMENTS),
    Case("a text that leaves code out", f"x\n{py(NOISE)}", NOISE),
    Case(
        "an honest mistake: a name misspelt",
        f"x\n{py(changed(FOREST, 'model.fit(X, y)', 'model.fit(x, y)'))}",
        changed(FOREST, "model.fit(X, y)", "model.fit(x, y)"),
    ),
    Case("only a look at the data, without a word", f"x\n{py(NOTHING_WRITTEN)}", Ask()),
    Case(
        "a program without an import",
        f"x\n{py(changed(SHORT, 'import pandas as pd', ''))}",
        changed(SHORT, "import pandas as pd\n\n", ""),
    ),
]
