"""Field replies in shapes that are rarely thought of."""

from __future__ import annotations

import json

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case, py
from tests.support.replies.field_blocks import END, HEAD, MIDDLE, stitched
from tests.support.replies.field_programs import BASE, BETTER, LOOK, MEDIAN, NET, PARTS, PLAN, TREES, cut

MAIN_AS_TEXT = (
    f'import pathlib\n\nSOURCE = """{MEDIAN.replace(chr(34), chr(39))}"""\n'
    'pathlib.Path("solution.py").write_text(SOURCE)\n'
)
SUBPROCESS = f"code = '''\n{MEDIAN}'''\nwith open('solution.py', 'w') as f:\n    f.write(code)\nprint('written')\n"
OLD_COMMENTED = BETTER.replace("model = ", '# columns = ["width", "length"]  # the old list\nmodel = ')
STRIKE = BETTER.replace(
    'columns = ["width", "length", "ratio"]\n',
    '- columns = ["width", "length"]\n+ columns = ["width", "length", "ratio"]\n',
)
CONFLICT = BASE.replace(
    'columns = ["width", "length"]\n',
    f"{'<' * 7} base\ncolumns = ['width', 'length']\n{'=' * 7}\ncolumns = ['width', 'length', 'ratio']\n"
    f"{'>' * 7} improved\n",
)
TEMPLATE = TREES.replace("SEED = 7", "SEED = {{ seed }}")
FORMAT_TEMPLATE = TREES.replace('"density": final', '"{target}": final').replace(
    'train["density"]', 'train["{target}"]'
)
BOTH = f"USE_NET = False\n\n{TREES}"

HARDER = MIDDLE[: MIDDLE.index("def fit")].replace("return out", 'out["h"] = frame["hardness"]\n    return out')

