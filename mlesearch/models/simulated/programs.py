"""The frame that the programs of all spaces share: reading, fitting, predicting, writing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlesearch.models.simulated.bugs import BLANK, FIT, INDEX, ROWS, SAVE

_BASE_IMPORTS = ("import numpy as np", "import pandas as pd")
_STANDARD_LIBRARY = ("import re", "import warnings")


def _head(lines: set[str]) -> str:
    """Import lines in the usual order: the standard library, then the rest; one line for each module."""
    standard = sorted(line for line in lines if line in _STANDARD_LIBRARY)
    plain = sorted(line for line in lines if line.startswith("import ") and line not in standard)
    modules: dict[str, list[str]] = {}
    for line in sorted(lines):
        if line.startswith("from "):
            module, names = line.removeprefix("from ").split(" import ")
            modules.setdefault(module, []).extend(names.split(", "))
    named = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())]
    return "\n".join([*standard, *[""] * bool(standard), *plain, *named])


def assemble(
    *,
    title: str,
    settings: Mapping[str, str],
    target: str,
    imports: Iterable[str],
    functions: Iterable[str],
    preparation: str,
    model: str,
    labels: str = "",
    after: str = "",
    probabilities: bool = False,
    columns: str = "",
    constants: str = "",
) -> str:
    """A whole program.

    Args:
        title: first line of its docstring.
        settings: the pipeline, printed as the literal `PIPELINE`.
        target: column that is predicted.
        imports: lines; numpy and pandas come by themselves.
        functions: source of helper functions.
        preparation: code that makes the matrices `X_train` and `X_rows` from `train` and `rows`.
        model: code that makes `model`.
        labels: expression of the labels that are fitted; empty where the preparation makes `y_train`.
        after: code that turns raw `predictions` into answers.
        probabilities: whether the model predicts a probability of each class, shape (rows, classes), and no values.
        columns: expression of the submission's columns, where there are several; else `target` is the only one.
        constants: assignments below `PIPELINE`.
    """
    head = _head({*_BASE_IMPORTS, *imports})
    answers, fill = f"pd.Series(predictions, {INDEX})", f'submission["{target}"] = submission["id"].map(answers)'
    if columns:
        answers = f"pd.DataFrame(predictions, {INDEX}, columns={columns})"
        fill = 'submission = submission.join(answers, on="id")'
    defined = "".join(f"\n\n{text.strip()}\n" for text in functions if text)
    gap = "\n\n" if defined else "\n"
    return (
        f'"""{title}"""\n\n{head}\n\n{literal(settings)}{constants}{defined}{gap}'
        'train = pd.read_csv("input/train.csv")\n'
        'validation = pd.read_csv("input/validation.csv")\n'
        'test = pd.read_csv("input/test.csv")\n'
        'sample = pd.read_csv("input/sample_submission.csv")\n'
        "rows = pd.concat([validation, test], ignore_index=True)\n\n"
        f"{preparation.strip()}\n"
        f"{f'y_train = {labels}{chr(10)}' if labels else ''}\n"
        f"{model.strip()}\n"
        f"{FIT}predictions = model.{'predict_proba' if probabilities else 'predict'}{ROWS}{after}\n"
        f"{BLANK}answers = {answers}\n{fill}\n{SAVE}"
        'print("pipeline:", ", ".join(f"{choice}={option}" for choice, option in PIPELINE.items()))\n'
        'print(f"fitted {len(train)} rows, predicted {len(rows)} rows")\n'
    )


def literal(settings: Mapping[str, str]) -> str:
    """The pipeline as the literal `PIPELINE`, in lines of its own."""
    return "PIPELINE = {\n" + "".join(f'    "{k}": "{v}",\n' for k, v in settings.items()) + "}\n"


def printed(settings: Mapping[str, str], fitted: int, predicted: int) -> str:
    """What a program that runs to its end prints, but for bugs.

    Args:
        settings: the pipeline.
        fitted: rows of the training file.
        predicted: rows of the validation and test files.
    """
    told = ", ".join(f"{choice}={option}" for choice, option in settings.items())
    return f"pipeline: {told}\nfitted {fitted} rows, predicted {predicted} rows\n"
