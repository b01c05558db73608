"""What a report needs can be imported beforehand, while a launch waits for its runs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

from mlesearch.cli import report

SCRIPT = """
import sys
from mlesearch.cli.report import import_for_report

import_for_report()
print(*sorted(sys.modules))
"""


def test_all_that_a_report_imports_is_imported_before() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True)
    imported = set(done.stdout.split())
    written = ast.walk(ast.parse(inspect.getsource(report.write_report)))
    needed = {node.module for node in written if isinstance(node, ast.ImportFrom)}
    drawing = {"matplotlib.figure", "matplotlib.backends.backend_svg", "pyarrow.dataset"}
    assert len(needed) >= 4
    assert needed | drawing <= imported
