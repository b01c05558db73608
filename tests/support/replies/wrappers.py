"""Everything inside something else: a markdown fence, tags, JSON, calls of tools, notebooks."""

from __future__ import annotations

import json

from tests.support.replies.case import FOREST, RIDGE, SHORT, Ask, Case, py

ESCAPED = RIDGE.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
CELLS = {
    "cells": [
        {"cell_type": "markdown", "source": ["# Ridge"]},
        {"cell_type": "code", "source": SHORT.splitlines(keepends=True)},
    ],
    "nbformat": 4,
}

CASES = [
    Case("markdown around all", f"````markdown\nRidge.\n\n{py(RIDGE)}\n````", RIDGE, plan="Ridge."),
    Case("markdown around all, equal marks", f"```markdown\nRidge.\n\n{py(RIDGE)}\n```", RIDGE, plan="Ridge."),
    Case("a bare fence around all", f"```\nRidge on ratios.\n\n{py(RIDGE)}\n```", RIDGE),
    Case("<code>", f"Ridge.\n<code>\n{RIDGE}</code>", RIDGE, plan="Ridge."),
    Case("<code> around a fence", f"Ridge.\n<code>\n{py(RIDGE)}\n</code>", RIDGE),
    Case("<python>", f"Ridge.\n<python>\n{RIDGE}</python>\nDone.", RIDGE),
    Case("<pre><code>, escaped", f'<p>Ridge.</p>\n<pre><code class="language-python">{ESCAPED}</code></pre>', RIDGE),
    Case("[PYTHON]", f"[PYTHON]\n{RIDGE}[/PYTHON]", RIDGE),
    Case("python_tag", f"<|python_tag|>{RIDGE}<|eom_id|>", RIDGE),
    Case("triple quotes as a fence", f"Ridge.\n'''python\n{RIDGE}'''", RIDGE),
    Case("JSON with code", json.dumps({"plan": "Ridge on ratios.", "code": RIDGE}), RIDGE, plan="Ridge on ratios."),
    Case("fenced JSON with code", f"```json\n{json.dumps({'plan': 'Ridge.', 'code': RIDGE}, indent=1)}\n```", RIDGE),
    Case("JSON with a fence in it", json.dumps({"answer": {"explanation": "x", "code": py(RIDGE)}}), RIDGE),
    Case(
        "a call of a tool, Qwen",
        f"<tool_call>\n{json.dumps({'name': 'python', 'arguments': {'code': RIDGE}})}\n</tool_call>",
        RIDGE,
    ),
    Case(
        "a call of a tool, arguments as text",
        json.dumps({"name": "run", "arguments": json.dumps({"code": RIDGE})}),
        RIDGE,
    ),
    Case(
        "a call of a tool, tags",
        f'<invoke name="write_file">\n<parameter name="path">a.py</parameter>\n<parameter name="content">\n{RIDGE}'
        "</parameter>\n</invoke>",
        RIDGE,
    ),
    Case(
        "a call of a tool, no program",
        '<tool_call>\n{"name": "list_files", "arguments": {"path": "input"}}\n</tool_call>',
        Ask(("no program",)),
    ),
    Case("a notebook", json.dumps(CELLS), SHORT),
    Case("LaTeX", f"Ridge.\n\\begin{{verbatim}}\n{RIDGE}\\end{{verbatim}}", RIDGE),
    Case("bare code", RIDGE, RIDGE),
    Case("prose, then bare code", f"I fit a ridge.\n\n{RIDGE}", RIDGE, plan="I fit a ridge."),
    Case("bare code between prose", f"I fit a ridge.\n\n{FOREST}\nThis takes about a minute on four cores.\n", FOREST),
    Case("an answer in a response tag", f"<response>\nRidge.\n{py(RIDGE)}\n</response>", RIDGE),
    Case("bold before the fence", f"**solution.py**\n\n{py(RIDGE)}", RIDGE),
    Case("a heading and a rule", f"## Plan\n\nRidge.\n\n---\n\n## Code\n\n{py(RIDGE)}\n\n---\n", RIDGE),
]
