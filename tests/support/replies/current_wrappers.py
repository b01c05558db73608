"""Replies of current models: several blocks, files, fences and encodings of other kinds, gaps and cuts."""
# ruff: noqa: E501  (replies stand as models write them)

from __future__ import annotations

import html
import json

from tests.support.replies.case import HELPERS, MAIN, SHORT, Ask, Case, joined, py
from tests.support.replies.current_programs import ARIMA, GBM, LOGIT, MAINED, NET
from tests.support.replies.current_reasoning import PLAN

CHECK = """import pandas as pd

sub = pd.read_csv("submission.csv")
sample = pd.read_csv("input/sample_submission.csv")
assert list(sub.columns) == list(sample.columns)
assert len(sub) == len(sample)
print("OK")
"""
READS_CONFIG = """import pandas as pd
import yaml

with open("config.yaml") as f:
    config = yaml.safe_load(f)
frame = pd.read_csv("input/sample_submission.csv")
frame["y"] = config["constant"]
frame.to_csv("submission.csv", index=False)
"""
SAVES_MODEL = """import joblib
import pandas as pd
from sklearn.linear_model import Ridge

train = pd.read_csv("input/train.csv")
joblib.dump(Ridge().fit(train[["a", "b"]], train["y"]), "model.pkl")
"""
LOADS_MODEL = """import joblib
import pandas as pd

test = pd.read_csv("input/test.csv")
test["y"] = joblib.load("model.pkl").predict(test[["a", "b"]])
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
STEPS = (
    'import pandas as pd\nfrom sklearn.linear_model import Ridge\n\ntrain = pd.read_csv("input/train.csv")\n'
    'test = pd.read_csv("input/test.csv")\n',
    'columns = ["a", "b", "c"]\nmedian = train[columns].median()\nX, Z = train[columns].fillna(median), test[columns].fillna(median)\n',
    'model = Ridge(alpha=2.0).fit(X, train["y"])\nprint("r2", model.score(X, train["y"]))\n',
    'test["y"] = model.predict(Z)\ntest[["id", "y"]].to_csv("submission.csv", index=False)\n',
)
STEPPED = "\n\n".join(f"**Step {i}**\n\n{py(s)}" for i, s in enumerate(STEPS, 1))
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Plan\n", "Ridge."]},
            *(
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "outputs": [],
                    "source": s.rstrip().splitlines(keepends=True),
                }
                for s in STEPS
            ),
        ],
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)
USES_UTILS = MAIN.replace("from sklearn", "from utils import load, prepare\nfrom sklearn", 1)

BLOCKS = [
    Case("packages first", f"{PLAN}\n\n```bash\npip install lightgbm\n```\n\n{py(GBM)}", GBM),
    Case("parameters in yaml first", f"{PLAN}\n\n```yaml\nlearning_rate: 0.03\ntrees: 600\n```\n\n{py(GBM)}", GBM),
    Case(
        "a config file that the program reads",
        f"config.yaml:\n```yaml\nconstant: 3\n```\n\nmain.py:\n{py(READS_CONFIG)}",
        Ask(),
    ),
    Case("a check after the program", f"{PLAN}\n\n{py(GBM)}\n\nYou can verify the output with:\n\n{py(CHECK)}", GBM),
    Case(
        "the expected output",
        f"{PLAN}\n\n{py(GBM)}\n\nExpected output:\n\n```\nfold 0: 0.7812 (3 s)\nvalidation_score: 0.78\n```",
        GBM,
    ),
    Case(
        "a snippet that looks at the result",
        f"{PLAN}\n\n{py(LOGIT)}\n\nTo look at it:\n\n{py('print(test.head())' + chr(10))}",
        LOGIT,
    ),
    Case("helpers and main", f"Helpers:\n\n{py(HELPERS)}\n\nMain script:\n\n{py(MAIN)}", joined(HELPERS, MAIN)),
    Case("main, then a module of helpers", f"main.py\n{py(USES_UTILS)}\n\nutils.py\n{py(HELPERS)}", Ask()),
    Case("a module of helpers, then main", f"**utils.py**\n{py(HELPERS)}\n\n**main.py**\n{py(USES_UTILS)}", Ask()),
    Case("train.py and predict.py", f"`train.py`:\n{py(SAVES_MODEL)}\n\n`predict.py`:\n{py(LOADS_MODEL)}", Ask()),
    Case("four steps", f"{STEPPED}\n\nDone.", joined(*STEPS)),
    Case("four steps, then the whole", f"{STEPPED}\n\nFull script:\n\n{py(joined(*STEPS))}", joined(*STEPS)),
    Case("four steps without the third", f"{STEPPED.replace(py(STEPS[2]), '(train the model here)')}", Ask()),
    Case("a notebook", NOTEBOOK, joined(*STEPS)),
    Case("a notebook in a block", f"{PLAN}\n\n```json\n{NOTEBOOK}\n```", joined(*STEPS)),
    Case("a file written by a cell", f"{PLAN}\n\n{py('%%writefile solution.py' + chr(10) + GBM)}", GBM),
    Case(
        "a here document",
        f"{PLAN}\n\n```bash\ncat > main.py << 'EOF'\n{MAINED}EOF\npython main.py\n```",
        MAINED,
    ),
    Case("a here document without a fence", f"{PLAN}\n\ncat <<'EOF' > main.py\n{MAINED}EOF\npython main.py", MAINED),
    Case("a name above the block", f"{PLAN}\n\n**`solution.py`**\n\n{py(GBM)}", GBM),
    Case(
        "a name in the block's line", f"{PLAN}\n\n{py(GBM, 'python title=' + chr(34) + 'solution.py' + chr(34))}", GBM
    ),
    Case("a class of pandoc", f"{PLAN}\n\n{py(GBM, '{.python .numberLines}')}", GBM),
    Case("a name with a colon", f"{PLAN}\n\n{py(GBM, 'solution.py')}", GBM),
]

INDENTED = "".join(f"   {line}".rstrip() + "\n" for line in py(MAINED).split("\n"))
SPACED = MAINED.replace("    ", "\u00a0\u00a0\u00a0\u00a0")
CURLY = LOGIT.replace('read_csv("input/train.csv")', "read_csv(\u201cinput/train.csv\u201d)")
TABBED = MAINED.replace("    ", "\t")
MIXED = MAINED.replace("    y = np.log1p", "\ty = np.log1p", 1)
NUMBERED = "".join(f"{i:>3} | {line}\n" for i, line in enumerate(LOGIT.rstrip("\n").split("\n"), 1))
SESSION = "".join(
    f"{'... ' if line[:1] in (' ', ')') else '>>> '}{line}\n" for line in LOGIT.rstrip("\n").split("\n") if line
)
PRINTS = SHORT.replace("sample.to_csv", 'print "rows", len(sample)\nsample.to_csv')
ESCAPED = f"{PLAN}\n\n{py(LOGIT)}".replace("\n", "\\n")

ENCODINGS = [
    Case("tildes", f"{PLAN}\n\n~~~python\n{GBM}~~~\n", GBM),
    Case("an indented block of a list", f"1. The plan: trees.\n2. The program:\n\n{INDENTED}", MAINED),
    Case("the first line on the fence", f"{PLAN}\n\n```python {LOGIT}```", LOGIT),
    Case("the fence on the last line", f"{PLAN}\n\n```python\n{LOGIT.rstrip()}```", LOGIT),
    Case("no fences", f"{PLAN}\n\n{GBM}", GBM),
    Case(
        "no fences, and prose after it",
        f"{PLAN}\n\n{LOGIT}\n\nThis program imputes inside the folds and needs a few seconds.",
        LOGIT,
    ),
    Case("quotes for fences", f"{PLAN}\n\n'''python\n{LOGIT}'''", LOGIT),
    Case("python as a lone word", f"{PLAN}\n\npython\nCopy code\n{LOGIT}", LOGIT),
    Case("a file in cdata", f'<file path="solution.py"><![CDATA[\n{GBM}]]></file>', GBM),
    Case(
        "a file by a tool of claude",
        f'{PLAN}\n\n<invoke name="create_file">\n<parameter name="path">solution.py</parameter>\n'
        f'<parameter name="content">{LOGIT}</parameter>\n</invoke>',
        LOGIT,
    ),
    Case(
        "a tool call of qwen",
        f"{PLAN}\n<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'code': GBM}})}\n</tool_call>",
        GBM,
    ),
    Case("a reply in json", json.dumps({"response": f"{PLAN}\n\n{py(GBM)}"}), GBM),
    Case("plan and program in json", "```json\n" + json.dumps({"plan": PLAN, "program": GBM}, indent=1) + "\n```", GBM),
    Case("a message of an api", json.dumps({"role": "assistant", "content": f"{PLAN}\n\n{py(GBM)}"}), GBM),
    Case("newlines as escapes", ESCAPED, LOGIT),
    Case("windows newlines", f"{PLAN}\n\n{py(GBM)}".replace("\n", "\r\n"), GBM),
    Case("entities", f"{PLAN}\n\n{py(html.escape(GBM))}", GBM),
    Case("typographic quotes", f"{PLAN}\n\n{py(CURLY)}", LOGIT),
    Case("hard spaces", f"{PLAN}\n\n{py(SPACED)}", MAINED),
    Case("tabs", f"{PLAN}\n\n{py(TABBED)}", TABBED),
    Case("one tab among spaces", f"{PLAN}\n\n{py(MIXED)}", MAINED),
    Case("python 2", f"{PLAN}\n\n{py(PRINTS)}", Ask()),
    Case("line numbers with bars", f"{PLAN}\n\n{py(NUMBERED)}", LOGIT),
    Case("a session", f"{PLAN}\n\n{py(SESSION)}", "".join(f"{x}\n" for x in LOGIT.split("\n") if x)),
    Case("a byte order mark", f"\ufeff{PLAN}\n\n{py(chr(0xFEFF) + GBM)}", GBM),
    Case("no plan at all", py(GBM), GBM),
    Case("an answer in chinese", f"表格较小，类别不平衡，因此使用梯度提升。\n\n{py(GBM)}\n\n以上代码可直接运行。", GBM),
    Case("a block of markdown around it", f"```markdown\n{PLAN}\n\n{py(GBM)}\n```", GBM),
    Case("details of html", f"{PLAN}\n\n<details><summary>Code</summary>\n\n{py(GBM)}\n\n</details>", GBM),
]


LEFT_OUT = Ask()


def gap(
    name: str, line: str, code: str = GBM, at: str = "oof = np.zeros(len(train))\n", want: Ask | str = LEFT_OUT
) -> Case:
    """The program whose middle was left out, at one place."""
    start = code.index(at)
    return Case(name, f"{PLAN}\n\n{py(code[:start] + line + code[code.index('for fold') :])}", want)


def body(name: str, lines: str) -> Case:
    """A program one of whose functions has no body."""
    start, end = MAINED.index("    out = frame"), MAINED.index("def main")
    return Case(name, f"{PLAN}\n\n{py(MAINED[:start] + lines + chr(10) * 2 + MAINED[end:])}", Ask())


GAPS = [
    gap("the rest unchanged", "# ... (rest of the setup unchanged) ...\n"),
    gap("the same as in the base", "# [same setup code as in the base program]\n"),
    gap("a lone ellipsis", "...\n"),
    gap("an ellipsis in brackets", "[...]\n"),
    gap("snip", "# --- snip ---\n"),
    gap("the rest in french", "# ... le reste du code reste inchangé ...\n"),
    gap("the rest in chinese", "# ...（其余代码保持不变）...\n"),
    gap("the rest in german", "# ... restlicher Code bleibt unverändert\n"),
    gap("your code here", "# TODO: your code here\n"),
    gap("existing code", "# ... existing code ...\n"),
    body("a body as before", "    # same as in the base program\n    pass"),
    body("a body of an ellipsis", "    ...  # as before"),
    body("a body that is a docstring", '    """Same as in the base program."""'),
    body("a body that is not implemented", "    raise NotImplementedError  # keep the original implementation"),
    body("a body that returns what it got", "    # (unchanged feature engineering goes here)\n    return frame"),
]

CUTS = [
    Case("cut within a text", f"{PLAN}\n\n```python\n{GBM[:-30]}", Ask(), finish="length"),
    Case("cut between two lines", f"{PLAN}\n\n```python\n{GBM[: GBM.index('oof = ')]}", Ask(), finish="length"),
    Case("cut after the submission, said to be complete", f"{PLAN}\n\n```python\n{LOGIT}", LOGIT),
    Case("cut after the submission by the limit", f"{PLAN}\n\n```python\n{LOGIT}", Ask(), finish="length"),
    Case("cut before main is called", f"{PLAN}\n\n```python\n{MAINED[: MAINED.index('if __name__')]}", Ask()),
    Case("cut in the prose after it", f"{PLAN}\n\n{py(GBM)}\n\nThis should give about 0.78, sin", GBM, finish="length"),
    Case("cut with a word that says so", f"{PLAN}\n\n{py(GBM[: GBM.index('oof = ')])}\n\n[truncated]", Ask()),
    Case(
        "to be continued",
        f"Part 1/2:\n\n{py(GBM[: GBM.index('oof = ')])}\n\n(Continued in the next message.)",
        Ask(),
    ),
    Case(
        "cut within the name of the file", f"{PLAN}\n\n```python\n{LOGIT[: LOGIT.index('submission.csv') + 6]}", Ask()
    ),
    Case(
        "cut after a first submission",
        f"{PLAN}\n\n```python\n{SHORT}\n# now a real model\n{NET[: NET.index('optimizer =')]}",
        Ask(),
        finish="length",
    ),
    Case(
        "no plan, no fence, cut",
        LOGIT[: LOGIT.index("pipe.fit")],
        Ask(),
        finish="length",
    ),
    Case(
        "bare and cut after the submission",
        f"{PLAN}\n\n{ARIMA[: ARIMA.index('print(')]}",
        ARIMA[: ARIMA.index("print(")],
    ),
]

CASES = BLOCKS + ENCODINGS + GAPS + CUTS
