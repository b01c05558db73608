"""Programs that a reply writes to a file: by a here document of a shell, or by a patch that adds a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HERE = re.compile(
    r"^(?P<command>[^\n#]*?(?:\.py\b|\bpython3?\b)[^\n]*?)?<<-?[ \t]*(?P<quote>['\"]?)(?P<end>[A-Za-z_]\w*)(?P=quote)"
    r"(?P<more>[^\n]*)\n(?P<body>.*?)^[ \t]*(?P=end)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_ADDED = re.compile(
    r"^(?:\*\*\* Add File: \S+\.py|--- /dev/null\n\+\+\+ \S+\.py[^\n]*\n@@ -0,0 [^\n]*)[ "
    r"\t]*\n(?P<body>(?:\+[^\n]*\n?)+)",
    re.MULTILINE,
)
_MOST = 16
"""Here documents of a reply that are looked at."""

_EXPANDED = re.compile(r"[$`\\]")
"""What a shell replaces in a here document whose end is not quoted."""


def written(text: str) -> list[str]:
    """The Python files that a reply writes, each as it would stand on the disk.

    Args:
        text: what of the reply answers.
    """
    return [*_here_documents(text), *_added(text)]


def _here_documents(text: str) -> Iterator[str]:
    if not 0 < text.count("<<") <= _MOST:
        return
    for m in _HERE.finditer(text):
        named = f"{m['command'] or ''}{m['more']}"
        if re.search(r"\.py\b|\bpython3?\b", named) and (m["quote"] or not _EXPANDED.search(m["body"])):
            yield m["body"]


def _added(text: str) -> Iterator[str]:
    for m in _ADDED.finditer(text):
        yield "".join(line[1:] for line in m["body"].splitlines(keepends=True))
