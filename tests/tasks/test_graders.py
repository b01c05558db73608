"""A task's own grader: whatever it is made of it loads, or one sentence says why; whatever it does, we go on."""

import os
import sys
import threading
from pathlib import Path

import pytest

from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test
from mlesearch.tasks.protocol import Grade
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task, predictions, write_submission


def graded(root: Path, code: str, **helpers: str) -> Grade:
    """The grade of the right answers by a grader, beside helper modules of these names."""
    if not root.exists():
        make_task(root, metric="own")
    (root / "grade.py").write_text(code)
    for name, text in helpers.items():
        path = root / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return grade_test(folder.load(root), write_submission(root.parent / "s.csv", predictions()))


DATACLASS = """
from dataclasses import dataclass

@dataclass
class Weights:
    a: float = 0.25

def grade(submission, answers):
    return Weights().a
"""
PICKLED = """
import pickle
from enum import Enum
from typing import NamedTuple, get_type_hints

class Kind(Enum):
    ONE = 1

class Pair(NamedTuple):
    a: "float"

def grade(submission, answers):
    assert get_type_hints(Pair) == {"a": float}
    return pickle.loads(pickle.dumps(Pair(0.25))).a
"""
LOADS = {
    "dataclass": DATACLASS,
    "named tuple, enum, pickle": PICKLED,
    "annotations that are evaluated": "def grade(s, a): return 0.25\nx: 1 / 4\nassert __annotations__ == {'x': 0.25}",
    "an optional parameter": "def grade(submission, answers, extra=None): return 0.25",
    "keywords": "def grade(submission, answers, *, beta=1.0, **more): return 0.25",
    "any arguments": "def grade(*frames): return 0.25",
    "a partial": "import functools\ndef _grade(k, s, a): return k\ngrade = functools.partial(_grade, 0.25)",
    "an object": "class Grader:\n    def __call__(self, s, a): return 0.25\ngrade = Grader()",
    "a lambda": "grade = lambda s, a: 0.25",
    "numpy": "import numpy as np\ndef grade(s, a): return np.float32(0.25)",
    "an array of one": "import numpy as np\ndef grade(s, a): return np.array([0.25])",
    "no dimension": "import numpy as np\ndef grade(s, a): return np.array(0.25)",
    "a series of one": "import pandas as pd\ndef grade(s, a): return pd.Series([0.25])",
    "decimal": "from decimal import Decimal\ndef grade(s, a): return Decimal('0.25')",
    "fraction": "from fractions import Fraction\ndef grade(s, a): return Fraction(1, 4)",
    "another encoding": "# -*- coding: latin-1 -*-\ndef grade(s, a): return 0.25",
    "a byte-order mark": "\ufeffdef grade(s, a): return 0.25",
    "main guard": "def grade(s, a): return 0.25\nif __name__ == '__main__':\n    raise SystemExit",
    "prints": "import sys\ndef grade(s, a):\n    print('hello')\n    return 0.25",
    "changes folder": "import os\ndef grade(s, a):\n    os.chdir('/')\n    return 0.25",
    "changes what it gets": "def grade(s, a):\n    s['y'] = None\n    a['y'] = 0\n    return 0.25",
    "an exit that is caught": "import os\ndef grade(s, a):\n    try: os._exit(3)\n    except Exception: return .25",
}


