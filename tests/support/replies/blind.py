"""Replies that were written against the reader without looking at it, as someone would who wants it to fail."""

from __future__ import annotations

import json

from mlesearch.types import Op
from tests.support.replies.case import DRAFT, FOREST, HELPERS, MAIN, RIDGE, SHORT, Ask, Case, joined, py
from tests.support.replies.judgements import DIAGNOSIS, ONE, REVIEW, TWO

BOOST = """import lightgbm as lgb
import pandas as pd

train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
params = dict(objective="binary", learning_rate=0.05, verbose=-1)
model = lgb.train(params, lgb.Dataset(train.drop(columns=["id", "y"]), train["y"]), 300)
test["y"] = model.predict(test.drop(columns=["id"]))
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
CONFIG = """class CFG:
    seed = 0
    folds = 5
    lr = 3e-4
"""
TRAINING = """import pandas as pd
import torch

torch.manual_seed(CFG.seed)
frame = pd.read_csv("input/test.csv")
frame["y"] = torch.rand(len(frame)).numpy() * CFG.lr
frame[["id", "y"]].to_csv("submission.csv", index=False)
"""
ASYNC = """import asyncio
import pandas as pd


async def main():
    frame = pd.read_csv("input/sample_submission.csv")
    await asyncio.sleep(0)
    frame.to_csv("submission.csv", index=False)


asyncio.run(main())
"""
MARKDOWN = '''import pandas as pd

REPORT = """
# Report

```
fold,score
```

- ... unchanged
"""
with open("report.md", "w") as f:
    f.write(REPORT)
pd.read_csv("input/sample_submission.csv").to_csv("submission.csv", index=False)
'''
WALRUS = """import pandas as pd

frame = pd.read_csv("input/sample_submission.csv")
if (n := len(frame)) > 10:
    print(f"{n=}")
match n:
    case 0:
        raise SystemExit("no rows")
    case _:
        total = sum(i for i in range(n) if i % 2)
frame["y"] = [total := total - 1 for _ in range(n)]
frame.to_csv("submission.csv", index=False)
"""
GLOBALS = """import pandas as pd

best = None


def fit(seed):
    global best, history
    history = [seed]
    best = seed


fit(1)
print(best, history)
pd.read_csv("input/sample_submission.csv").to_csv("submission.csv", index=False)
"""
STAR = """from numpy import *
import pandas as pd

y = zeros(3) + pi
pd.DataFrame({"y": y}).to_csv("submission.csv")
"""
RAISES = """import pandas as pd


class Base:
    def fit(self, x):
        raise NotImplementedError

    def predict(self, x): ...


class Mean(Base):
    def fit(self, x):
        self.mean = x["y"].mean()
        return self

    def predict(self, x):
        return [self.mean] * len(x)


model = Mean().fit(pd.read_csv("input/train.csv"))
test = pd.read_csv("input/test.csv")
test["y"] = model.predict(test)
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
CSV = """import csv

with open("input/test.csv") as f, open("submission.csv", "w", newline="") as g:
    out = csv.writer(g)
    out.writerow(["id", "y"])
    for row in csv.DictReader(f):
        out.writerow([row["id"], 0])
"""
KEPT = FOREST.replace("model = ", "# Keep the same columns as the base program; only the model changes.\nmodel = ")
HEADED = FOREST.replace("train = ", "# --- 1. Load data (unchanged) ---\ntrain = ", 1)
CUT_LOOP = """import pandas as pd
from sklearn.model_selection import KFold

train = pd.read_csv("input/train.csv")
for fold, (a, b) in enumerate(KFold(5).split(train)):
    print(fold)
    # ... train model ...
pd.read_csv("input/sample_submission.csv").to_csv("submission.csv", index=False)
"""
SAME_LOADING = """import pandas as pd
import lightgbm as lgb

# [Data loading and feature engineering: identical to the previous version]

model = lgb.LGBMClassifier().fit(X, y)
pd.DataFrame({"y": model.predict(X_test)}).to_csv("submission.csv", index=False)
"""
UNTIL_END = SHORT + "\n# (remaining folds omitted)\n"
IMPORTS = "from utils import load, prepare\n"
V1 = "def clean(frame):\n    return frame.dropna()\n"
V2 = "def clean(frame):\n    return frame.fillna(0)\n"
USES = 'import pandas as pd\n\nclean(pd.read_csv("input/test.csv"))[["id"]].to_csv("submission.csv")\n'
TAIL = 'print("done")\n'

