"""How far an unfinished study is, as a table of the page and as plain text."""

from __future__ import annotations

from mlesearch.analysis.measures.progress import CellProgress, StudyProgress
from mlesearch.analysis.page.views import TableCell, View, name, number
from mlesearch.analysis.text import plural
from mlesearch.storage.claim import OUTCOMES


def view(found: StudyProgress) -> View:
    """Runs made of planned, successes among them, and spend, by model and strategy."""
    rows = tuple(
        (
            name(c.model),
            name(c.strategy),
            TableCell(_made(c), key=repr((c.ended + c.failed) / c.planned)),
            number(float(c.failed), 0),
            TableCell(
                successes(c), key=repr(c.successes / c.rated) if c.rated else "-inf", mark="" if c.rated else "weak"
            ),
            number(c.cost_usd, 4 if c.cost_usd < 10 else 2, unknown="no price"),
            number(float(c.tokens), 0),
            number(c.charged_h, 2),
        )
        for c in found.cells
    )
    whole = "the first rounds of seeds, each complete" if found.rounds else "the runs that were made"
    name_of = OUTCOMES[found.outcome]
    note = (
        f"Of {plural(found.planned, 'planned run')}: {whole}. {name_of.capitalize()}: runs with it among runs with a "
        "result, and their plain share. Where cells are unequally far these shares are of different tasks and seeds: "
        "they are no estimates, and may not be compared. Spend is of all runs so far, failed ones included."
    )
    heads = (
        "model",
        "strategy",
        "made of planned",
        "failed",
        OUTCOMES[found.outcome],
        "USD so far",
        "tokens",
        "charged h",
    )
    return View("progress", note, heads, rows)


def _made(c: CellProgress) -> str:
    return f"{c.ended + c.failed} of {c.planned}"


def successes(c: CellProgress) -> str:
    """`5 of 12 (41.7 %)`, or that there are none to count."""
    return f"{c.successes} of {c.rated} ({100 * c.successes / c.rated:.1f} %)" if c.rated else "–"


def lines(found: StudyProgress) -> list[str]:
    """The same for a terminal."""
    heads = ("model", "strategy", "made of planned", "failed", f"{OUTCOMES[found.outcome]} so far", "USD")
    cells = [
        (
            c.model,
            c.strategy,
            _made(c),
            str(c.failed),
            successes(c),
            "-" if c.cost_usd != c.cost_usd else f"{c.cost_usd:,.2f}",
        )
        for c in found.cells
    ]
    widths = [max(len(row[i]) for row in [heads, *cells]) for i in range(len(heads))]
    out = []
    for row in (heads, tuple("-" * w for w in widths), *cells):
        padded = [
            text.ljust(w) if i < 2 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        out.append("  ".join(padded).rstrip())
    return out