@pytest.mark.parametrize("case", LOADS)
def test_it_loads_and_scores(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = os.getcwd(), dict(sys.modules), list(sys.meta_path), sys.dont_write_bytecode, os._exit
    for _ in range(2):
        grade = graded(tmp_path / "task", LOADS[case])
        assert (grade.score, grade.problem) == (0.25, "")
    assert capsys.readouterr().out == ""
    assert (os.getcwd(), sys.meta_path, sys.dont_write_bytecode, os._exit) == (before[0], *before[2:])
    assert not {n for n in set(sys.modules) - set(before[1]) if "grader" in n}
    assert not list(tmp_path.rglob("*.pyc"))


FAILS = {
    "sys.exit": ("import sys\ndef grade(s, a): sys.exit(3)", "SystemExit: 3"),
    "sys.exit with words": ("import sys\ndef grade(s, a): sys.exit('bad file')", "SystemExit: bad file"),
    "exit": ("def grade(s, a): exit()", "SystemExit"),
    "os._exit": ("import os\ndef grade(s, a): os._exit(0)", "it called os._exit"),
    "os._exit by name": ("from os import _exit\ndef grade(s, a): _exit(0)", "it called os._exit"),
    "os.abort": ("import os\ndef grade(s, a): os.abort()", "it called os.abort"),
    "KeyboardInterrupt": ("def grade(s, a): raise KeyboardInterrupt", "KeyboardInterrupt"),
    "GeneratorExit": ("def grade(s, a): raise GeneratorExit", "GeneratorExit"),
    "its own BaseException": ("class Stop(BaseException): pass\ndef grade(s, a): raise Stop('x')", "Stop: x"),
    "assert": ("def grade(s, a): assert False, 'ids differ'", "AssertionError: ids differ"),
    "recursion": ("def grade(s, a): return grade(s, a)", "RecursionError"),
    "memory": ("def grade(s, a): raise MemoryError", "MemoryError"),
    "lines": ("def grade(s, a): raise ValueError('one\\ntwo')", "ValueError: one two"),
    "long": ("def grade(s, a): raise ValueError('x' * 10**6)", "ValueError: xxx"),
    "words that fail": (
        "class E(Exception):\n    def __str__(self): return 1 / 0\ndef grade(s, a): raise E",
        "E: (its words can't be read)",
    ),
    "surrogates": ("def grade(s, a): raise ValueError('\\udc80')", "ValueError: ?"),
    "none": ("def grade(s, a): pass", "grade returned None (NoneType); expected a number"),
    "text": ("def grade(s, a): return '0.25'", "grade returned '0.25' (str); expected a number"),
    "a truth": ("def grade(s, a): return True", "grade returned True (bool)"),
    "a numpy truth": ("def grade(s, a): return (a['y'] > 0).all()", "expected a number"),
    "complex": ("def grade(s, a): return 1j", "grade returned 1j (complex)"),
    "a tuple": ("def grade(s, a): return 0.25, 0.5", "grade returned (0.25, 0.5) (tuple)"),
    "a dict": ("def grade(s, a): return {'score': 0.25}", "(dict); expected a number"),
    "two numbers": ("import numpy as np\ndef grade(s, a): return np.array([1.0, 2.0])", "TypeError"),
    "a frame": ("def grade(s, a): return a", "(DataFrame); expected a number"),
    "a generator": ("def grade(s, a): yield 0.25", "(generator); expected a number"),
    "nan": ("def grade(s, a): return float('nan')", "the score is nan"),
    "too large": ("def grade(s, a): return 10 ** 400", "the score is inf"),
    "numpy infinity": ("import numpy as np\ndef grade(s, a): return -np.inf", "the score is -inf"),
}


@pytest.mark.parametrize("case", FAILS)
def test_whatever_it_does_is_an_invalid_submission(case: str, tmp_path: Path) -> None:
    code, expected = FAILS[case]
    grade = graded(tmp_path / "task", code)
    assert not grade.valid
    assert expected in grade.problem
    assert "\n" not in grade.problem
    assert len(grade.problem) < 400
    grade.problem.encode()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sys\nsys.exit('not today')", "cannot be loaded: SystemExit: not today"),
        ("import os\nos._exit(0)", "cannot be loaded: it called os._exit"),
        ("raise KeyboardInterrupt", "cannot be loaded: KeyboardInterrupt"),
        ("def grade(s, a): return 1\0", "cannot be loaded: SyntaxError|cannot be loaded: ValueError"),
        ("async def grade(s, a): return 0.25", "expected a function grade"),
        ("def grade(s, a, extra): return 0.25", "expected a function grade"),
        ("def grade(s, a, *, beta): return 0.25", "expected a function grade"),
        ("grade = 3", "expected a function grade"),
        ("import helper_of_nobody", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(code: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        graded(tmp_path / "task", code)
    assert len(str(caught.value).splitlines()) == 1


def test_helper_modules_beside_it(tmp_path: Path) -> None:
    code = "from metrics import mean\nimport more.deep\nfrom . import other\nfrom .other import two\n"
    code += "def grade(s, a):\n    import late\n    return mean(0.25) + more.deep.zero() + late.zero + two - two\n"
    helpers = {
        "metrics": "import base\ndef mean(x): return x * base.one",
        "base": "one = 1",
        "more/__init__": "",
        "more/deep": "def zero(): return 0",
        "late": "zero = 0",
        "other": "two = 2",
    }
    task = tmp_path / "task"
    assert graded(task, code, **helpers).score == 0.25
    assert not {"metrics", "base", "more", "late", "other"} & set(sys.modules)
    assert str(task) not in sys.path
    assert not list(task.rglob("*.pyc"))
    before = folder.load(task).version
    (task / "prepare.py").write_text("print('made the data')")
    assert folder.load(task).version == before, "a file that the grader does not import is no part of the task"
    (task / "base.py").write_text("one = 2")
    assert folder.load(task).version != before
    assert graded(task, code).score == 0.5


def test_two_tasks_may_have_helpers_of_one_name(tmp_path: Path) -> None:
    code = "def grade(s, a):\n    import helper\n    return helper.score"
    for _ in range(2):
        assert graded(tmp_path / "one", code, helper="score = 1").score == 1
        assert graded(tmp_path / "two", code, helper="score = 2").score == 2


def test_graders_of_several_threads(tmp_path: Path) -> None:
    """They import, print and exit, each in its own."""
    code = (
        "import os, helper\ndef grade(s, a):\n    print(helper.score)\n    os._exit(1) if helper.score > 3 else None\n"
    )
    code += "    return helper.score"
    found: dict[int, object] = {}

    def one(n: int) -> None:
        (tmp_path / str(n)).mkdir()
        found[n] = graded(tmp_path / str(n) / "task", code, helper=f"score = {n}").score

    threads = [threading.Thread(target=one, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: 0, 1: 1, 2: 2, 3: 3, 4: None, 5: None}
