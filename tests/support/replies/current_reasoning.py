"""Replies of current models that show their reasoning in one way or another, and patches, options and second thoughts."""
# ruff: noqa: E501  (replies stand as models write them)

from __future__ import annotations

import json

from tests.support.replies.case import FOREST, SHORT, Ask, Case, py
from tests.support.replies.current_programs import ARIMA, GBM, LOGIT, MAINED, NET, TEMPLATE, TYPED

PLAN = (
    "The target is imbalanced and the table mixes numbers with categories, so gradient boosting fits well. Categories "
    "keep their own type and missing ages get a flag. Five stratified folds give the estimate."
)
EXAMPLE = """import pandas as pd

train = pd.read_csv("input/train.csv")
print("train", train.shape)
# and so on to the last line, which writes the submission
"""
FORM = f"First the plan, then exactly one fenced Python block.\n\nExample of the form:\n\nThe table is small.\n\n{py(EXAMPLE)}"

REASONING = [
    Case(
        "a draft within r1's thoughts",
        f"<think>\nOkay, so the user wants a program. Let me start:\n\n{py(LOGIT)}\n\nHmm, wait. Boosting is better "
        f"here. I'll go with LightGBM.\n</think>\n\n{PLAN}\n\n{py(GBM)}",
        GBM,
        plan="imbalanced",
    ),
    Case(
        "thoughts that stop within a block",
        f"<think>\nMaybe something like\n```python\nmodel = lgb.LGBMClassifier(\n\nno, too complicated. Go linear.\n"
        f"</think>\n{PLAN}\n\n{py(LOGIT)}",
        LOGIT,
    ),
    Case(
        "thoughts that never end",
        f"<think>\nLet me write it.\n\n{py(LOGIT)}\n\nBut wait, is C=0.5 fine? Perhaps",
        Ask(),
    ),
    Case(
        "thoughts that hold the program, then a word of farewell",
        f"<think>\n{PLAN}\n{py(GBM)}\nThis looks right.\n</think>\n\nThe program above is complete and writes the file.",
        Ask(),
    ),
    Case("thoughts of qwen that are empty", f"<think>\n\n</think>\n\n{PLAN}\n\n{py(GBM)}", GBM),
    Case(
        "three channels of gpt-oss",
        f"<|channel|>analysis<|message|>We need to output plan then code.\n{py(LOGIT)}\nOK.<|end|><|start|>assistant"
        f"<|channel|>commentary<|message|>I will now write the program.<|end|><|start|>assistant<|channel|>final"
        f"<|message|>{PLAN}\n\n{py(GBM)}<|return|>",
        GBM,
    ),
    Case(
        "a tool call of gpt-oss before the final channel",
        f"<|channel|>analysis<|message|>Check quickly.<|end|><|start|>assistant<|channel|>commentary to=python code"
        f"<|message|>print(1)<|call|><|start|>assistant<|channel|>final<|message|>{PLAN}\n\n{py(MAINED)}<|return|>",
        MAINED,
    ),
    Case(
        "channels whose marks were stripped",
        f"analysisWe need to produce a plan and code. Could use logistic regression:\n\n{py(LOGIT)}\n\nBetter: boosting."
        f"assistantfinal{PLAN}\n\n{py(GBM)}",
        GBM,
    ),
    Case(
        "gpt-oss that never leaves its analysis", f"<|channel|>analysis<|message|>We need code.\n{py(GBM)}\nAlso", Ask()
    ),
    Case(
        "a final channel that is cut within the block",
        f"<|channel|>analysis<|message|>Simple:\n{py(SHORT)}<|end|><|start|>assistant<|channel|>final<|message|>{PLAN}"
        f"\n\n```python\n{GBM[:900]}",
        Ask(),
        finish="length",
    ),
    Case(
        "headings for reasoning and solution",
        f"## Reasoning\n\nA linear baseline would be:\n\n{py(LOGIT)}\n\nIt ignores interactions.\n\n## Solution\n\n{PLAN}"
        f"\n\n{py(GBM)}",
        GBM,
    ),
    Case(
        "ollama's words around the thoughts",
        f"Thinking...\nThe user wants a script. Draft:\n{py(LOGIT)}\nFine, but use trees.\n...done thinking.\n\n{PLAN}\n\n"
        f"{py(GBM)}",
        GBM,
    ),
    Case(
        "ollama's thoughts that never end",
        f"Thinking...\nThe user wants a script. Draft:\n{py(LOGIT)}\nHmm, but",
        Ask(),
    ),
    Case(
        "tags of reasoning and plan", f"<reasoning>\n{py(LOGIT)}\n</reasoning>\n<plan>{PLAN}</plan>\n\n{py(GBM)}", GBM
    ),
    Case("a boxed answer of glm", f"<think>Ok.</think>\n<|begin_of_box|>{PLAN}\n\n{py(GBM)}<|end_of_box|>", GBM),
    Case("thoughts of kimi", f"◁think▷Draft:\n{py(LOGIT)}\n◁/think▷{PLAN}\n\n{py(GBM)}", GBM),
    Case("thoughts of seed", f"<seed:think>\n{py(LOGIT)}\nNo.</seed:think>\n{PLAN}\n\n{py(MAINED)}", MAINED),
    Case("unended thoughts of seed", f"<seed:think>\n{py(LOGIT)}\nNo. Then", Ask()),
    Case("unended thoughts of kimi", f"◁think▷Draft:\n{py(LOGIT)}\nHmm, now", Ask()),
    Case("thoughts of magistral", f"[THINK]Try\n{py(LOGIT)}[/THINK]{PLAN}\n\n{py(GBM)}", GBM),
    Case(
        "thoughts of command",
        f"<|START_THINKING|>{py(LOGIT)}<|END_THINKING|><|START_RESPONSE|>{PLAN}\n\n{py(GBM)}<|END_RESPONSE|>",
        GBM,
    ),
    Case("unended thoughts of command", f"<|START_THINKING|>I could use\n{py(LOGIT)}\nor perhaps", Ask()),
    Case("a program that strips thoughts", f"The texts hold traces of a model.\n\n{py(TEMPLATE)}", TEMPLATE),
    Case(
        "a program that strips thoughts, after thoughts",
        f"<think>The texts hold <think> tags. I should strip </think> too.</think>\n\nStripped.\n\n{py(TEMPLATE)}",
        TEMPLATE,
    ),
    Case("the form repeated, then the answer", f"{FORM}\n\nNow my answer.\n\n{PLAN}\n\n{py(GBM)}", GBM),
    Case("the form repeated and nothing else", FORM, Ask()),
    Case("a refusal", "I'm sorry, but I can't help with predicting loan defaults of individuals.", Ask()),
    Case("nothing", "", Ask()),
    Case("blanks", " \n\n\t\n", Ask()),
    Case("a plan alone", PLAN, Ask()),
    Case("a question back", "Could you share the first rows of train.csv, so that I can write the program?", Ask()),
]

