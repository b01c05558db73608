"""What can be seen of a piece of code without running it: what it binds, what it lacks, what it leaves out.

Read from the syntax tree of this process' Python. Of code that only a newer interpreter can read nothing is known, and
nothing is held against it.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlesearch.operators.syntax import quietly

_BUILTIN = frozenset(dir(builtins)) | {
    "__file__",
    "__name__",
    "__doc__",
    "__builtins__",
    "__spec__",
    "__annotations__",
    "__class__",
    "WindowsError",
}
_DYNAMIC = frozenset({"exec", "eval", "globals", "locals", "vars", "setattr", "__import__"})
_WRITES = re.compile(
    r"to_csv|write_csv|sink_csv|savetxt|writerow|DictWriter|csv\.writer|\.write\(|write_text|writelines|"
    r"\b(?:make|save|write|create|build|export|dump)_\w*sub\w*\(|copyfile|shutil\.(?:copy|move)|os\.(?:rename|replace)"
)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_SENTINELS = frozenset({"Field", "Option", "Argument", "Query", "Body", "Param", "Path", "Header", "Form", "Depends"})
_STUB_BASES = frozenset({"Protocol", "ABC", "TypedDict", "NamedTuple", "Enum"})
_STUB_DECORATORS = frozenset({"overload", "abstractmethod", "abstractproperty"})


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What a piece of code is made of.

    Attributes:
        binds: names that it binds at its top level: imports, definitions, variables.
        defines: those of functions and classes.
        needs: names that it reads and binds nowhere; empty where it binds names in ways that can't be seen.
        inert: whether it only imports, defines and sets constants: run by itself it does nothing.
        only_values: whether it is made of bare values alone, as prose and outputs can be.
        gaps: where it has "..." in place of code, in words; empty where it has not.
    """

    binds: frozenset[str]
    defines: frozenset[str]
    needs: frozenset[str]
    inert: bool
    only_values: bool
    gaps: str


def writes(code: str) -> bool:
    """Whether a program writes a file such as a submission, as far as its text tells."""
    return _WRITES.search(code) is not None


def writes_near_its_end(code: str, lines: int = 15) -> bool:
    """Whether it does so within its last lines."""
    last = [line for line in code.rstrip().split("\n") if line.strip()][-lines:]
    return writes("\n".join(last))


@lru_cache(maxsize=256)
def facts(code: str) -> CodeFacts | None:
    """The facts about a piece of code; None where this process' Python can't read it."""
    try:
        tree = quietly(lambda: ast.parse(code))
        return _facts(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _facts(tree: ast.Module) -> CodeFacts:
    loads: set[str] = set()
    bound: set[str] = set()
    attributes: set[str] = set()
    hidden = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                loads.add(node.id)
                hidden = hidden or node.id in _DYNAMIC
            else:
                bound.add(node.id)
        elif isinstance(node, ast.Attribute):
            attributes.add(node.attr)
        else:
            hidden = hidden or (isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names))
            bound.update(_bound_by(node))
    top = frozenset(_top_level(tree.body))
    return CodeFacts(
        binds=top,
        defines=frozenset(s.name for s in tree.body if isinstance(s, _Definition)),
        needs=frozenset() if hidden else frozenset((loads - bound) | _early(tree.body, set())) - _BUILTIN,
        inert=all(_is_inert(s) for s in tree.body),
        only_values=all(isinstance(s, ast.Expr) and not isinstance(s.value, ast.Call | ast.Await) for s in tree.body),
        gaps=_gaps(tree, loads | attributes),
    )


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Names that a node binds, but for those that are `Name` nodes themselves."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for a in node.names:
            yield (a.asname or a.name).partition(".")[0]
    elif isinstance(node, _Definition):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping):
        if node.rest:
            yield node.rest
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    elif type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):
        yield str(getattr(node, "name", ""))


def _top_level(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Names bound at the top level, within its ifs, loops and tries too."""
    for statement in body:
        if isinstance(statement, _Definition):
            yield statement.name
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id
            else:
                yield from _bound_by(node)


def _early(body: Sequence[ast.stmt], bound: set[str]) -> set[str]:
    """Names that are read at the top level before any statement above binds them; adds to `bound` what is bound."""
    found: set[str] = set()
    for s in body:
        own = {n for node in _here(s) for n in _bound_by(node)}
        if isinstance(s, ast.For | ast.AsyncFor | ast.While | ast.If | ast.With | ast.AsyncWith | ast.Try | ast.Match):
            bound |= {name for node in _heads(s) for name in _targets(node)} | own
            found |= {n for node in _heads(s) for n in _read(node)} - bound
            for block in _blocks(s):
                found |= _early(block, bound)
            continue
        found |= _read(s) - bound - own
        bound |= own | set(_targets(s))
    return found


def _heads(s: ast.stmt) -> list[ast.AST]:
    """The parts of a compound statement that are no blocks."""
    return [n for n in ast.iter_child_nodes(s) if not isinstance(n, ast.stmt | ast.ExceptHandler | ast.match_case)]


def _blocks(s: ast.stmt) -> list[list[ast.stmt]]:
    found = [getattr(s, name, []) for name in ("body", "handlers", "cases", "orelse", "finalbody")]
    return [b for block in found for b in ([each.body for each in block] if _is_nested(block) else [block])]


def _is_nested(block: Sequence[ast.AST]) -> bool:
    return bool(block) and not isinstance(block[0], ast.stmt)


def _here(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is below it, but for the bodies of functions and classes, which run later or bind elsewhere."""
    yield node
    if isinstance(node, _Definition):
        for part in (*node.decorator_list, *getattr(node, "bases", ())):
            yield from _here(part)
        return
    if isinstance(node, ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        yield from _here(child)


def _read(node: ast.AST) -> set[str]:
    """Names that a statement reads when it runs, without those that its comprehensions bind."""
    names = {n.id for n in _here(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    inner = {
        n.id
        for each in _here(node)
        if isinstance(each, ast.comprehension | ast.NamedExpr)
        for n in ast.walk(each.target)
        if isinstance(n, ast.Name)
    }
    return names - inner


def _targets(node: ast.AST) -> Iterator[str]:
    """Names that a statement sets when it runs."""
    return (n.id for n in _here(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))


def _is_inert(s: ast.stmt) -> bool:
    if isinstance(s, ast.Import | ast.ImportFrom | ast.Pass | ast.Global | _Definition):
        return True
    if isinstance(s, ast.Expr):
        return isinstance(s.value, ast.Constant)
    if isinstance(s, ast.Assign | ast.AnnAssign):
        return s.value is None or not any(isinstance(n, ast.Call) for n in ast.walk(s.value))
    if isinstance(s, ast.Try | ast.If):
        parts = [*s.body, *s.orelse]
        if isinstance(s, ast.Try):
            parts += [*s.finalbody, *(each for h in s.handlers for each in h.body)]
        return all(_is_inert(each) for each in parts)
    return False


def _gaps(tree: ast.Module, used: set[str]) -> str:
    """The first place where "..." stands for code that was left out."""
    kept = _kept_stubs(tree)
    for node in ast.walk(tree):
        where = _gap(node, kept, used)
        if where:
            return where
    return ""


def _kept_stubs(tree: ast.Module) -> set[int]:
    """Functions whose body may well be "...": methods of protocols, overloads, abstract ones."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_last_name(b) in _STUB_BASES for b in node.bases):
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


def _is_dots(s: ast.stmt) -> bool:
    return isinstance(s, ast.Expr) and _is_ellipsis(s.value)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call | ast.Subscript):
        return _last_name(node.func if isinstance(node, ast.Call) else node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
