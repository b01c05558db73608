"""Replies that were written after the reader was mended for those before, to see what is left."""
# ruff: noqa: E501  (replies stand as models write them)

from __future__ import annotations

import json
from typing import Any

from mlesearch.types import Op
from tests.support.replies.case import SHORT, Ask, Case, joined, py
from tests.support.replies.current_json import BLEND, FINE, FLAGS, LEAK, LESSON, SLOWER, VERDICT, fenced, idea
from tests.support.replies.current_programs import ARIMA, GBM, LOGIT, MAINED, NET, TYPED
from tests.support.replies.current_reasoning import PLAN

IMPORTS, _, REST = GBM.partition("START = time.time()\n")
REST = f"START = time.time()\n{REST}"
CLI = MAINED.replace('if __name__ == "__main__":\n    main()\n', "raise SystemExit(main())\n")
SPAWN = MAINED.replace(
    "    main()\n", "    import multiprocessing as mp\n\n    p = mp.Process(target=main)\n    p.start()\n    p.join()\n"
)
HOOK = """import pandas as pd


class Callback:
    def on_epoch_end(self):
        \"\"\"Same as in the base class: nothing.\"\"\"


def metric(y, p):
    raise NotImplementedError


callback = Callback()
sample = pd.read_csv("input/sample_submission.csv")
sample.to_csv("submission.csv", index=False)
"""
STUB = GBM.replace(
    '    df = df.copy()\n    df["income_per_head"] = df["income"] / (df["household"] + 1)\n    df["age_missing"] = df["age"].isna().astype(int)\n    return df\n',
    "    # ... existing feature engineering ...\n    return df\n",
)
LAMBDA = GBM.replace(
    "oof = np.zeros(len(train))", "# (fold loop as in the base program, see above)\noof = np.zeros(len(train))"
)
OMIT = (
    GBM[: GBM.index("for fold,")]
    + "# training loop omitted, identical to the base\n"
    + GBM[GBM.index("pd.DataFrame({") :]
)

PROGRAMS = [
    Case("imports apart from the rest", f"Imports:\n{py(IMPORTS)}\nThe rest:\n{py(REST)}", joined(IMPORTS, REST)),
    Case("an exit with main's result", f"{PLAN}\n\n{py(CLI)}", CLI),
    Case("main in another process", f"{PLAN}\n\n{py(SPAWN)}", SPAWN),
    Case("hooks that do nothing", f"{PLAN}\n\n{py(HOOK)}", HOOK),
    Case("existing feature engineering", f"{PLAN}\n\n{py(STUB)}", Ask()),
    Case("a remark on a loop that stands there", f"{PLAN}\n\n{py(LAMBDA)}", LAMBDA),
    Case("a loop omitted", f"{PLAN}\n\n{py(OMIT)}", Ask()),
    Case("thoughts in german", f"<think>\nIch nehme Bäume.\n{py(LOGIT)}\n</think>\nDer Plan: Bäume.\n\n{py(GBM)}", GBM),
    Case("two options in german", f"Variante A: linear\n{py(LOGIT)}\nVariante B: Bäume\n{py(GBM)}", Ask()),
    Case("old after new in german", f"Neuer Code:\n{py(GBM)}\n\nUrsprünglicher Code zum Vergleich:\n{py(LOGIT)}", GBM),
    Case("two options in french", f"Option 1 : linéaire\n{py(LOGIT)}\nOption 2 : arbres\n{py(GBM)}", Ask()),
    Case("old after new in spanish", f"Código nuevo:\n{py(GBM)}\n\nCódigo original (referencia):\n{py(LOGIT)}", GBM),
    Case(
        "first attempt, review, final",
        f"# Attempt 1\n{py(LOGIT)}\n# Self-review\nIt underfits.\n# Final answer\n{py(GBM)}",
        GBM,
    ),
    Case("three drafts", f"Draft:\n{py(SHORT)}\nBetter:\n{py(LOGIT)}\nBest:\n{py(GBM)}", GBM),
    Case(
        "a baseline to compare with at the end", f"{PLAN}\n\n{py(GBM)}\n\nBaseline for comparison:\n\n{py(LOGIT)}", GBM
    ),
    Case("what failed, at the end", f"{PLAN}\n\n{py(GBM)}\n\nThe version that crashed was:\n\n{py(LOGIT)}", GBM),
    Case(
        "an ensemble member at the end",
        f"{PLAN}\n\n{py(GBM)}\n\nNext step (not needed now), a second model to blend later:\n\n{py(LOGIT)}",
        GBM,
    ),
    Case("the same program twice", f"{PLAN}\n\n{py(GBM)}\n\nOnce more, in full:\n\n{py(GBM)}", GBM),
    Case("a program and the time it takes", f"{PLAN}\n\n{py(NET)}\n\n```text\nloss 0.31\n```\nIt needs 12 s.", NET),
    Case("a program within a canvas", f"<canvas>\n{py(TYPED)}\n</canvas>", TYPED),
    Case(
        "an artifact of claude",
        f'{PLAN}\n\n<antArtifact identifier="s" type="application/vnd.ant.code" language="python">\n{LOGIT}</antArtifact>',
        LOGIT,
    ),
    Case("cut within thoughts after a program", f"{PLAN}\n\n{py(GBM)}\n\n<think>\nIs that right? Perhaps", GBM),
    Case("cut in a comment", f"{PLAN}\n\n```python\n{ARIMA[: ARIMA.index('(unchanged)')]}", Ask(), finish="length"),
    Case(
        "a limit said in words",
        f"{PLAN}\n\n{py(GBM[: GBM.index('oof = ')])}\n\nI ran out of space; let me know if I should go on.",
        Ask(),
    ),
    Case(
        "change two lines by hand",
        f"Take your program and change:\n\n{py('LR = 0.01' + chr(10))}\nand\n\n{py('TREES = 2000' + chr(10))}",
        Ask(),
    ),
    Case(
        "a function to paste in",
        f"Add this function to your script:\n\n{py('def ratio(f):' + chr(10) + '    return f.a / f.b' + chr(10))}",
        Ask(),
    ),
]


