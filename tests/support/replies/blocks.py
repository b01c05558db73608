"""Several blocks, and fences in every form."""

from __future__ import annotations

from tests.support.replies.case import DRAFT, FOREST, HELPERS, MAIN, RIDGE, SHORT, Ask, Case, joined, py

DATA = """import pandas as pd
from sklearn.ensemble import RandomForestRegressor

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
"""
RATIOS = """for frame in (train, test):
    frame["ratio"] = frame["width"] / frame["length"]
"""
FIT = """columns = [c for c in test.columns if c != "id"]
model = RandomForestRegressor(random_state=0).fit(train[columns], train["y"])
test["y"] = model.predict(test[columns])
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
LOOK = """import pandas as pd
print(pd.read_csv("submission.csv").head())
"""
END = """sub["target"] = model.predict(X)
sub.to_csv("submission.csv")
"""
CALLED = RIDGE.partition("\n\nif __name__")[0] + "\n"
PROMPTS = '''import pandas as pd

PROMPT = """Show code like this:
```python
x = 1
```
or as text:
```
nothing
```
"""
rows = pd.read_csv("input/test.csv")
rows["prompt"] = PROMPT
rows[["id", "prompt"]].to_csv("submission.csv", index=False)
'''


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


CASES = [
    Case("plain", f"A forest on all columns.\n\n{py(FOREST)}\n", FOREST, plan="A forest on all columns."),
    Case("corrected, shorter", f"Draft:\n{py(DRAFT)}\nWait, corrected version:\n{py(SHORT)}", SHORT),
    Case(
        "the old one quoted whole, then the new",
        f"The base program is\n{py(FOREST)}\nI replace it by\n{py(SHORT)}",
        SHORT,
    ),
    Case(
        "the new, then the old for reference",
        f"New.\n{py(SHORT)}\nFor reference, the base program:\n{py(FOREST)}",
        SHORT,
    ),
    Case("the new, then a look at the result", f"Ridge.\n{py(RIDGE)}\nTo see the result:\n{py(LOOK)}", RIDGE),
    Case("the new, then how to run it", f"Ridge.\n{py(RIDGE)}\nRun it:\n```bash\npython solution.py\n```", RIDGE),
    Case(
        "a snippet in the plan",
        f"The key line is\n{py('model = Ridge(alpha=1.0)' + chr(10))}\nThe whole:\n{py(RIDGE)}",
        RIDGE,
    ),
    Case(
        "a snippet in the plan, program unmarked", f"Key:\n{py('alpha = 1.0' + chr(10))}\nAll:\n{py(RIDGE, '')}", RIDGE
    ),
    Case("helpers, then main", f"Helpers:\n{py(HELPERS)}\nMain:\n{py(MAIN)}", joined(HELPERS, MAIN)),
    Case("main, then helpers", f"Main:\n{py(MAIN)}\nwith these helpers:\n{py(HELPERS)}", joined(HELPERS, MAIN)),
    Case("main without its helpers", f"The main script:\n{py(MAIN)}", Ask(("`load`", "`prepare`"))),
    Case("three blocks", f"1.\n{py(DATA)}\n2.\n{py(RATIOS)}\n3.\n{py(FIT)}", joined(DATA, RATIOS, FIT)),
    Case("three blocks, one missing", f"Features:\n{py(RATIOS)}\nThen:\n{py(FIT)}", Ask(("`train`",))),
    Case("defined, then called", f"Define:\n{py(CALLED)}\nRun:\n{py('main()' + chr(10))}", joined(CALLED, "main()\n")),
    Case(
        "a program cut into blocks within a function",
        f"{py(RIDGE[: RIDGE.index('    prediction')])}\nand it goes on:\n{py(RIDGE[RIDGE.index('    prediction') :])}",
        RIDGE,
    ),
    Case("a change to another block", f"The base:\n{py(FOREST)}\nReplace its end by:\n{py(END)}", Ask(("another",))),
    Case(
        "two options, the second recommended",
        f"Option 1: a forest.\n{py(FOREST)}\nOption 2 (recommended): ridge.\n{py(RIDGE)}\nI recommend option 2.",
        RIDGE,
    ),
    Case(
        "two options, the first recommended",
        f"Option A: ridge.\n{py(RIDGE)}\nOption B: a forest.\n{py(FOREST)}\nI'd go with option A, it is quicker.",
        RIDGE,
    ),
    Case("two options, neither", f"Option A.\n{py(RIDGE)}\nOption B.\n{py(FOREST)}\nYour choice.", Ask(("choose",))),
    Case(
        "an alternative after it",
        f"Ridge.\n{py(RIDGE)}\nAlternatively, a simpler one:\n{py(SHORT)}",
        Ask(("not clear",)),
    ),
    Case("python:solution.py", f"Ridge.\n{py(RIDGE, 'python:solution.py')}", RIDGE),
    Case("solution.py", f"Ridge.\n{py(RIDGE, 'solution.py')}", RIDGE),
    Case("python3.11", f"Ridge.\n{py(RIDGE, 'python3.11')}", RIDGE),
    Case("tool_code", f"Ridge.\n{py(RIDGE, 'tool_code')}", RIDGE),
    Case("PYTHON", f"Ridge.\n{py(RIDGE, 'PYTHON')}", RIDGE),
    Case("{.python .numberLines}", f"Ridge.\n{py(RIDGE, '{.python .numberLines}')}", RIDGE),
    Case("python title=...", f"Ridge.\n{py(RIDGE, 'python title=main.py')}", RIDGE),
    Case("py3", f"Ridge.\n{py(RIDGE, 'py3')}", RIDGE),
    Case("no info", f"Ridge.\n{py(RIDGE, '')}", RIDGE),
    Case("text", f"Ridge.\n{py(RIDGE, 'text')}", RIDGE),
    Case("tildes", f"Ridge.\n~~~python\n{RIDGE}~~~", RIDGE),
    Case("four ticks", f"Ridge.\n````python\n{RIDGE}````", RIDGE),
    Case("in a list", f"1. Ridge:\n\n{indented(py(RIDGE), 4)}\n\n2. Done.", RIDGE),
    Case("in a list, on its line", f"- ```python\n{indented(RIDGE, 2)}  ```", RIDGE),
    Case("in a list, with a tab", "1. Ridge:\n" + "".join(f"\t{x}\n" for x in py(RIDGE).split("\n")), RIDGE),
    Case("in a quotation", "".join(f"> {x}\n" for x in f"Ridge.\n\n{py(RIDGE)}".split("\n")), RIDGE),
    Case("glued to prose", f"Here is the program: {py(RIDGE)}", RIDGE, plan="Here is the program:"),
    Case("code on the line of the mark", f"Ridge.\n```python {RIDGE}```", RIDGE),
    Case("closed on the line of code", f"Ridge.\n```python\n{RIDGE.rstrip()}```", RIDGE),
    Case(
        "prose on the closing line", f"Ridge.\n```python\n{RIDGE}``` This is ridge on ratios.", RIDGE, plan="on ratios"
    ),
    Case("prose after the block", f"Ridge.\n{py(RIDGE)}\nIt takes a second.\n", RIDGE, plan="It takes a second."),
    Case("a program that holds fences", f"Prompts.\n\n{py(PROMPTS)}", PROMPTS),
    Case("a program that holds fences, then prose", f"Prompts.\n\n{py(PROMPTS)}\nDone.\n", PROMPTS, plan="Done."),
    Case("a draft that was never closed", f"```python\n{DRAFT}\nWait, simpler:\n```python\n{SHORT}```", SHORT),
    Case("output beside it", f"Ridge.\n{py(RIDGE)}\nOutput:\n```\nvalidation_score: 0.85\n```", RIDGE),
    Case("a table beside it", f"| a | b |\n|---|---|\n| `x` | ``` |\n\n{py(RIDGE)}", RIDGE),
    Case("a diff", "Change:\n```diff\n-alpha = 1\n+alpha = 2\n```", Ask(("patch",))),
    Case(
        "search and replace",
        "<<<<<<< SEARCH\nmodel = Ridge()\n=======\nmodel = Lasso()\n>>>>>>> REPLACE",
        Ask(("patch",)),
    ),
    Case("prose alone", "I would use gradient boosting with five folds.", Ask(("no program",))),
    Case("a refusal", "I'm sorry, but I can't help with that.", Ask(("no program",))),
]
