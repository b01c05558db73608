"""Field replies, a set of its own: siblings of the other sets in other words, shapes, and languages."""

from __future__ import annotations

import json

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case, py
from tests.support.replies.field_blocks import END, HEAD, MIDDLE
from tests.support.replies.field_cuts import FOLDS, hole, left, noted
from tests.support.replies.field_json import BUG, DIAG, H2, HYP, NOT, ONE, REV, SCORES, TEXTS, D, H, R, fence, scored
from tests.support.replies.field_programs import BASE, BETTER, MEDIAN, NET, PARTS, PLAN, TREES, cut

POLARS = """import polars as pl
from catboost import CatBoostRegressor

train = pl.read_csv("input/train.csv").to_pandas()
held = pl.concat([pl.read_csv("input/validation.csv"), pl.read_csv("input/test.csv")]).to_pandas()
X = train.drop(columns=["id", "density"])
model = CatBoostRegressor(iterations=200, verbose=0, random_seed=1).fit(X, train["density"])
held = held.assign(density=model.predict(held[X.columns]))
pl.from_pandas(held[["id", "density"]]).write_csv("submission.csv")
"""
SHAPE = """import pandas as pd

for name in ("train", "validation", "test"):
    frame = pd.read_csv(f"input/{name}.csv")
    print(name, frame.shape, list(frame.columns))
"""
PEEK = """import os

for root, _, names in os.walk("input"):
    for name in names:
        print(os.path.join(root, name), os.path.getsize(os.path.join(root, name)))
"""
DOC = PARTS.replace(
    '    out["width"]', '    # width first: the rest of the features is derived from it\n    out["width"]', 1
)
WARM = TREES.replace("SEED = 7\n", 'SEED = 7\nWORDS = {"<unk>": 0, "<pad>": 1}\nprint(WORDS["<unk>"])\n')
STUB = PARTS.replace("def main():", 'def on_end(*_):\n    """Nothing to do."""\n\n\ndef main():').replace(
    "    main()", "    main()\n    on_end()"
)
LATER = TREES.replace("SEED = 7\n", "SEED = 7\n# TODO: maybe tune the learning rate next\n")
NOTES = f"{PLAN}\n\n{py(TREES)}\n\n"