def review(name: str, text: str, want: Any, finish: str = "stop") -> Case:
    return Case(name, text, want, Op.REVIEW, finish)


JUDGEMENTS = [
    review("unseen: key and value in capitals", json.dumps({"IS_BUG": "FALSE", "LESSON": LESSON}), FINE),
    review("unseen: a confidence beside it", json.dumps(FINE | {"confidence": 0.8, "notes": []}), FINE),
    review("unseen: flag in an object", json.dumps(FINE | {"is_bug": {"value": False, "why": "ran"}}), FINE),
    review("unseen: the answer before its thoughts", f"{fenced(FINE)}\n<think>hm {json.dumps(LEAK)}", FINE),
    review("unseen: a draft in prose, then json", f'Initially "is_bug": true came to mind.\n{json.dumps(FINE)}', FINE),
    review(
        "unseen: corrected in words",
        f"{json.dumps(FINE)}\n\nCorrection: is_bug should be true, since the encoder leaks.",
        Ask(),
    ),
    review("unseen: maybe", json.dumps(FINE | {"is_bug": "maybe"}), Ask()),
    review("unseen: false but", json.dumps(FINE | {"is_bug": "false, but the leak means it should be true"}), Ask()),
    review("unseen: percent", json.dumps(FINE | {"is_bug": 0.3}), Ask()),
    review("unseen: a lesson that is a placeholder", json.dumps(FINE | {"lesson": "..."}), Ask()),
    Case(
        "unseen: supported: weakly supported",
        json.dumps(VERDICT | {"hypothesis_supported": "weakly supported"}),
        Ask(),
        Op.DIAGNOSE,
    ),
    Case("unseen: replace in words", json.dumps(VERDICT | {"replace": "keep base"}), Ask(), Op.DIAGNOSE),
    Case(
        "unseen: a key of another spelling",
        json.dumps(VERDICT).replace("severely_misaligned", "severelyMisaligned"),
        VERDICT,
        Op.DIAGNOSE,
    ),
    Case(
        "unseen: ideas with headings",
        f"### Problem 1\n{fenced(SLOWER)}\n### Problem 2\n{fenced(FLAGS)}\n",
        {"hypotheses": [SLOWER["hypothesis"], FLAGS["hypothesis"]]},
        Op.HYPOTHESIZE,
    ),
    Case(
        "unseen: a list each",
        f"{fenced([SLOWER])}\n{fenced([BLEND])}",
        {"hypotheses": [SLOWER["hypothesis"], BLEND["hypothesis"]]},
        Op.HYPOTHESIZE,
    ),
    Case(
        "unseen: a cut list after a whole one",
        json.dumps({"hypotheses": [SLOWER]}) + "\nRefined:\n" + json.dumps({"hypotheses": [FLAGS, BLEND]})[:-150],
        Ask(),
        Op.HYPOTHESIZE,
        "length",
    ),
    Case(
        "unseen: one idea whose scores are words",
        json.dumps(
            {
                "hypotheses": [
                    idea(
                        "Try.", scores=dict.fromkeys(("alignment", "impact", "novelty", "feasibility", "risk"), "high")
                    )
                ]
            }
        ),
        Ask(),
        Op.HYPOTHESIZE,
    ),
    Case(
        "unseen: select after thinking aloud",
        f"Candidate 1 {{weak}}. Candidate 2 strong.\n\n{fenced({'hypotheses': FLAGS})}",
        {"hypotheses": [FLAGS["hypothesis"]]},
        Op.SELECT,
    ),
]

CASES = PROGRAMS + JUDGEMENTS
