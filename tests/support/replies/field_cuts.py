"""Field replies: cut off, and with code left out in many words and languages."""

from __future__ import annotations

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case, py
from tests.support.replies.field_programs import BASE, BETTER, NET, PARTS, PLAN, TREES, cut

OPEN = f"{PLAN}\n\n```python\n"
END = "\n\ndef main"
FOLDS = TREES[TREES.index("errors = []") : TREES.index("final = ")]


def noted(words: str) -> str:
    """A program that runs as it stands, with a line of comment after its columns."""
    return TREES.replace('"hardness"]\n', f'"hardness"]\n{words}\n')


def left(words: str) -> str:
    """A program that runs as it stands, in which a line says that something was left out."""
    return py(noted(words))


def hole(words: str) -> str:
    """A program whose folds are replaced by a line."""
    return py(TREES.replace(FOLDS, words + "\n\n"))


def fitted_by(body: str) -> str:
    """The function that fits does this alone."""
    return py(f"{PARTS[: PARTS.index('    model = make_pipeline')]}    {body}\n{PARTS[PARTS.index(END) :]}")


CUTS = [
    Case("cut between statements", OPEN + cut(TREES, "final = "), Ask(), finish="length"),
    Case("cut between statements, told as a stop", OPEN + cut(TREES, "final = "), Ask()),
    Case("cut within a string", OPEN + cut(TREES, "submission.csv"), Ask(), finish="length"),
    Case("cut within a name", OPEN + cut(TREES, "final = HistGr", after=True), Ask(), finish="length"),
    Case("cut before the last line", OPEN + cut(TREES, "out.to_csv"), Ask(), finish="length"),
    Case("cut before the last line, told as a stop", OPEN + cut(TREES, "out.to_csv"), Ask()),
    Case("cut before the call of main", OPEN + cut(PARTS, "if __name__"), Ask(), finish="length"),
    Case("cut before the call of main, told as a stop", OPEN + cut(PARTS, "if __name__"), Ask()),
    Case("main never called, block closed", f"{PLAN}\n\n{py(cut(PARTS, 'if __name__'))}", Ask()),
    Case("cut after a function", OPEN + cut(PARTS, "def fit"), Ask(), finish="length"),
    Case("cut in the plan", PLAN[:70], Ask(), finish="length"),
    Case("cut at the fence", f"{PLAN}\n\n```", Ask(), finish="length"),
    Case("cut in the closing words", f"{PLAN}\n\n{py(TREES)}\n\nThis program uses fi", TREES, finish="length"),
    Case("not closed, whole", OPEN + TREES, TREES),
    Case("not closed, whole, end token", OPEN + TREES + "<|endoftext|>", TREES),
    Case(
        "not closed, whole, words after", OPEN + TREES + "\nThis trains boosted trees and writes the submission.", TREES
    ),
    Case("closed after a cut", f"{PLAN}\n\n{py(cut(TREES, 'final = '))}\n\n(continued in the next message)", Ask()),
    Case("part 1 of 2", f"Part 1 of 2:\n\n{py(cut(TREES, 'final = '))}\n\nShall I continue with part 2?", Ask()),
    Case("a cut without a fence", f"{PLAN}\n\n{cut(TREES, 'final = ')}", Ask(), finish="length"),
    Case(
        "a cut in a tool call",
        '<tool_call>\n{"name": "write_file", "arguments": {"path": "s.py", "content": "import pandas as pd\\ntrain',
        Ask(),
        finish="length",
    ),
    Case("a cut in tags", f"<plan>{PLAN}</plan>\n<code>\n{cut(TREES, 'final = ')}", Ask(), finish="length"),
    Case("whole in tags, not closed", f"<plan>{PLAN}</plan>\n<code>\n{TREES}", TREES),
    Case("a cut in a here document", f"```bash\ncat > s.py <<'EOF'\n{cut(TREES, 'final = ')}", Ask(), finish="length"),
    Case(
        "a cut that still writes a first submission",
        OPEN + BASE + "\nfor frame in (train, held):\n    frame[",
        Ask(),
        finish="length",
    ),
    Case(
        "a loop of repeated lines",
        OPEN + cut(TREES, "errors = []") + 'train["width"] = train["width"].fillna(0)\n' * 60,
        Ask(),
        finish="length",
    ),
    Case("a loop of repeated imports", OPEN + "import numpy as np\n" * 200, Ask(), finish="length"),
    Case("a filter stopped it", OPEN + cut(TREES, "final = "), Ask(), finish="content_filter"),
    Case("a net, cut before the training", f"{PLAN}\n\n{py(cut(NET, 'for epoch'))}", Ask()),
]