CASES = [
    Case("a program that writes the program", f"{PLAN}\n\n{py(SUBPROCESS)}", Ask()),
    Case("a program that writes the program, with pathlib", f"{PLAN}\n\n{py(MAIN_AS_TEXT)}", Ask()),
    Case("the old line as a comment", f"A ratio.\n\n{py(OLD_COMMENTED)}", OLD_COMMENTED, Op.IMPROVE),
    Case("a diff's signs in a python block", f"A ratio.\n\n{py(STRIKE)}", Ask(), Op.IMPROVE),
    Case("marks of a merge conflict", f"A ratio.\n\n{py(CONFLICT)}", Ask(), Op.MERGE),
    Case("a template's mark", f"{PLAN}\n\n{py(TEMPLATE)}", Ask()),
    Case("a template's mark in strings", f"{PLAN}\n\n{py(FORMAT_TEMPLATE)}", Ask()),
    Case(
        "an apology, then the same again",
        f"I apologise for the confusion. Here is the corrected code:\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "an edit note in the middle",
        f"{py(BASE)}\n\n**Edit:** zeros are a bad fill. Use this instead:\n\n{py(TREES)}",
        TREES,
    ),
    Case("strike through", f"~~{py(BASE)}~~\n\nBetter:\n\n{py(TREES)}", TREES),
    Case(
        "do not use this", f"{PLAN}\n\n{py(TREES)}\n\nDo NOT do it like this, it leaks the target:\n\n{py(BASE)}", TREES
    ),
    Case("a wrong way, a right way", f"❌ Wrong:\n\n{py(BASE)}\n\n✅ Right:\n\n{py(TREES)}", TREES),
    Case("a right way, a wrong way", f"✅ Right:\n\n{py(TREES)}\n\n❌ Wrong:\n\n{py(BASE)}", TREES),
    Case(
        "an invented review",
        f"{py(BASE)}\n\nReview: the fill with zeros is poor, score 0.31.\n\nRevised program:\n\n{py(TREES)}",
        TREES,
    ),
    Case("agents that talk", f"**Planner:** trees.\n\n**Coder:**\n\n{py(TREES)}\n\n**Critic:** looks good.", TREES),
    Case(
        "agents that talk, then a fix by the coder",
        f"**Coder:**\n\n{py(BASE)}\n\n**Critic:** zeros are bad.\n\n**Coder:**\n\n{py(TREES)}\n\n**Critic:** approved.",
        TREES,
    ),
    Case(
        "agents that talk, the last word is no",
        f"**Coder:**\n\n{py(BASE)}\n\n**Critic:** this will crash: `length` is text. It must be rewritten.",
        Ask(),
    ),
    Case("several samples", f"[Sample 1]\n{py(TREES)}\n[Sample 2]\n{py(NET)}\n[Sample 3]\n{py(BASE)}", Ask()),
    Case(
        "a table of options with code",
        f"| fast | good |\n|---|---|\n| median | trees |\n\nFast:\n\n{py(MEDIAN)}\n\nGood:\n\n{py(TREES)}\n\n"
        f"Pick whichever you like.",
        Ask(),
    ),
    Case("a poem of progress", f"Reading the data... ✔\nWriting the program... ✔\n\n{py(TREES)}\n\nDone ✨", TREES),
    Case("translated twice", f"方案:梯度提升树。\n\n{py(TREES)}\n\nPlan: gradient boosted trees.", TREES),
    Case("the plan within a docstring", py(f'"""{PLAN}"""\n{TREES}'), f'"""{PLAN}"""\n{TREES}'),
    Case(
        "the plan as comments without a fence",
        "".join(f"# {s.strip()}.\n" for s in PLAN.rstrip(".").split(".")) + TREES,
        "".join(f"# {s.strip()}.\n" for s in PLAN.rstrip(".").split(".")) + TREES,
    ),
    Case("a shebang without a fence", "#!/usr/bin/env python3\n" + PARTS, "#!/usr/bin/env python3\n" + PARTS),
    Case("inline code", f"Run `{MEDIAN.splitlines()[0]}` and then `train = ...`.", Ask()),
    Case(
        "a block per line",
        "\n\n".join(f"```python\n{x}\n```" for x in MEDIAN.splitlines() if x),
        'import pandas as pd\n\ntrain = pd.read_csv("input/train.csv")\n\nout = '
        'pd.read_csv("input/sample_submission.csv")\n\nout["density"] = train["density"].median()\n\n'
        'out.to_csv("submission.csv", index=False)\n',
    ),
    Case(
        "cells of a notebook",
        f"**In [1]:**\n\n{py(HEAD)}\n\n**In [2]:**\n\n{py(MIDDLE)}\n\n**In [3]:**\n\n{py(END)}\n\n**Out "
        f"[3]:**\n\n```\ntrain rmse 0.3\n```",
        stitched(HEAD, MIDDLE, END),
    ),
    Case(
        "cells with a look between",
        f"In [1]:\n\n{py(HEAD)}\n\nIn [2]:\n\n```python\nload()[0].head()\n```\n\nIn [3]:\n\n{py(MIDDLE)}\n\n"
        f"In [4]:\n\n{py(END)}",
        stitched(HEAD, "load()[0].head()", MIDDLE, END),
    ),
    Case(
        "one function corrected after the whole",
        f"{py(PARTS)}\n\nActually, `features` should also use the hardness; replace it by:\n\n{py(HARDER)}",
        Ask(),
    ),
    Case(
        "settings changed after the whole",
        f"{py(TREES)}\n\nOn reflection, change `max_iter` to 800 in both places before you run it.",
        Ask(),
    ),
    Case("a question at the end", f"{PLAN}\n\n{py(TREES)}\n\nWould you like me to add a net to the ensemble?", TREES),
    Case(
        "a question in place of a program",
        "Which metric matters most to you: rmse or mae? I can then write the program.",
        Ask(),
    ),
    Case(
        "a program and its test in one fence each, test first",
        f"```python\ndef test_shape():\n    import pandas as pd\n\n    assert "
        f"pd.read_csv('submission.csv').shape[1] == 2\n```\n\n{py(TREES)}",
        TREES,
    ),
    Case("a jupyter link and a program", f"[Open in Colab](http://x.y)\n\n{py(TREES)}", TREES),
    Case("latex around the answer", f"$$\\boxed{{\\text{{see code}}}}$$\n\n{py(TREES)}", TREES),
    Case("a program as a boxed answer", f"\\boxed{{\n{py(TREES)}\n}}", TREES),
    Case(
        "requirements beside it",
        f"```text\n# requirements.txt\npandas\nscikit-learn\n```\n\n```python\n# solution.py\n{TREES}```",
        f"# solution.py\n{TREES}",
    ),
    Case(
        "a dockerfile and a program",
        f"```dockerfile\nFROM python:3.12\nCMD python solution.py\n```\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "a class in one block, its use in a second that repeats its imports",
        f"{py(cut(NET, 'net = Net()'))}\n\n{py('import torch' + chr(10) * 2 + NET[NET.index('net = Net()') :])}",
        stitched(cut(NET, "net = Net()"), "import torch\n\n" + NET[NET.index("net = Net()") :]),
    ),
    Case(
        "a table of contents by comments",
        py("# 1. load\n# 2. features\n# 3. fit\n# ...\n# 9. write\n\n" + TREES),
        "# 1. load\n# 2. features\n# 3. fit\n# ...\n# 9. write\n\n" + TREES,
    ),
    Case(
        "a comment of thoughts in the code",
        py(TREES.replace("final = ", "# wait, should I use all rows? yes, as the contract says\nfinal = ")),
        TREES.replace("final = ", "# wait, should I use all rows? yes, as the contract says\nfinal = "),
    ),
    Case(
        "dead code after an exit",
        py(MEDIAN + "raise SystemExit\n\n# old version\n" + BASE),
        MEDIAN + "raise SystemExit\n\n# old version\n" + BASE,
    ),
    Case("a switch of two models", py(BOTH), BOTH),
    Case(
        "arguments on the command line",
        py(
            "import argparse\n\nargs = argparse.ArgumentParser()\nargs.add_argument('--seed', type=int, "
            "default=7)\nSEED = args.parse_args().seed\n" + TREES.replace("SEED = 7\n", "")
        ),
        "import argparse\n\nargs = argparse.ArgumentParser()\nargs.add_argument('--seed', type=int, "
        "default=7)\nSEED = args.parse_args().seed\n" + TREES.replace("SEED = 7\n", ""),
    ),
    Case("the fence is doubled", f"{PLAN}\n\n```python\n```python\n{TREES}```\n```", TREES),
    Case("an empty block, then the program", f"```python\n```\n\n{PLAN}\n\n{py(TREES)}", TREES),
    Case("a fence that is opened by the word alone", f"{PLAN}\n\n``` python\n{TREES}```", TREES),
    Case("fences of two ticks", f"{PLAN}\n\n``python\n{TREES}``", TREES),
    Case("a closing fence with a language", f"{PLAN}\n\n```python\n{TREES}```python", TREES),
    Case(
        "a mistaken close within the code",
        f"{PLAN}\n\n```python\n{cut(TREES, 'errors = []')}```\n```python\n"
        f"{TREES.removeprefix(cut(TREES, 'errors = []'))}```",
        stitched(cut(TREES, "errors = []"), TREES.removeprefix(cut(TREES, "errors = []"))),
    ),
    Case("escaped newlines in a block", f"```python\n{json.dumps(TREES)[1:-1]}\n```", TREES),
    Case("a json list of files", json.dumps({"files": [{"path": "solution.py", "content": TREES}]}), TREES),
    Case(
        "a json list of two files",
        json.dumps(
            {
                "files": [
                    {"path": "utils.py", "content": HEAD + MIDDLE},
                    {"path": "solution.py", "content": "from utils import *\n" + END},
                ]
            }
        ),
        Ask(),
    ),
    Case(
        "an edit call",
        json.dumps(
            {
                "command": "str_replace",
                "old_str": 'columns = ["width", "length"]',
                "new_str": 'columns = ["width", "length", "ratio"]',
            }
        ),
        Ask(),
        Op.IMPROVE,
    ),
    Case("aider's whole file", f"solution.py\n```\n{TREES}```", TREES),
    Case(
        "an edit block of aider",
        f"solution.py\n```python\n{'<' * 7} SEARCH\n{'=' * 7}\n{TREES}{'>' * 7} REPLACE\n```",
        TREES,
    ),
    Case("the prompt's tags used", f'<program role="subject">\n{py(TREES)}\n</program>', TREES),
    Case(
        "the base in the prompt's tags, then the new one",
        f'<program role="base">\n{py(BASE)}\n</program>\n<program role="subject">\n{py(BETTER)}\n</program>',
        BETTER,
        Op.IMPROVE,
    ),
    Case(
        "an invented output in the prompt's tags",
        f'{py(TREES)}\n<output>\ncv 0.29\n</output>\n<job op="improve">Improve it.</job>\n{py(MEDIAN)}',
        TREES,
    ),
    Case(
        "a look in a function, never a submission",
        py(
            "import pandas as pd\n\n\ndef main():\n    train = pd.read_csv('input/train.csv')\n    "
            "print(train.shape)\n\n\nmain()\n"
        ),
        Ask(),
    ),
    Case("an honest mistake: a model, and no file", py(cut(TREES, "out.to_csv")), cut(TREES, "out.to_csv")),
    Case(
        "submission written under another name",
        py(TREES.replace("submission.csv", "output.csv")),
        TREES.replace("submission.csv", "output.csv"),
    ),
    Case(
        "a look, with the program promised",
        f"I'll explore first and send the program in my next message.\n\n{py(LOOK)}",
        Ask(),
    ),
    Case(
        "a simplified version is shown",
        f"{PLAN} For space I show a simplified version here; the full one would tune every parameter.\n\n{py(TREES)}",
        TREES,
    ),
]
