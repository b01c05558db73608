"""What stands in place of code that was left out: "..." for lines or values, empty bodies, blanks to fill."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

_SENTINELS = frozenset({"Field", "Option", "Argument", "Query", "Body", "Param", "Path", "Header", "Form", "Depends"})
_STUB_BASES = frozenset({"Protocol", "ABC", "TypedDict", "NamedTuple", "Enum"})
_SAME = re.compile(r"\b(?:same as|unchanged|as (?:before|above)|as in the (?:base|original|previous))\b", re.IGNORECASE)
_STUB_DECORATORS = frozenset({"overload", "abstractmethod", "abstractproperty"})


_BLANK = re.compile(r"<[A-Za-z][\w .-]*>|\{\{? ?\w+ ?\}?\}|your_\w+|YOUR_\w+")
"""A key that is to be filled in, as a template has it."""

_MARKERS = re.compile(
    r"<(?:unk|pad|s|eos|bos|sos|mask|cls|sep|start|end|go|oov|blank|num|url|user|nan|null|none)\w*>", re.I
)
"""Words of a vocabulary that look like one."""


def gap(tree: ast.Module) -> str:
    """The first place where something stands for code that was left out, in words; empty where there is none.

    Bodies of protocols, overloads and abstract methods are no such places, nor are ellipses within brackets, in
    annotations and as defaults, nor bodies that do nothing on purpose (`except ...: ...`).
    """
    nodes = list(ast.walk(tree))
    kept = _kept_stubs(nodes)
    used = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    used |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
    asked = _asked_for(nodes)
    for node in nodes:
        where = _gap(node, kept, used) or _blank(node) or _empty(node, asked)
        if where:
            return where
    return ""


def _asked_for(nodes: Sequence[ast.AST]) -> set[str]:
    """Functions of the top level whose result is used wherever they are called."""
    idle = {id(s.value) for s in nodes if isinstance(s, ast.Expr)}
    calls = [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    return {_last_name(n) for n in calls if id(n) not in idle} - {_last_name(n) for n in calls if id(n) in idle}


def _empty(node: ast.AST, asked: set[str]) -> str:
    if not isinstance(node, ast.FunctionDef) or node.name not in asked or node.decorator_list:
        return ""
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if any(not isinstance(s, ast.Pass) for s in body):
        return ""
    return f"`{node.name}` (line {node.lineno}) has no body, and its result is used"


def _blank(node: ast.AST) -> str:
    """A key of a template in place of a column's name, or a value between doubled braces."""
    key = node.slice if isinstance(node, ast.Subscript) else None
    said = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
    if _BLANK.fullmatch(said) and not _MARKERS.fullmatch(said):
        return f'line {getattr(node, "lineno", 0)} has "{said}", which is to be filled in'
    if isinstance(node, ast.Set) and any(isinstance(e, ast.Set | ast.Dict | ast.List) for e in node.elts):
        return f"line {node.lineno} has a value between doubled braces, which is to be filled in"
    return ""


def _kept_stubs(nodes: Sequence[ast.AST]) -> set[int]:
    """Functions whose body may well be "...": methods of protocols and base classes, overloads, abstract ones."""
    found: set[int] = set()
    bases = {_last_name(b) for n in nodes if isinstance(n, ast.ClassDef) for b in n.bases}
    for node in nodes:
        if isinstance(node, ast.ClassDef) and (
            node.name in bases or any(_last_name(b) in _STUB_BASES for b in node.bases)
        ):
            found.update(id(s) for s in node.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            _last_name(d) in _STUB_DECORATORS for d in node.decorator_list
        ):
            found.add(id(node))
    return found


def _gap(node: ast.AST, kept: set[int], used: set[str]) -> str:
    line = f"line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Module) and any(_is_dots(s) for s in node.body):
        return f'line {next(s.lineno for s in node.body if _is_dots(s))} is "..."'
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and id(node) not in kept:
        said = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        if any(_is_dots(s) for s in node.body) and (said or node.name in used):
            return f'the body of `{node.name}` ({line}) has "..."'
        if node.name in used and not said and _SAME.search(ast.get_docstring(node) or ""):
            return f"`{node.name}` ({line}) has a docstring in place of its body"
        if node.name in used and [_is_unwritten(s) for s in said] == [True]:
            return f"`{node.name}` ({line}) is not implemented"
    if isinstance(node, ast.For | ast.While | ast.With) and any(_is_dots(s) for s in node.body):
        return f'the block of {line} has "..."'
    if isinstance(node, ast.If) and len(node.body) > 1 and any(_is_dots(s) for s in node.body):
        return f'the block of {line} has "..."'
    if (
        isinstance(node, ast.Call)
        and len(node.args) == 1
        and _is_ellipsis(node.args[0])
        and _last_name(node.func) not in _SENTINELS
    ):
        return f"the call on {line} has ... for its arguments"
    if isinstance(node, ast.List | ast.Set) and any(_is_ellipsis(e) for e in node.elts):
        return f"the list on {line} has ... for some of its values"
    if isinstance(node, ast.Assign) and _is_ellipsis(node.value):
        return f'{line} sets a name to "..."'
    return ""


def _is_ellipsis(node: ast.AST) -> bool:
    if isinstance(node, ast.Starred):
        return _is_ellipsis(node.value)
    return isinstance(node, ast.Constant) and node.value is ...


def _is_unwritten(s: ast.stmt) -> bool:
    return isinstance(s, ast.Raise) and s.exc is not None and _last_name(s.exc) == "NotImplementedError"


def _is_dots(s: ast.stmt) -> bool:
    return isinstance(s, ast.Expr) and _is_ellipsis(s.value)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call | ast.Subscript):
        return _last_name(node.func if isinstance(node, ast.Call) else node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