CASES = [
    Case("polars", f"{PLAN}\n\n{py(POLARS)}", POLARS),
    Case("shapes alone", f"Checking the files.\n\n{py(SHAPE)}", Ask()),
    Case("a walk through the files alone", f"Let's see what we have.\n\n{py(PEEK)}", Ask()),
    Case("a vocabulary's marks", py(WARM), WARM),
    Case("a hook that does nothing", py(STUB), STUB),
    Case("a note of what may come later", py(LATER), LATER),
    Case("a comment on the rest of the features", py(DOC), DOC),
    Case(
        "a note that it may be tuned",
        f"{NOTES}If it is too slow, you can change `max_iter` to 100 before you run it.",
        TREES,
    ),
    Case(
        "a list of what was changed",
        f"{NOTES}Changes:\n- Replace the zeros by missing values\n- Add five folds\n- Remove the unused import",
        TREES,
    ),
    Case(
        "what was wrong before",
        f"The mistake in the code above was the misspelt column.\n\n{py(TREES)}\n\nThe bug in the program is "
        f"fixed now.",
        TREES,
        Op.DEBUG,
    ),
    Case("a caveat", f"{NOTES}Note: this will fail if `hardness` is missing in the test set.", TREES),
    Case(
        "an expectation",
        f"{NOTES}This should be better than the base, but not by much. Actually, I expect about 0.29.",
        TREES,
    ),
    Case("a wish to wait", f"{NOTES}Wait for it to finish: it takes about ten seconds.", TREES),
    Case(
        "taken back at the end, no word of error",
        f"{NOTES}Hmm, on second thought the seed should be 0 rather than 7, so use that.",
        Ask(),
    ),
    Case(
        "taken back in german",
        f"{PLAN}\n\n{py(TREES)}\n\nAchtung: In Zeile 8 ist noch ein Fehler, dort muss `length` durch `height` "
        f"ersetzt werden.",
        Ask(),
    ),
    Case(
        "taken back in french",
        f"{PLAN}\n\n{py(TREES)}\n\nErreur de ma part: il faut remplacer `length` par `height` à la ligne 8.",
        Ask(),
    ),
    Case("one more line to add", f"{NOTES}I left out the import of `time`; add `import time` at the top.", Ask()),
    Case(
        "a line to delete first",
        f"{NOTES}Oh, and delete the line with `print` in the loop, it breaks the parser.",
        Ask(),
    ),
    Case(
        "the parent under its number",
        f"Program 2 (the base):\n\n{py(BASE)}\n\nI would add a ratio to it.",
        Ask(),
        Op.IMPROVE,
    ),
    Case(
        "the base with words of change, only it",
        f"Starting point:\n\n{py(BASE)}\n\nChange: add `ratio = width / length` as a column.",
        Ask(),
        Op.IMPROVE,
    ),
    Case(
        "both parents by letters, then one",
        f"Parent A\n\n{py(BASE)}\n\nParent B\n\n{py(PARTS)}\n\nChild\n\n{py(BETTER)}",
        BETTER,
        Op.MERGE,
    ),
    Case("draft 1, draft 2", f"Draft 1:\n\n{py(BASE)}\n\nDraft 2:\n\n{py(TREES)}", TREES),
    Case(
        "light and full",
        f"Lightweight variant for testing:\n\n{py(MEDIAN)}\n\nFull variant to submit:\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "full and light",
        f"Full variant to submit:\n\n{py(TREES)}\n\nLightweight variant for testing:\n\n{py(MEDIAN)}",
        TREES,
    ),
    Case("a smoke test after it", f"{NOTES}For a smoke test without sklearn:\n\n{py(MEDIAN)}", TREES),
    Case(
        "two cells and a third cut",
        f"{py(HEAD)}\n\n{py(MIDDLE)}\n\n```python\n{cut(END, '    residual')}",
        Ask(),
        finish="length",
    ),
    Case(
        "a cut at a closing bracket",
        f"{PLAN}\n\n```python\n{cut(TREES, 'index=False', after=True)}",
        Ask(),
        finish="length",
    ),
    Case("a cut in the reasoning's last word", f"<think>{PLAN}\n{py(TREES)}\n</thi", Ask(), finish="length"),
    Case("the answer twice, second cut in the plan", f"{PLAN}\n\n{py(TREES)}\n\n{PLAN[:40]}", TREES, finish="length"),
    Case("rest in dutch", left("# rest van de code blijft ongewijzigd"), Ask()),
    Case("rest in swedish", left("# resten av koden är oförändrad"), Ask()),
    Case("rest in ukrainian", left("# решта коду без змін"), Ask()),
    Case("rest in german, without dots", left("# Restlicher Code wie oben"), Ask()),
    Case("rest in spanish, without dots", left("# el resto del código sigue igual"), Ask()),
    Case("rest in french, without dots", left("# le reste du programme ne change pas"), Ask()),
    Case("left in chinese", hole("# (交叉验证部分与原程序相同)"), Ask()),
    Case("left as a bare word", hole("# <snip>"), Ask()),
    Case("left as a marker", hole("# >>> keep block: cross-validation <<<"), Ask()),
    Case("left to the reader", left("# feature engineering is left as an exercise"), Ask()),
    Case("left for space", hole("# cross-validation loop removed to save space"), Ask()),
    Case("left by a string", py(TREES.replace(FOLDS, '"""cross-validation unchanged"""\n\n')), Ask()),
    Case("left as in a file", left("# paste the feature code of solution_v1.py here"), Ask()),
    Case(
        "names without a home",
        py(TREES.replace('X, y = train[columns], train["density"]\n', "X, y = build_features(train, load_config())\n")),
        Ask(),
    ),
    Case(
        "a comment in german on data",
        py(noted("# der Rest der Spalten bleibt, wie er ist")),
        noted("# der Rest der Spalten bleibt, wie er ist"),
    ),
    Case("a comment in chinese on data", py(noted("# 其余列不做处理")), noted("# 其余列不做处理")),
    Case(
        "a comment in spanish on data",
        py(noted("# el resto de las columnas no cambia")),
        noted("# el resto de las columnas no cambia"),
    ),
    Case(
        "a shell that appends",
        f"```bash\ncat > s.py <<'EOF'\n{HEAD}EOF\ncat >> s.py <<'EOF'\n{MIDDLE}{END}EOF\n```",
        Ask(),
    ),
    Case("powershell", f"```powershell\n@'\n{TREES}'@ | Set-Content solution.py\n```", TREES),
    Case("echo lines", "```bash\n" + "".join(f"echo '{x}' >> s.py\n" for x in MEDIAN.splitlines()) + "```", MEDIAN),
    Case(
        "a yaml reply",
        "plan: Boosted trees.\ncode: |\n" + "".join(f"  {x}\n" if x else "\n" for x in TREES.splitlines()),
        TREES,
    ),
    Case("a toml reply", f"plan = \"Boosted trees.\"\ncode = '''\n{TREES}'''\n", TREES),
    Case(
        "a user's next turn in words",
        f"{NOTES}\nUser: The score was 0.31, please improve.\nAssistant: Sure.\n\n{py(NET)}",
        TREES,
    ),
    Case("a next turn of llama 2", f"{NOTES}[INST] Now use a net. [/INST]\n\n{py(NET)}", TREES),
    Case("reasoning in a list of quotes", "> **Thoughts**\n>\n> A forest?\n> No.\n\n" + NOTES, TREES),
    Case(
        "deepseek's end of thoughts in words",
        f"Okay, so I need trees. {py(BASE)}\n\n**Final Answer**\n\n{py(TREES)}",
        TREES,
    ),
    Case("an answer with a checklist", f"- [x] one block\n- [x] writes submission\n\n{NOTES}", TREES),
    Case(
        "json: quotes and a comma",
        '{"is_bug": true, "lesson": "It said "KeyError", then "widht", and stopped."}',
        {"is_bug": True, "lesson": 'It said "KeyError", then "widht", and stopped.'},
        Op.REVIEW,
    ),
    Case(
        "json: latex",
        '{"is_bug": false, "lesson": "An error of $\\sigma \\approx 0.3$ is left."}',
        {"is_bug": False, "lesson": "An error of $\\sigma \\approx 0.3$ is left."},
        Op.REVIEW,
    ),
    Case(
        "json: commas missing, nested",
        HYP.replace('"scenario",', '"scenario"').replace("10,", "10"),
        TEXTS,
        Op.HYPOTHESIZE,
    ),
    Case(
        "json: single quotes, nested",
        str({"hypotheses": [H, H2]}).replace("apart", "apart, that's bad"),
        TEXTS,
        Op.HYPOTHESIZE,
    ),
    Case("json: scores with a plus", scored(alignment="+9"), SCORES, Op.SELECT),
    Case("json: scores with a star", scored(alignment="9*"), SCORES, Op.SELECT),
    Case("json: percent", scored(alignment="90%"), Ask(), Op.SELECT),
    Case(
        "json: verdict in a heading, reasons in bullets",
        "## is_bug: true\n\n- it leaks the target\n- lesson: drop `density_mean`",
        {"is_bug": True, "lesson": "drop `density_mean`"},
        Op.REVIEW,
    ),
    Case(
        "json: words that only mention the keys",
        "The key is_bug: I am not sure about it.\nlesson: none yet.",
        Ask(),
        Op.REVIEW,
    ),
    Case("json: prose with both keys", "is_bug: it depends on the split\nlesson: check the split", Ask(), Op.REVIEW),
    Case(
        "json: a diagnosis as bullets",
        "\n".join(f"- **{k}**: {str(v).lower() if isinstance(v, bool) else v}" for k, v in D.items()),
        D,
        Op.DIAGNOSE,
    ),
    Case(
        "json: a diagnosis as bullets, one missing",
        "\n".join(f"- {k}: {v}" for k, v in D.items() if k != "replace"),
        Ask(),
        Op.DIAGNOSE,
    ),
    Case(
        "json: both verdicts as bullets",
        "- is_bug: true\n- lesson: It leaks.\n\nOr:\n\n- is_bug: false\n- lesson: It is fine.",
        Ask(),
        Op.REVIEW,
    ),
    Case("json: a verdict, another after or", f"{json.dumps(R)}\n\nor\n\n{json.dumps(BUG)}", Ask(), Op.REVIEW),
    Case(
        "json: alternatives",
        f"Strict reading:\n{fence(json.dumps(D))}\nLenient reading:\n{fence(json.dumps(NOT))}",
        Ask(),
        Op.DIAGNOSE,
    ),
    Case(
        "json: taken back in words",
        f"{REV}\n\nActually, it does have a bug: the scaler is fitted on all rows.",
        Ask(),
        Op.REVIEW,
    ),
    Case(
        "json: thoughts with a verdict, answer cut",
        f"<think>{REV}</think>\n\n" + '{"is_bug": tr',
        Ask(),
        Op.REVIEW,
        finish="length",
    ),
    Case("json: an explanation after it", f"{REV}\n\nThe verdict should be clear: the run ended well.", R, Op.REVIEW),
    Case("json: diagnosis, then advice", f"{DIAG}\n\nNext, change `max_depth` to 5.", D, Op.DIAGNOSE),
    Case("json: one with an extra key of code", json.dumps(H | {"code": "x = {'a': 1}"}), ONE, Op.SELECT),
]
