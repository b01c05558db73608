"""Runs the program itself, in its own contained process. Standard library only."""

from __future__ import annotations

import atexit
import builtins
import contextlib
import ctypes
import functools
import gc
import hashlib
import io
import linecache
import os
import random
import signal
import site
import subprocess
import sys
import threading
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

NAME = "solution.py"
PACKAGE = "_box"  # the name under which the supervisor's own modules are loaded


Begin = Callable[[], NoReturn]
"""Runs a program to its end, which is the end of its process."""


def prepare(source: str, environment: dict[str, str], prefix: str) -> Begin:
    """Make this process one that is about to run `source` as its main module.

    Args:
        source: of the program.
        environment: all its variables.
        prefix: of the interpreter.

    Returns:
        What runs it, and ends the process with its exit code. It is to be called when the callers of this function
        have gone: a program finds the frames below its own.
    """
    module = _become_main(source, environment, prefix)
    own = _of_no_module("_run", "_execute", "_exit_code", "_report", "_finish")
    return functools.partial(own["_run"], source, module)


def _run(source: str, module: types.ModuleType) -> NoReturn:
    code = 1
    gc.collect()  # what is left of the supervisor
    try:
        compiled = compile(source, NAME, "exec", dont_inherit=True)
    except BaseException as error:
        _report(error, None)
    else:
        code = _execute(compiled, module)
    _finish(code)


def _of_no_module(*names: str) -> dict[str, Any]:
    """Functions of this module with the modules and names that they use, and nothing of where they came from."""
    own: dict[str, Any] = {"__builtins__": builtins, "__name__": "__main__", "NAME": NAME}
    for module in (atexit, contextlib, gc, os, sys, threading, traceback, types):
        own[module.__name__] = module
    for name in names:
        code: types.CodeType = globals()[name].__code__.replace(co_filename="<string>")
        own[name] = types.FunctionType(code, own, name)
    return own


def _execute(compiled: types.CodeType, module: types.ModuleType) -> int:
    try:
        exec(compiled, module.__dict__)
    except SystemExit as request:
        return _exit_code(request)
    except BaseException as error:
        own = error.__traceback__
        _report(error, own.tb_next if own else None)
        return 1
    return 0


def _exit_code(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)
    return 1


def _report(error: BaseException, where: types.TracebackType | None) -> None:
    try:
        text = "".join(traceback.format_exception(type(error), error, where)).encode("utf-8", "backslashreplace")
    except BaseException:
        text = b"MemoryError\n" if isinstance(error, MemoryError) else b"the traceback could not be made\n"
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:
        pass
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(2, view) :]
    except OSError:
        pass


def _finish(code: int) -> NoReturn:
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter itself calls: waits for threads
        atexit._run_exitfuncs()
    except BaseException as error:
        _report(error, error.__traceback__)
        code = code or 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code)


def _become_main(source: str, environment: dict[str, str], prefix: str) -> types.ModuleType:
    """Make this process look like one that was started with `python solution.py`."""
    os.environ.clear()
    os.environ.update(environment)
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(PACKAGE + ".")]:
        del sys.modules[name]
    sys.path.insert(0, "")
    sys.argv[:] = [NAME]
    sys.orig_argv[:] = [sys.executable, NAME]
    sys.prefix = sys.exec_prefix = prefix
    _forget_the_command()
    site.setquit()
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what was printed before a kill must not be lost
    _forget_the_parent()
    _seed(source)
    module = types.ModuleType("__main__")
    module.__file__ = NAME
    vars(module)["__builtins__"] = builtins  # every executed module has it
    sys.modules["__main__"] = module
    linecache.cache[NAME] = (len(source), None, source.splitlines(keepends=True), NAME)
    return module


def _forget_the_command() -> None:
    """Make /proc/self/cmdline that of `python solution.py`, in place: the kernel reads it from this process' memory."""
    with contextlib.suppress(OSError, IndexError, ValueError), open("/proc/self/stat", "rb") as file:
        start, end = map(int, file.read().rpartition(b")")[2].split()[45:47])  # arg_start and arg_end of proc(5)
        words = f"python\0{NAME}\0".encode()
        if start and end - start > len(words):
            ctypes.memset(start, 0, end - start)
            ctypes.memmove(start, words, len(words))


def _forget_the_parent() -> None:
    """Undo what modules remember of the process that imported them."""
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
        tempfile._name_sequence = None
    # A Python that the program starts must not inherit this one's switches: it would miss the installed packages.
    subprocess._args_from_interpreter_flags = list  # type: ignore[attr-defined]  # what multiprocessing asks
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._args_from_interpreter_flags = list
    for name in ("multiprocessing.process", "joblib.externals.loky.backend.process"):
        process: Any = sys.modules.get(name)
        if process is not None and hasattr(process, "ORIGINAL_DIR"):
            process.ORIGINAL_DIR = os.getcwd()


def _seed(source: str) -> None:
    """Seed the global generators from the program's text: equal programs draw equal numbers."""
    seed = int.from_bytes(hashlib.sha256(source.encode("utf-8", "replace")).digest()[:4], "big")
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(seed)