ELISIONS = [
    Case("rest as before", hole("# ... cross-validation as before ..."), Ask()),
    Case("unchanged, in brackets", left("# [unchanged feature engineering]"), Ask()),
    Case("existing code", left("# ... existing code ..."), Ask()),
    Case("existing code in tags", left("# <existing feature code here>"), Ask()),
    Case("omitted for brevity", hole("# (validation loop omitted for brevity)"), Ask()),
    Case("snip", hole("# --- snip ---"), Ask()),
    Case("only dots", hole("# ..."), Ask()),
    Case("dots as a statement", hole("..."), Ask()),
    Case("dots of one sign", hole("# …"), Ask()),
    Case("a place for code", left("# your feature engineering code here"), Ask()),
    Case("add more here", left("# add the remaining features here"), Ask()),
    Case("same as above", left("# same preprocessing as in the base program (not repeated)"), Ask()),
    Case(
        "keep the rest", f"{PLAN}\n\n```python\n{TREES}# ... keep the rest of the original script unchanged\n```", Ask()
    ),
    Case("at the top", f"{PLAN}\n\n```python\n# ... (imports and data loading unchanged)\n{TREES}```", Ask()),
    Case("in german", left("# ... Rest bleibt unverändert"), Ask()),
    Case("in french", left("# ... le reste du code est inchangé"), Ask()),
    Case("in spanish", left("# ... (el resto del código permanece igual)"), Ask()),
    Case("in portuguese", left("# ... restante do código permanece o mesmo"), Ask()),
    Case("in russian", left("# ... остальной код без изменений"), Ask()),
    Case("in chinese", left("# ... 其余代码保持不变"), Ask()),
    Case("in chinese, without dots", left("# 此处省略特征工程代码"), Ask()),
    Case("in japanese", left("# (以下、元のコードと同じ)"), Ask()),
    Case("in korean", left("# ... 나머지 코드는 동일합니다"), Ask()),
    Case("in italian", left("# ... il resto del codice rimane invariato"), Ask()),
    Case("in turkish", left("# ... kodun geri kalanı aynı"), Ask()),
    Case("in polish", left("# ... reszta kodu bez zmian"), Ask()),
    Case("in arabic", left("# ... باقي الكود بدون تغيير"), Ask()),
    Case("in hindi", left("# ... बाकी कोड वैसा ही रहेगा"), Ask()),
    Case("in vietnamese", left("# ... phần còn lại giữ nguyên"), Ask()),
    Case("in indonesian", left("# ... sisa kode tetap sama"), Ask()),
    Case(
        "a function without a body",
        py(
            PARTS.replace(
                '    out["width"] = frame["width"].fillna(fill["width"])\n',
                "    # existing features (width, length, ...)\n",
            )
        ),
        Ask(),
    ),
    Case(
        "a function of dots",
        fitted_by("..."),
        Ask(),
    ),
    Case(
        "a function not implemented",
        fitted_by("raise NotImplementedError"),
        Ask(),
    ),
    Case(
        "a function that passes",
        fitted_by("pass  # as in the base program"),
        Ask(),
    ),
    Case(
        "a function that is only a docstring",
        fitted_by('"""Unchanged."""'),
        Ask(),
    ),
    Case("functions that are not there", py(cut(PARTS, "def load") + PARTS[PARTS.index("def main") :]), Ask()),
    Case(
        "a comment stands for functions",
        py(
            cut(PARTS, "def features") + "# features() and fit() stay the same\n\n\n" + PARTS[PARTS.index("def main") :]
        ),
        Ask(),
    ),
    Case("brackets of text in the code", hole("[... unchanged cross-validation ...]"), Ask()),
    Case("words in angle brackets", hole("<cross-validation loop from the base program>"), Ask()),
    Case(
        "a value to fill in",
        py(TREES.replace('["width", "length", "hardness"]', "[...]  # the numeric columns")),
        Ask(),
    ),
    Case(
        "a value in angle brackets",
        py(TREES.replace('"density": final', '"<target>": final').replace('train["density"]', 'train["<target>"]')),
        Ask(),
    ),
    Case("a todo in the middle", left("# TODO: add the ratio features from the plan"), Ask()),
    Case(
        "a merge that leaves one parent out",
        py(TREES.replace("final = ", "# parent 2's network goes here, averaged below\nfinal = ")),
        Ask(),
        Op.MERGE,
    ),
    Case("see the previous version", left("# see previous version for the imputation step"), Ask()),
    Case("repeat for others", left("# repeat the same for length and hardness"), Ask()),
]

