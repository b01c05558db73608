"""A second round of replies that were written blind."""

from __future__ import annotations

import json

from mlesearch.types import Op
from tests.support.replies.case import RIDGE, SHORT, Ask, Case, joined, py
from tests.support.replies.judgements import BUG, DIAGNOSIS, REVIEW

NESTED = '''import pandas as pd

def make():
    """Example:

    ~~~
    x
    ~~~
    """
    return pd.read_csv("input/sample_submission.csv")

make().to_csv("submission.csv", index=False)
'''
LAMBDA = """import pandas as pd
f = lambda x, *a, **k: (x, a, k)
df = pd.read_csv("input/test.csv").assign(y=lambda d: d["a"] * 2)
[print(i, j) for i in range(2) for j in range(i)]
with open("log.txt", "w") as fh, open("b.txt", "w") as gh:
    print(f(1), file=fh)
try:
    import lightgbm
except ImportError as err:
    print(err)
df[["id", "y"]].to_csv("submission.csv", index=False)
"""
DEFER = """import pandas as pd

def run():
    return helper(CONST)

CONST = 3

def helper(x):
    return pd.DataFrame({"id": [x], "y": [x]})

run().to_csv("submission.csv", index=False)
"""
DUNDER = """if __name__ == "__main__":
    import pandas as pd
    for name in sorted(globals()):
        pass
    del name
    pd.read_csv("input/sample_submission.csv").to_csv("submission.csv", index=False)
"""
STEP1 = """import pandas as pd
train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
"""
STEP2 = """train["r"] = train["a"] / train["b"]
test["r"] = test["a"] / test["b"]
"""
STEP3 = """from sklearn.linear_model import Ridge
m = Ridge().fit(train[["r"]], train["y"])
"""
STEP4 = """test["y"] = m.predict(test[["r"]])
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
SAVES = 'sub.to_csv("submission.csv")\n'
OUT, RAISED = "    out = frame.drop", "    raise NotImplementedError  # TODO: same as before\n"
LOW = SHORT.replace("0.5", "0.5  # was 0.4 ... too low")
PRIOR = SHORT + "# The rest of the predictions stays at the prior\n"
LOADS, FITS = "train = pd.read_csv(1)\n", "model = Ridge(alpha=1.0)\n"
LOOP = "for i in range(3):\n    print(i)\n    sample.to_csv('b.csv')\n"
TAGGED = {"is_bug": False, "lesson": "Strip </think> from texts."}
FENCED = {"is_bug": True, "lesson": "Use:\n```python\nx = {}\n```"}

MORE = [
    Case("second round: tilde doc", f"x\n{py(NESTED)}", NESTED),
    Case("second round: lambda", f"x\n{py(LAMBDA)}", LAMBDA),
    Case("second round: defer", f"x\n{py(DEFER)}", DEFER),
    Case("second round: dunder", f"x\n{py(DUNDER)}", DUNDER),
    Case(
        "second round: four steps",
        f"{py(STEP1)}\na\n{py(STEP2)}\nb\n{py(STEP3)}\nc\n{py(STEP4)}",
        joined(STEP1, STEP2, STEP3, STEP4),
    ),
    Case("second round: steps plus full at end", f"{py(STEP1)}\na\n{py(STEP2)}\nFull script:\n{py(RIDGE)}", RIDGE),
    Case(
        "second round: full then steps explained",
        f"Full script:\n{py(RIDGE)}\nFirst\n{py(LOADS)}\nthen\n{py(FITS)}",
        RIDGE,
    ),
    Case(
        "second round: steps explained, with save line",
        f"Full script:\n{py(RIDGE)}\nThe last line saves:\n{py(SAVES)}",
        Ask(),
    ),
    Case("second round: no closing think after program in answer", f"<think>a</think>{py(SHORT)}<think>check", SHORT),
    Case("second round: four-tick outer python inner", f"````\n{py(SHORT)}\n````", SHORT),
    Case("second round: yaml then code", f"```yaml\nlr: 1\n```\n{py(SHORT)}", SHORT),
    Case("second round: csv head then nothing", "```csv\na,b\n```\nNo code yet.", Ask()),
    Case("second round: r code", "```r\nlibrary(x)\n```", Ask()),
    Case("second round: ellipsis str", f"x\n{py(LOW)}", LOW),
    Case("second round: comment: keep rest", f"x\n{py(PRIOR)}", PRIOR),
    Case("second round: # ... (same imports)", f"x\n{py('# ... (same imports as before)' + chr(10) + SHORT)}", Ask()),
    Case("second round: def todo raise", f"x\n{py(RIDGE.replace(OUT, RAISED + OUT))}", Ask()),
    Case(
        "second round: json in think then answer nested",
        f"<think>{json.dumps(BUG)}</think>\n{json.dumps({'answer': REVIEW})}",
        REVIEW,
        Op.REVIEW,
    ),
    Case("second round: lesson with tag", json.dumps(TAGGED), TAGGED, Op.REVIEW),
    Case("second round: lesson with code fence", f"```json\n{json.dumps(FENCED)}\n```", FENCED, Op.REVIEW),
    Case(
        "second round: diag list of two", json.dumps([DIAGNOSIS, {**DIAGNOSIS, "replace": False}]), Ask(), Op.DIAGNOSE
    ),
    Case(
        "second round: format echoed then answer",
        '{"is_bug": true or false, "lesson": "..."}\n' + json.dumps(REVIEW),
        REVIEW,
        Op.REVIEW,
    ),
    Case(
        "second round: answer then template",
        json.dumps(REVIEW) + '\nFormat: {"is_bug": true or false, "lesson": "text"}',
        REVIEW,
        Op.REVIEW,
    ),
    Case("second round: placeholders filled by dots", '{"is_bug": false, "lesson": "..."}', Ask(), Op.REVIEW),
    Case("second round: cut while-loop body", f"x\n```python\n{SHORT}{LOOP}", Ask(), finish="length"),
]