BLIND = [
    Case("o3: a sentence, a rule, a block", f"**Plan.** Boosting.\n\n---\n\n{py(BOOST)}", BOOST),
    Case(
        "configuration class, then training",
        f"Config:\n{py(CONFIG)}\nTraining:\n{py(TRAINING)}",
        joined(CONFIG, TRAINING),
    ),
    Case("asyncio", f"Async.\n{py(ASYNC)}", ASYNC),
    Case("a report with fences in a text", f"A report.\n\n{py(MARKDOWN)}\n\nDone.", MARKDOWN),
    Case("walrus and match", f"x\n{py(WALRUS)}", WALRUS),
    Case("globals set in a function", f"x\n{py(GLOBALS)}", GLOBALS),
    Case("star import", f"x\n{py(STAR)}", STAR),
    Case("abstract by hand", f"x\n{py(RAISES)}", RAISES),
    Case("csv module", f"x\n{py(CSV)}", CSV),
    Case("an honest sentence with same", f"x\n{py(KEPT)}", KEPT),
    Case("an honest heading with unchanged", f"x\n{py(HEADED)}", HEADED),
    Case("dots in a loop's body", f"x\n{py(CUT_LOOP)}", Ask()),
    Case("square brackets for what was loaded", f"x\n{py(SAME_LOADING)}", Ask()),
    Case("omitted at the end", f"x\n{py(UNTIL_END)}", Ask()),
    Case("two versions of a helper", f"{py(V1)}\nBetter:\n{py(V2)}\nUse it:\n{py(USES)}", joined(V2, USES)),
    Case("the block, then a second copy of it", f"{py(RIDGE)}\nFull program again:\n{py(RIDGE)}", RIDGE),
    Case("the program, then a print in a block", f"{py(RIDGE)}\nAt the end you may add\n{py(TAIL)}", RIDGE),
    Case(
        "the program, then a test of a helper",
        f"{py(RIDGE)}\nTest:\n{py('print(features(pd.read_csv(1)))' + chr(10))}",
        RIDGE,
    ),
    Case("old in the plan after new heading", f"## New program\n{py(SHORT)}\n## Old program\n{py(FOREST)}", SHORT),
    Case("before and after", f"Before:\n{py(FOREST)}\nAfter:\n{py(SHORT)}", SHORT),
    Case("after and before", f"After:\n{py(SHORT)}\nBefore:\n{py(FOREST)}", SHORT),
    Case(
        "Solution 1 and Solution 2, go with the latter",
        f"Solution 1\n{py(FOREST)}\nSolution 2\n{py(RIDGE)}\nUse the latter.",
        RIDGE,
    ),
    Case("wrong on purpose", f"This would leak, do not use it:\n{py(DRAFT)}\nInstead:\n{py(SHORT)}", SHORT),
    Case("right, then wrong on purpose", f"{py(SHORT)}\nDo not use this one, it leaks:\n{py(DRAFT)}", Ask()),
    Case(
        "a list item by a star, deeper",
        f"* a\n  * code:\n\n{''.join('      ' + x for x in py(RIDGE).splitlines(True))}\n",
        RIDGE,
    ),
    Case("details", f"<details><summary>Code</summary>\n\n{py(RIDGE)}\n\n</details>", RIDGE),
    Case("bullets with bold and a glued fence", f"**Code**:{py(RIDGE)}", RIDGE),
    Case("python with attributes", f"x\n{py(RIDGE, 'python {linenos=table, hl_lines=[1]}')}", RIDGE),
    Case(
        "main, helpers as a file of their own",
        f"`utils.py`:\n{py(HELPERS, 'python:utils.py')}\n`main.py`:\n{py(IMPORTS + MAIN, 'python:main.py')}",
        Ask(),
    ),
    Case("a thought in a tag of its own", f"<planning>\n{py(DRAFT)}\n</planning>\n{py(SHORT)}", SHORT),
    Case("GLM box", f"<think>x</think><|begin_of_box|>{py(SHORT)}<|end_of_box|>", SHORT),
    Case("Granite", f"Here is my thought process: maybe\n{py(DRAFT)}\nHere is my response:\n{py(SHORT)}", SHORT),
    Case("the prompt is echoed", f"<reply_format>\nx\n</reply_format>\nRidge.\n{py(RIDGE)}", RIDGE),
    Case("a fence closed by tildes", f"x\n```python\n{RIDGE}~~~\n", RIDGE),
    Case(
        "cut in a comment at the end",
        f"x\n```python\n{FOREST[: FOREST.index('model.fit')]}# now fit the mod",
        Ask(),
        finish="length",
    ),
    Case(
        "review in words", "is_bug: false\nlesson: Ratios help.", {"is_bug": False, "lesson": "Ratios help."}, Op.REVIEW
    ),
    Case("two reviews, the first one whole", f"{json.dumps(REVIEW)}\n\n{json.dumps(REVIEW)}", REVIEW, Op.REVIEW),
    Case(
        "a diagnosis with line ends in texts",
        json.dumps({**DIAGNOSIS, "reason": "a\nb"}).replace("\\n", "\n"),
        {"reason": "a\nb"},
        Op.DIAGNOSE,
    ),
    Case(
        "hypotheses by name",
        json.dumps({"hypotheses": {"h1": ONE, "h2": TWO}}),
        {"hypotheses": ["Encode site.", "Add ratios."]},
        Op.HYPOTHESIZE,
    ),
    Case(
        "JSON lines",
        f"{json.dumps(ONE)}\n{json.dumps(TWO)}",
        {"hypotheses": ["Encode site.", "Add ratios."]},
        Op.HYPOTHESIZE,
    ),
    Case(
        "a choice in prose and JSON",
        f"I choose the second.\n{json.dumps({'chosen': TWO})}",
        {"hypotheses": ["Add ratios."]},
        Op.SELECT,
    ),
    Case(
        "model or features",
        json.dumps({"hypotheses": [{**ONE, "component": "model/features"}]}),
        {"components": ["model"]},
        Op.SELECT,
    ),
]
