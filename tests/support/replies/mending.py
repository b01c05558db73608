"""Programs that a chat's format has spoiled."""

from __future__ import annotations

from tests.support.replies.case import FOREST, RIDGE, SHORT, Ask, Case, py

LOSS = """import pandas as pd

frame = pd.read_csv("input/test.csv")
frame["y"] = (frame["a"] > 1) & (frame["b"] < 2)
frame[["id", "y"]].to_csv("submission.csv", index=False)
"""
QUOTES = """import pandas as pd

# “typographic” quotes, and a no-break\u00a0space, in a comment and in a text
NAMES = {"“a”": "it’s", "b\u00a0c": "&lt;d&gt;"}
pd.read_csv("input/sample_submission.csv").rename(columns=NAMES).to_csv("submission.csv", index=False)
"""
MODERN = """import pandas as pd

name = "target"
frame = pd.read_csv("input/sample_submission.csv")
print(f"{name}: {len(frame)}")
frame.to_csv("submission.csv", index=False)
"""

CASES = [
    Case("entities", f"x\n{py(LOSS.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;'))}", LOSS),
    Case("one entity, which compiles", f"x\n{py(LOSS.replace('&', '&amp;'))}", LOSS),
    Case("smart quotes", f"x\n{py(SHORT.replace(chr(34), chr(0x201D)))}", SHORT),
    Case("no-break spaces", f"x\n{py(RIDGE.replace('    ', chr(0xA0) * 4))}", RIDGE),
    Case("zero-width spaces", f"x\n{py(SHORT.replace('import', chr(0x200B) + 'import'))}", SHORT),
    Case("both", f"x\n{py(SHORT.replace(chr(34), chr(0x201C)).replace(' = ', chr(0xA0) + '= '))}", SHORT),
    Case("typography that belongs there", f"x\n{py(QUOTES)}", QUOTES),
    Case(
        "notebook lines",
        f"x\n{py('%matplotlib inline' + chr(10) + '!pip install -q lightgbm' + chr(10) + FOREST)}",
        FOREST,
    ),
    Case(
        "a notebook line that matters",
        f"x\n{py('!unzip input/images.zip -d work' + chr(10) + FOREST)}",
        Ask(("line 1",)),
    ),
    Case("%%writefile", f"x\n{py('%%writefile solution.py' + chr(10) + FOREST)}", FOREST),
    Case("In [1]:", f"x\n{py('In [1]: ' + SHORT)}", SHORT),
    Case(
        "a session",
        "x\n"
        + py("".join(f">>> {x}\n" for x in SHORT.splitlines() if x).replace(">>> sample[", ">>> sample["), "pycon"),
        SHORT.replace("\n\n", "\n"),
    ),
    Case("line numbers", "x\n" + py("".join(f"{n:3d}  {x}\n" for n, x in enumerate(SHORT.splitlines(), 1))), SHORT),
    Case("indented as a whole", f"x\n{py(''.join('    ' + x for x in FOREST.splitlines(keepends=True)))}", FOREST),
    Case("a mark of the end within the block", f"x\n```python\n{FOREST}<|im_end|>", FOREST),
    Case("modern f-strings", f"x\n{py(MODERN)}", MODERN),
    Case("carriage returns", f"x\n{py(RIDGE)}".replace("\n", "\r\n"), RIDGE),
    Case("a syntax error", f"x\n{py(SHORT.replace('0.5', '0.5)'))}", Ask(("line 4",))),
    Case(
        "prose in the middle of code",
        f"x\n{py(SHORT.replace('sample[', 'Now we set the value.' + chr(10) + 'sample['))}",
        Ask(("line 4",)),
    ),
]
