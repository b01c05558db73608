"""What can be seen of a piece of code without running it: what it binds, what it lacks, whether it does anything.

Read from the symbol table and the syntax tree of this process' Python. Of code that only a newer interpreter can read
nothing is known, and nothing is held against it.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

from mlesearch.operators.gaps import gap
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
_STAR = re.compile(r"^[ \t]*from[ \t]+\S+[ \t]+import[ \t]*\(?[ \t]*\*", re.MULTILINE)
_WRITES = re.compile(
    r"to_csv|write_csv|sink_csv|savetxt|writerow|DictWriter|csv\.writer|\.write\(|write_text|writelines|"
    r"\b(?:make|save|write|create|build|export|dump)_\w*sub\w*\(|copyfile|shutil\.(?:copy|move)|os\.(?:rename|replace)"
)
_READS = re.compile(r"\bread_(?:csv|parquet|json|table|feather|excel|pickle)\(|[\"']\.?/?input\b")
_LEARNS = re.compile(r"\.(?:fit|train|predict|backward|transform|partial_fit)\w*\(|cross_val|\b(?:train|fit)\w*\(")
_LEAVES = re.compile(
    r"\bto_(?!numpy|datetime|numeric|list|dict\b|frame|string|timedelta|period|dense|sparse|device|categorical)\w+\(|"
    r"\bopen\(|write|save|dump|submission|copy(?:file|2|tree)?\(\s*[\w\"'/.]+\s*,|\b(?:exec|eval|replace)\(|"
    r"subprocess|os\.system|runpy|import_module|__import__|sink|export|fire\b",
    re.IGNORECASE,
)
_RUN_OR_WRITE = frozenset(
    [
        "to_csv",
        "write_csv",
        "sink_csv",
        "savetxt",
        "writerow",
        "writerows",
        "exec",
        "eval",
        "run",
        "Popen",
        "call",
        "check_call",
        "check_output",
        "system",
        "run_path",
        "run_module",
        "import_module",
        "__import__",
        "to_parquet",
    ]
)
"""Calls by which a program leaves a table behind, or runs another program."""

_WRITES_WHOLE = re.compile(r"to_csv|write_csv|sink_csv|savetxt|write_text|copyfile|shutil\.(?:copy|move)|os\.replace")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class CodeFacts:
    """What a piece of code is made of; each fact is found out when it is asked for.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: this process' Python can't read the code.
    """

    def __init__(self, code: str) -> None:
        self._code = code
        self._table = quietly(lambda: symtable.symtable(code, "<program>", "exec"))

    @cached_property
    def _tree(self) -> ast.Module:
        return quietly(lambda: ast.parse(self._code))

    @cached_property
    def binds(self) -> frozenset[str]:
        """Names that it binds at its top level: imports, definitions, variables."""
        return frozenset(name for name, bound in _globals(self._table) if bound)

    @cached_property
    def defines(self) -> frozenset[str]:
        """Functions and classes of its top level."""
        return frozenset(s.name for s in self._tree.body if isinstance(s, _Definition))

    @cached_property
    def imports(self) -> frozenset[tuple[str, frozenset[str]]]:
        """Modules that it imports names from, each with the names."""
        found = (n for n in ast.walk(self._tree) if isinstance(n, ast.ImportFrom) and n.module and not n.level)
        return frozenset((str(n.module), frozenset(a.name for a in n.names)) for n in found)

    @cached_property
    def needs(self) -> frozenset[str]:
        """Names that it reads and binds nowhere; empty where it may bind names in ways that can't be seen."""
        read = {name for name, bound in _globals(self._table) if not bound}
        if read & _DYNAMIC or _STAR.search(self._code):
            return frozenset()
        return frozenset(read) - self.binds - _BUILTIN

    @cached_property
    def lacks(self) -> frozenset[str]:
        """`needs`, and names that its top level reads before it binds them."""
        return self.needs if _STAR.search(self._code) else self.needs | (_early(self._tree.body, set()) - _BUILTIN)

    @cached_property
    def inert(self) -> bool:
        """Whether it only imports, defines and sets constants: run by itself it does nothing."""
        return all(_is_inert(s) for s in self._tree.body)

    @cached_property
    def only_binds(self) -> bool:
        """Whether all that it does is to import, define and set names, so that nothing of it can be seen outside."""
        return all(_is_inert(s) or isinstance(s, ast.Assign | ast.AnnAssign | ast.AugAssign) for s in self._tree.body)

    @cached_property
    def only_values(self) -> bool:
        """Whether it is made of bare values alone, as prose and outputs can be."""
        body = self._tree.body
        return all(isinstance(s, ast.Expr) and not isinstance(s.value, ast.Call | ast.Await) for s in body)

    @cached_property
    def ends_bare(self) -> bool:
        """Whether its last statement is a value alone, as the beginning of a call is."""
        last = self._tree.body[-1] if self._tree.body else None
        return isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call | ast.Await)

    @cached_property
    def uncalled(self) -> str:
        """A function of its top level that alone writes and that nothing calls; empty where there is none."""
        lines = self._code.split("\n")
        writing = [s for s in self._tree.body if _WRITES.search("\n".join(lines[s.lineno - 1 : s.end_lineno]))]
        used = {n.id for n in ast.walk(self._tree) if isinstance(n, ast.Name)}
        if not writing or not all(isinstance(s, ast.FunctionDef) and not s.decorator_list for s in writing):
            return ""
        names = [s.name for s in writing if isinstance(s, ast.FunctionDef)]
        return "" if used & {*names, "globals", "locals", "eval", "exec"} or "fire" in used else names[0]

    @cached_property
    def gap(self) -> str:
        """Where something stands in place of code that was left out, in words; empty where nothing does."""
        return gap(self._tree)

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names of what it calls, of methods the last part."""
        functions = (n.func for n in ast.walk(self._tree) if isinstance(n, ast.Call))
        return frozenset(
            f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else "" for f in functions
        )

    @cached_property
    def idle_texts(self) -> tuple[tuple[int, str], ...]:
        """Texts of one line that stand between statements, where a comment might; each with its line."""
        if not any(quote in self._code for quote in ('"""', "'''")):
            return ()
        bodies = [getattr(n, "body", []) for n in ast.walk(self._tree)]
        each = [s for body in bodies if isinstance(body, list) for s in body[1:] if isinstance(s, ast.Expr)]
        texts = [(s.lineno, s.value.value) for s in each if isinstance(s.value, ast.Constant)]
        return tuple((n, t.strip()) for n, t in texts if isinstance(t, str) and "\n" not in t.strip())

    @cached_property
    def enclosed(self) -> str:
        """The longest text of more than a line in it; empty where there is none."""
        texts = (n.value for n in ast.walk(self._tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
        return max((t for t in texts if "\n" in t), key=len, default="")


@lru_cache(maxsize=256)
def facts(code: str) -> CodeFacts | None:
    """The facts about a piece of code; None where this process' Python can't read it."""
    try:
        return CodeFacts(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def writes(code: str) -> bool:
    """Whether a program writes a file such as a submission, as far as its text tells."""
    return _WRITES.search(code) is not None


def only_looks(code: str) -> bool:
    """Whether a program reads data, learns nothing from it, and can leave nothing behind but what it prints."""
    return _READS.search(code) is not None and _LEAVES.search(code) is None and _LEARNS.search(code) is None


def only_writes_a_program(code: str) -> bool:
    """Whether all that a program writes is another program, which stands in it as a text and which nothing runs."""
    found = facts(code)
    if found is None or ".py" not in code or found.calls & _RUN_OR_WRITE:
        return False
    inner = facts(found.enclosed)
    return inner is not None and bool(inner.calls & _RUN_OR_WRITE)


def surely_whole(code: str) -> bool:
    """Whether a program whose end nothing marks is whole: its last lines write, it does something and lacks nothing."""
    found = facts(code)
    return writes_near_its_end(code) and (found is None or not (found.lacks or found.inert or found.ends_bare))


def writes_near_its_end(code: str, lines: int = 15) -> bool:
    """Whether it writes a whole file within its last lines; row by row, more of them may be to come."""
    last = [line for line in code.rstrip().split("\n") if line.strip()][-lines:]
    return _WRITES_WHOLE.search("\n".join(last)) is not None


def _globals(table: symtable.SymbolTable) -> Iterator[tuple[str, bool]]:
    """Global names that a scope and those within it use, each with whether it is bound there."""
    module = table.get_type() == "module"
    for symbol in table.get_symbols():
        bound = symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
        if module or (symbol.is_global() and bound):
            yield symbol.get_name(), bound
        if symbol.is_referenced() and (module or symbol.is_global()):
            yield symbol.get_name(), False
    for child in table.get_children():
        yield from _globals(child)


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
