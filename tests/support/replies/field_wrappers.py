"""Field replies: what stands around a program, or what carries it."""

from __future__ import annotations

import base64
import json

from tests.support.replies.case import Ask, Case, py
from tests.support.replies.field_programs import BASE, LOOK, MEDIAN, NET, PARTS, PLAN, TREES, cut, indented

CALL = json.dumps({"path": "solution.py", "content": TREES})
CODE_CALL = json.dumps({"name": "python", "arguments": {"code": TREES}})
CELLS = TREES.replace("errors = []", "# %%\nerrors = []")
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": [PLAN]},
            {"cell_type": "code", "source": PARTS.splitlines(keepends=True), "outputs": []},
        ],
        "nbformat": 4,
        "metadata": {},
    }
)
HTML = TREES.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
NUMBERED = "".join(f"{i:3d} | {line}\n" for i, line in enumerate(TREES.splitlines(), 1))
PROMPTED = "".join((">>> " if line[:1] not in (" ", "") else "... ") + line + "\n" for line in MEDIAN.splitlines())

CASES = [
    Case("a here document in bash", f"```bash\ncat > solution.py << 'EOF'\n{TREES}EOF\npython solution.py\n```", TREES),
    Case("a here document, tee", f'{PLAN}\n\n```sh\ntee solution.py <<"PY"\n{PARTS}PY\n```', PARTS),
    Case("python with a here document", f"```bash\npython3 - <<'EOF'\n{TREES}EOF\n```", TREES),
    Case("a magic that writes the file", f"```python\n%%writefile solution.py\n{TREES}```", TREES),
    Case("a notebook with pip", f"```python\n!pip install -q scikit-learn\n%matplotlib inline\n{TREES}```", TREES),
    Case("a notebook as json", f"```json\n{NOTEBOOK}\n```", PARTS),
    Case("cells marked by percent", py(CELLS), CELLS),
    Case(
        "kimi's tool call",
        f"{PLAN}<|tool_calls_section_begin|><|tool_call_begin|>functions.write_file:0<|"
        f"tool_call_argument_begin|>{CALL}<|tool_call_end|><|tool_calls_section_end|>",
        TREES,
    ),
    Case(
        "glm's tool call",
        f"{PLAN}\n<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>solution.py</arg_value>\n"
        f"<arg_key>content</arg_key>\n<arg_value>{TREES}</arg_value>\n</tool_call>",
        TREES,
    ),
    Case(
        "qwen coder's tool call",
        f"{PLAN}\n\n<tool_call>\n<function=write_file>\n<parameter=path>\nsolution.py\n</parameter>\n"
        f"<parameter=content>\n{TREES}</parameter>\n</function>\n</tool_call>",
        TREES,
    ),
    Case("a hermes tool call", f"{PLAN}\n<tool_call>\n{CODE_CALL}\n</tool_call>", TREES),
    Case("llama's python tag", f"<|python_tag|>{TREES}<|eom_id|>", TREES),
    Case("mistral's tool call", f'[TOOL_CALLS][{{"name": "write_file", "arguments": {CALL}}}]', TREES),
    Case(
        "deepseek's tool call",
        f"{PLAN}<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>write_file<｜tool▁sep｜>{CALL}"
        f"<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        TREES,
    ),
    Case(
        "minimax's tool call",
        f'{PLAN}\n<minimax:tool_call>\n<invoke name="write_file">\n<parameter '
        f'name="path">solution.py</parameter>\n<parameter name="content">{TREES}</parameter>\n</invoke>\n'
        f"</minimax:tool_call>",
        TREES,
    ),
    Case(
        "a function call in tags",
        f'{PLAN}\n<function_calls>\n<invoke name="create_file">\n<parameter '
        f'name="path">solution.py</parameter>\n<parameter name="file_text">{TREES}</parameter>\n</invoke>\n'
        f"</function_calls>",
        TREES,
    ),
    Case(
        "harmony's python tool",
        f"<|start|>assistant<|channel|>commentary to=python code<|message|>{LOOK}<|call|>",
        Ask(),
    ),
    Case(
        "a tool call that looks at the data",
        f"<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'code': LOOK}})}\n</tool_call>",
        Ask(),
    ),
    Case(
        "a tool call that lists files",
        '<tool_call>\n{"name": "bash", "arguments": {"command": "head -3 input/train.csv"}}\n</tool_call>',
        Ask(),
    ),
    Case("llama's python tag, a look", f"<|python_tag|>{LOOK}<|eom_id|>", Ask()),
    Case(
        "a tool call with its invented answer",
        f"<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'code': LOOK}})}\n</tool_call>\n"
        f"<tool_response>\n300 rows\n</tool_response>\n{PLAN}\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "a code execution with its result",
        f"{PLAN}\n\n```tool_code\n{TREES}```\n```tool_outputs\nfold 0 0.3\ncv 0.3\n```\n",
        TREES,
    ),
    Case(
        "bolt's artifact",
        f'<boltArtifact id="s" title="Solution"><boltAction type="file" filePath="solution.py">{TREES}'
        f"</boltAction></boltArtifact>",
        TREES,
    ),
    Case(
        "an artifact by its tag",
        f'{PLAN}\n<antArtifact identifier="solution" type="application/vnd.ant.code" language="python" '
        f'title="Solution">\n{TREES}</antArtifact>',
        TREES,
    ),
    Case("openhands' execute", f"{PLAN}\n<execute_ipython>\n{TREES}</execute_ipython>", TREES),
    Case("codeact's execute", f"<thought>{PLAN}</thought>\n<execute>\n{TREES}</execute>", TREES),
    Case("smolagents' code", f"Thought: {PLAN}\nCode:\n```py\n{TREES}```<end_code>", TREES),
    Case(
        "react",
        f"Thought: {PLAN}\nAction: python\nAction Input:\n```\n{TREES}```\nObservation: cv 0.3\nThought: I "
        f"now know the final answer.\nFinal Answer: the program above.",
        TREES,
    ),
    Case("plan and code by headings", f"# Plan\n{PLAN}\n\n# Code\n\n{py(TREES)}", TREES, plan="boosted trees"),
    Case("xml of plan and code", f"<plan>{PLAN}</plan>\n<code>\n{TREES}</code>", TREES, plan="boosted trees"),
    Case(
        "xml with a fence inside", f"<response><plan>{PLAN}</plan><program>\n{py(TREES)}\n</program></response>", TREES
    ),
    Case("plan and code as json", json.dumps({"plan": PLAN, "code": TREES}), TREES),
    Case(
        "plan and code as fenced json", f"```json\n{json.dumps({'plan': PLAN, 'program': TREES}, indent=2)}\n```", TREES
    ),
    Case("json with a fence in its text", json.dumps({"plan": PLAN, "code": py(TREES)}), TREES),
    Case("latex", f"\\begin{{lstlisting}}[language=Python]\n{TREES}\\end{{lstlisting}}", TREES),
    Case("rst", f"{PLAN}\n\n.. code-block:: python\n\n{indented(TREES, '    ')}\nEnd.", TREES),
    Case("bbcode", f"{PLAN}\n\n[code=python]\n{TREES}[/code]", TREES),
    Case("html", f'<p>{PLAN}</p>\n<pre><code class="language-python">{HTML}</code></pre>', TREES),
    Case("four backticks", f"{PLAN}\n\n````python\n{TREES}````", TREES),
    Case("three quotes as fences", f"{PLAN}\n\n'''python\n{TREES}'''", TREES),
    Case("tildes", f"{PLAN}\n\n~~~python\n{TREES}~~~", TREES),
    Case("no fence at all", f"{PLAN}\n\n{TREES}", TREES),
    Case("no fence, a last word", f"{PLAN}\n\n{TREES}\nThis program should score about 0.29.", TREES),
    Case("no fence, its name before", f"{PLAN}\n\nsolution.py:\n\n{PARTS}", PARTS),
    Case("the word python in place of a fence", f"{PLAN}\n\npython\nCopy code\n{TREES}", TREES),
    Case("a fence that closes on the last line", f"{PLAN}\n\n```python\n{TREES.rstrip()}```", TREES),
    Case(
        "a fence that opens on the first line",
        f"{PLAN}\n\n```python import numpy as np\n{TREES.removeprefix('import numpy as np' + chr(10))}```",
        TREES,
    ),
    Case("a title in the info string", f'{PLAN}\n\n```python title="solution.py" linenums="1"\n{TREES}```', TREES),
    Case("a path in the info string", f"{PLAN}\n\n```python:src/solution.py\n{TREES}```", TREES),
    Case("braces in the info string", f"{PLAN}\n\n```{{.python .numberLines}}\n{TREES}```", TREES),
    Case("everything in markdown", f"```markdown\n{PLAN}\n\n```python\n{TREES}```\n```", TREES),
    Case(
        "a docstring with a fence",
        py(
            PARTS.replace("def load():\n", 'def load():\n    """Load.\n\n    ```python\n    load()\n    ```\n    """\n')
        ),
        PARTS.replace("def load():\n", 'def load():\n    """Load.\n\n    ```python\n    load()\n    ```\n    """\n'),
    ),
    Case("line numbers", f"```python\n{NUMBERED}```", TREES),
    Case("a session of the interpreter", f"```pycon\n{PROMPTED}```", MEDIAN),
    Case("windows line ends", f"{PLAN}\n\n{py(TREES)}".replace("\n", "\r\n"), TREES),
    Case("no-break spaces", f"{PLAN}\n\n{py(TREES.replace('    ', chr(160) * 4))}", TREES),
    Case("smart quotes", f"{PLAN}\n\n{py(MEDIAN.replace(chr(34) + 'density' + chr(34), '“density”'))}", MEDIAN),
    Case("a byte order mark in the block", f"{PLAN}\n\n```python\n\ufeff{TREES}```", TREES),
    Case("zero width spaces", f"{PLAN}\n\n{py(TREES.replace('model = ', chr(0x200B) + 'model = '))}", TREES),
    Case("everything indented in the block", f"{PLAN}\n\n```python\n{indented(TREES, '    ')}```", TREES),
    Case("a quote of markdown", "> Plan.\n>\n" + "".join(f"> {x}\n" for x in py(TREES).splitlines()), TREES),
    Case("base64", f"The program, encoded:\n\n{base64.b64encode(TREES.encode()).decode()}", Ask()),
    Case(
        "a patch of a new file",
        "```diff\n--- /dev/null\n+++ b/solution.py\n@@ -0,0 +1,26 @@\n"
        + "".join(f"+{x}\n" for x in TREES.splitlines())
        + "```",
        TREES,
    ),
    Case(
        "a patch tool's new file",
        "*** Begin Patch\n*** Add File: solution.py\n"
        + "".join(f"+{x}\n" for x in TREES.splitlines())
        + "*** End Patch",
        TREES,
    ),
    Case(
        "an invented next turn",
        f"{PLAN}\n\n{py(TREES)}<|im_end|>\n<|im_start|>user\nMake it shorter.<|im_end|>\n<|im_start|"
        f">assistant\n{py(MEDIAN)}",
        TREES,
    ),
    Case(
        "an invented next turn in words",
        f"{PLAN}\n\n{py(TREES)}\n\n### Human: Thanks! Now a net.\n\n### Assistant: Sure.\n\n{py(NET)}",
        TREES,
    ),
    Case(
        "an invented score and a second try",
        f"{PLAN}\n\n{py(BASE)}\n\nResult: score 0.31\n\nLet me improve on this.\n\n{py(TREES)}",
        TREES,
    ),
    Case("end tokens", f"{PLAN}\n\n{py(TREES)}<|eot_id|></s>", TREES),
    Case(
        "a refusal", "I'm sorry, but I can't run code or read files. Please upload the data so that I can help.", Ask()
    ),
    Case(
        "another language", "```r\ntrain <- read.csv('input/train.csv')\nwrite.csv(train, 'submission.csv')\n```", Ask()
    ),
    Case(
        "python 2",
        '```python\nimport pandas as pd\nprint "hello"\npd.read_csv("input/test.csv").to_csv("submission.csv")\n```',
        Ask(),
    ),
    Case(
        "a link",
        "I saved the program as [solution.py](sandbox:/mnt/data/solution.py). Run it with `python solution.py`.",
        Ask(),
    ),
    Case(
        "a link, and a piece",
        f"I saved the program as [solution.py](sandbox:/mnt/data/solution.py). It starts like this:\n\n"
        f"{py(cut(TREES, 'errors = []'))}",
        Ask(),
    ),
]