SECOND = "\n\nWait, this scales before the split, which leaks. Here is the corrected program:\n\n"

CHANGES = [
    Case("a correction in full", f"{PLAN}\n\n{py(LOGIT)}{SECOND}{py(GBM)}", GBM),
    Case(
        "a correction of one function",
        f"{PLAN}\n\n{py(MAINED)}\n\nOops, one correction: the median of the test rows must not be used. Replace `build` by:\n\n"
        + py(
            "def build(frame: pd.DataFrame) -> pd.DataFrame:\n    out = frame.select_dtypes('number')\n    return out.fillna(0)\n"
        ),
        Ask(),
    ),
    Case(
        "a correction that is cut off", f"{PLAN}\n\n{py(LOGIT)}{SECOND}```python\n{GBM[:700]}", Ask(), finish="length"
    ),
    Case(
        "the old program after the new one, for reference",
        f"{PLAN}\n\n{py(GBM)}\n\nFor reference, the original base program was:\n\n{py(LOGIT)}",
        GBM,
    ),
    Case("before and after", f"**Before:**\n\n{py(LOGIT)}\n\n**After:**\n\n{py(GBM)}", GBM),
    Case("after and before", f"**After (improved):**\n\n{py(GBM)}\n\n**Before:**\n\n{py(LOGIT)}", GBM),
    Case(
        "an alternative for another machine at the end",
        f"{PLAN}\n\n{py(LOGIT)}\n\nIf LightGBM is installed on your machine, you can use this variant instead:\n\n{py(GBM)}",
        LOGIT,
    ),
    Case(
        "a quicker version for trials at the end",
        f"{PLAN}\n\n{py(GBM)}\n\n(Optional) For a quick smoke test of the submission format, use this trivial version:\n\n"
        f"{py(SHORT)}",
        GBM,
    ),
    Case("two options", f"**Option A: linear**\n\n{py(LOGIT)}\n\n**Option B: boosting**\n\n{py(GBM)}", Ask()),
    Case(
        "two options, the first one recommended",
        f"### Option A: boosting (recommended)\n\n{py(GBM)}\n\n### Option B: linear\n\n{py(LOGIT)}\n",
        GBM,
    ),
    Case(
        "two options, one recommended at the end",
        f"Approach 1:\n\n{py(GBM)}\n\nApproach 2:\n\n{py(LOGIT)}\n\nI'd recommend Approach 1, since it captures interactions.",
        GBM,
    ),
    Case("two ways in chinese", f"方案一：线性模型\n\n{py(LOGIT)}\n\n方案二：梯度提升\n\n{py(GBM)}", Ask()),
    Case("old and new in chinese", f"原代码：\n\n{py(LOGIT)}\n\n修改后的代码：\n\n{py(GBM)}", GBM),
    Case("old after new in chinese", f"修改后的代码：\n\n{py(GBM)}\n\n原代码（供参考）：\n\n{py(LOGIT)}", GBM),
    Case("the base program quoted", "> " + py(LOGIT).replace("\n", "\n> ") + f"\n\n{PLAN}\n\n{py(GBM)}", GBM),
    Case(
        "search and replace",
        "The learning rate falls.\n\n```python\n<<<<<<< SEARCH\nmodel = lgb.LGBMClassifier(n_estimators=600)\n=======\n"
        "model = lgb.LGBMClassifier(n_estimators=1200)\n>>>>>>> REPLACE\n```",
        Ask(),
    ),
    Case(
        "a unified diff",
        "The trees double.\n\n```diff\n--- a/solution.py\n+++ b/solution.py\n@@ -31,7 +31,7 @@\n-    m = fit(300)\n"
        "+    m = fit(600)\n     print(m)\n```",
        Ask(),
    ),
    Case(
        "a diff that calls itself python",
        "The trees double.\n\n```python\n import pandas as pd\n-m = fit(300)\n+m = fit(600)\n"
        ' sub.to_csv("submission.csv")\n```',
        Ask(),
    ),
    Case("a diff, then the program", f"Change:\n\n```diff\n-C=1.0\n+C=0.5\n```\n\nThe program:\n\n{py(LOGIT)}", LOGIT),
    Case(
        "the program, then its diff",
        f"{PLAN}\n\n{py(LOGIT)}\n\nSummary of the change:\n\n```diff\n-C=1.0\n+C=0.5\n```",
        LOGIT,
    ),
    Case(
        "an edit in words after a fragment",
        "Only the changed part is shown; everything else stays as in the base program.\n\n"
        + py(
            'model = lgb.LGBMClassifier(n_estimators=1200, random_state=SEED)\nsub.to_csv("submission.csv", index=False)\n'
        ),
        Ask(),
    ),
    Case(
        "apply a patch with a tool",
        json.dumps({"command": ["apply_patch", "*** Begin Patch\n*** Update File: a.py"]}),
        Ask(),
    ),
    Case(
        "a patch of codex",
        "*** Begin Patch\n*** Update File: solution.py\n@@\n-C=1.0\n+C=0.5\n*** End Patch",
        Ask(),
    ),
    Case("dots of typing and numpy", f"Types help.\n\n{py(TYPED)}", TYPED),
    Case("comments that sound like a gap", f"Weekday means.\n\n{py(ARIMA)}", ARIMA),
    Case("a fence in a docstring", f"A small network.\n\n{py(NET)}", NET),
    Case("a fence in a docstring within four", f"A small network.\n\n````python\n{NET}````\n", NET),
    Case(
        "a program after the forest it improves",
        f"Base:\n{py(FOREST)}\n\nImproved:\n{py(GBM)}\n\nThis adds features.",
        GBM,
    ),
]

CASES = REASONING + CHANGES
