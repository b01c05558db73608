r"""What a paper needs of a report, as LaTeX to be included: claims, methods, tables, and a checklist.

The file is a fragment for \input; it needs \usepackage{booktabs}, \usepackage{array} and UTF-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlesearch import __version__
from mlesearch.analysis.files.methods import paragraph
from mlesearch.analysis.files.provenance import digests
from mlesearch.analysis.files.table_files import booktabs, latex
from mlesearch.analysis.page import views
from mlesearch.analysis.page.views import View
from mlesearch.analysis.results import Results
from mlesearch.analysis.words.grown_words import grown
from mlesearch.analysis.words.wording import declaration, estimand, missing_runs, title, verdicts

NAME = "report.tex"


def paper(results: Results, study_dir: Path) -> str:
    """The fragment.

    Args:
        results: of the study.
        study_dir: its folder, of whose files the digests are.
    """
    simulated = results.tables.simulated
    stamp = "Simulated engineers, not language models: no evidence about any language model." if simulated else ""
    parts = [
        f"% written by mlesearch {__version__}; needs \\usepackage{{booktabs,array}}",
        _heading(title(results)),
        latex(stamp),
        _claims(results),
        *(booktabs(view, simulated=simulated) for view in _tables(results)),
        _heading("Methods"),
        latex(paragraph(results) or "Nothing is estimated or tested before all planned runs were made."),
        _heading("Checklist"),
        _checklist(checklist(results, study_dir)),
    ]
    return "\n".join(part for part in parts if part) + "\n"


def checklist(results: Results, study_dir: Path) -> list[tuple[str, str]]:
    """What reviewers ask for: what was declared, from which files, by which versions, what is missing or differs."""
    runs = results.tables.runs
    made_with = str(results.tables.study.get("mlesearch_version") or "unknown")
    deviations = [results.claim.unmet] if results.claim is not None and results.claim.unmet else []
    if results.main is not None and results.main.sandboxes:
        deviations.append("treatment and baseline did not share one sandbox")
    if results.not_planned.runs:
        deviations.append(results.not_planned.words)
    when = "in study.json, which is written once, before the first run; no time is recorded"
    return [
        ("Evidence", "simulated engineers" if results.tables.simulated else "runs of live models"),
        ("Claim", declaration(results)),
        ("Declared", f"{when}. {said}" if (said := grown(results)) else when),
        ("Estimand", estimand(results)),
        ("Runs", f"{len(runs)}, {int(runs['status'].isin(('ok', 'timeout')).sum())} with a result"),
        ("Missing runs", missing_runs(results)),
        ("Deviations", "; ".join(deviations) or "none known"),
        ("Versions", f"study made with mlesearch {made_with}, analysed with {__version__}"),
        *((f"sha256 of {name}", digest) for name, digest in digests(study_dir).items()),
        ("Check", "mlesearch recheck report.html computes every number again from these files"),
    ]


def _tables(results: Results) -> Sequence[View]:
    if results.main is None:
        return ()
    slopes = views.slopes(results)
    return (views.gaps(results, [results.main], "gaps-main"), *((slopes,) if slopes else ()))


def _claims(results: Results) -> str:
    """One row a claim: what it is about, its status, how it came out, and the sentence."""
    rows = [
        rf"{latex(answer.title)} & {latex(answer.status)} & {latex(answer.headline)} & {latex(answer.sentence)} \\"
        for answer in verdicts(results)
    ]
    if not rows:
        return ""
    columns = "".join(rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}" for share in (0.12, 0.16, 0.17, 0.47))
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\caption{Claims}",
            r"\label{tab:claims}",
            r"\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            r"claim & status & outcome & finding \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _checklist(rows: Sequence[tuple[str, str]]) -> str:
    items = [rf"\item[{latex(name)}] {_item(name, text)}" for name, text in rows]
    return "\n".join([r"\begin{description}", *items, r"\end{description}"])


def _item(name: str, text: str) -> str:
    """A digest has a line of its own, since it can't be broken."""
    return rf"\mbox{{}}\\{{\scriptsize\ttfamily {text}}}" if name.startswith("sha256") else latex(text)


def _heading(text: str) -> str:
    return rf"\paragraph{{{latex(text)}.}}"