WHOLE = [
    Case(
        "rest in a comment about data",
        left("# the rest of the columns is left unchanged: trees need no scaling"),
        noted("# the rest of the columns is left unchanged: trees need no scaling"),
    ),
    Case(
        "same as before, code follows",
        py(BETTER.replace("model = ", "# same model as before, more trees\nmodel = ")),
        BETTER.replace("model = ", "# same model as before, more trees\nmodel = "),
        Op.IMPROVE,
    ),
    Case(
        "unchanged: five folds",
        py(TREES.replace("errors = []", "# Unchanged from the base: five folds\nerrors = []")),
        TREES.replace("errors = []", "# Unchanged from the base: five folds\nerrors = []"),
    ),
    Case(
        "dots in a print",
        py(TREES.replace('print("cv"', 'print("Training done ...", "cv"')),
        TREES.replace('print("cv"', 'print("Training done ...", "cv"'),
    ),
    Case(
        "a placeholder that is filled",
        py(TREES.replace("errors = []", "# placeholder for the errors of the folds\nerrors = []")),
        TREES.replace("errors = []", "# placeholder for the errors of the folds\nerrors = []"),
    ),
    Case(
        "a todo that asks for nothing",
        py(TREES.replace("SEED = 7", "SEED = 7  # TODO: try more seeds later")),
        TREES.replace("SEED = 7", "SEED = 7  # TODO: try more seeds later"),
    ),
    Case("an ellipsis as an index", py(NET), NET),
    Case(
        "previous code in a comment",
        py(TREES.replace("final = ", "# the previous code used 100 trees here\nfinal = ")),
        TREES.replace("final = ", "# the previous code used 100 trees here\nfinal = "),
    ),
    Case(
        "skipped on purpose",
        py(TREES.replace("final = ", "# target encoding omitted: it brought nothing\nfinal = ")),
        TREES.replace("final = ", "# target encoding omitted: it brought nothing\nfinal = "),
    ),
    Case(
        "a function that does nothing on purpose",
        py(NET.replace("net = Net()", "def report(*_):\n    pass\n\n\nnet = Net()")),
        NET.replace("net = Net()", "def report(*_):\n    pass\n\n\nnet = Net()"),
    ),
    Case(
        "continue in the words",
        py(TREES.replace('    print("fold"', '    # continue with the next fold afterwards\n    print("fold"')),
        TREES.replace('    print("fold"', '    # continue with the next fold afterwards\n    print("fold"'),
    ),
    Case(
        "a rest that passes through",
        py(TREES.replace("errors = []", "# remaining columns are passed through as they are\nerrors = []")),
        TREES.replace("errors = []", "# remaining columns are passed through as they are\nerrors = []"),
    ),
    Case(
        "plan says that the rest is unchanged",
        f"I add a ratio. The rest of the code remains unchanged.\n\n{py(BETTER)}",
        BETTER,
        Op.IMPROVE,
    ),
    Case(
        "closing words say that the rest is unchanged",
        f"{PLAN}\n\n{py(BETTER)}\n\nEverything else is the same as in the base program.",
        BETTER,
        Op.IMPROVE,
    ),
]
CASES = [*CUTS, *ELISIONS, *WHOLE]
