"""The sentences on runs that are still to come, and on lost ones: no result, no program, or all failed alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlesearch.analysis.comparisons.lost_cases import sentence
from mlesearch.analysis.data.reasons import merged, reasons_text
from mlesearch.analysis.measures.attrition import CellRuns
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import ClaimAnswer, listing, plural


def runs_verdict(results: Results) -> ClaimAnswer | None:
    """Runs without a result, runs without a program, and programs that all failed alike; None where there are none."""
    cells = made(results)
    lost, without = sum(c.lost for c in cells), sum(c.without_program for c in cells)
    alike = any(c.alike for c in cells)
    if not (lost or without or alike):
        return None
    planned = sum(c.planned for c in cells)
    heads = []
    if lost:
        heads.append(
            f"{lost:,} of {plural(planned, 'run')} have no result" if lost < planned else "No run has a result"
        )
    if without:
        whole = without == planned - lost
        heads.append("no run gave a program" if whole and not lost else f"{plural(without, 'run')} gave no program")
    if alike:
        heads.append("all programs of a strategy failed alike")
    headline = ", ".join(heads)
    parts = lost_lines(cells)
    text = f"{place(results)}{'; '.join(parts)}.{_unequal(results)}"
    if results.main is not None and any(not gap.refused for gap in results.main.gaps):
        text += sentence(results.lost_cases, results.models.names)
    spent = sum(c.lost_usd for c in cells)
    if spent > 0:
        text += f" The runs without a result have cost {spent:,.4g} USD, which the table of costs leaves out."
    return ClaimAnswer("The runs", "open", headline[0].upper() + headline[1:], text, "every number below")


def made(results: Results) -> tuple[CellRuns, ...]:
    """What became of the runs of each cell; of an unfinished study's, those that were made."""
    if results.progress is None:
        return results.cells
    whole = (replace(c, planned=c.planned - c.missing, missing=0) for c in results.cells)
    return tuple(c for c in whole if c.planned)


def unfinished_verdict(results: Results) -> ClaimAnswer | None:
    """That planned runs were not made; None where all were."""
    if not results.unfinished:
        return None
    many = results.to_come != 1
    to_come = f"{results.to_come} planned run{'s were' if many else ' was'} not made (not begun, or not ended)"
    text = f"{place(results)}{to_come}: {'these are' if many else 'this is'} no failure{'s' if many else ''}. "
    if results.progress is not None:
        text += (
            "Counts of what was made so far stand below, and no verdict, test or interval: a claim that is tested "
            "again at every look is right by chance more often than its error rate says, and what was made first may "
            "be neither like what follows nor alike for all strategies."
        )
    else:
        text += (
            f"This is one look at a part of the study, under the policy {results.policy.policy}; everything in it is "
            "exploratory, and a difference counts only where it would be there however those runs came out."
        )
    return ClaimAnswer("The study", "open", results.unfinished, text, "every number below")


def place(results: Results) -> str:
    """How a quotable sentence begins that is about runs alone: that it is simulated where it is."""
    return "In simulation, " if results.tables.simulated else ""


def lost_lines(cells: Sequence[CellRuns]) -> list[str]:
    """What became of each strategy's runs that were lost, in words; none where none was."""
    return [text for arm in dict.fromkeys(c.arm for c in cells) for text in _of([c for c in cells if c.arm == arm])]


def _of(own: Sequence[CellRuns]) -> list[str]:
    """The same for the cells of one strategy."""
    arm = own[0].arm
    out = []
    lost = [c for c in own if c.lost]
    if lost:
        failed, missing = sum(c.failed for c in lost), sum(c.missing for c in lost)
        why = [f"{failed} failed: {reasons_text(merged([c.why_failed for c in lost])) or 'no reason recorded'}"]
        why = (why if failed else []) + ([f"{missing} not begun or not ended"] if missing else [])
        count = f"{sum(c.lost for c in lost):,} of {plural(sum(c.planned for c in own), 'run')}"
        out.append(f"{arm}: {count} have no result{_models_of(lost, own)} ({'; '.join(why)})")
    idle = [c for c in own if c.without_program]
    if idle:
        ended = sum(c.planned - c.lost for c in own)
        count = f"{sum(c.without_program for c in idle):,} of {plural(ended, 'run')} with a result gave no program"
        why_none = reasons_text(merged([c.why_without for c in idle]))
        steps = sum(c.steps for c in idle)
        steps_text = f"0 of {plural(steps, 'step')} gave one, " if steps else ""
        out.append(f"{arm}: {count}{_models_of(idle, own)} ({steps_text}{why_none})")
    for c in own:
        if c.alike:
            out.append(f"{arm}: all {c.programs} programs with {c.model} failed alike: {c.alike}")
    return out


def _models_of(some: Sequence[CellRuns], own: Sequence[CellRuns]) -> str:
    """With which models, where not with all."""
    if len(some) == len(own):
        return ""
    return f" with {listing([c.model for c in some]) if len(some) <= 4 else plural(len(some), 'model')}"


def _unequal(results: Results) -> str:
    """That the two sides of the claim's comparison lost runs in unequal shares."""
    if results.main is None:
        return ""
    sides = []
    for arm in (results.main.treatment, results.main.baseline):
        own = [c for c in results.cells if c.arm == arm.label]
        sides.append((arm.label, sum(c.lost + c.without_program for c in own), sum(c.planned for c in own)))
    (a, lost_a, of_a), (b, lost_b, of_b) = sides
    if lost_a * of_b == lost_b * of_a:
        return ""
    return (
        f" The two sides lost runs unequally ({a} {lost_a} of {of_a}, {b} {lost_b} of {of_b}): a gap between them may "
        "come from that."
    )
