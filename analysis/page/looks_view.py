"""The declared looks at a study in the report: two tables, of conditions and of stages."""

from __future__ import annotations

from mlesearch.analysis.page.views import TableCell, View, name, number
from mlesearch.analysis.planning.conditions import CONDITIONS, WORDS
from mlesearch.analysis.planning.sequential import Standing
from mlesearch.analysis.text import points


def views_of(found: Standing | None) -> tuple[View, ...]:
    """Both tables of a study that is decided; none of another."""
    return (looks_view(found), stages_view(found)) if found is not None and found.decided else ()


def looks_view(found: Standing) -> View:
    """One row a look and condition."""
    rows = []
    for place, look in enumerate(found.looks):
        below = found.given_up_below(place)
        for condition, z in zip(CONDITIONS, look.statistics, strict=True):
            if not (state := found.state(place, condition)):
                continue
            rows.append(
                (
                    number(float(look.seeds), 0),
                    TableCell(WORDS[condition][found.falls], kind="text"),
                    number(z, 2),
                    number(found.plan["bounds"][place], 2),
                    TableCell("–" if below is None else f"{below:.2f}"),
                    TableCell(state, kind="text"),
                )
            )
    caption = (
        "The declared looks. Statistics are t over tasks with T − 1 degrees of freedom, on the scale of the standard "
        "normal; bounds are of error spending like O'Brien and Fleming's (Lan and DeMets 1983). A condition that "
        "crossed is looked at no more."
    )
    return View("looks", caption, ("seeds", "condition", "statistic", "bound", "given up below", "state"), tuple(rows))


def stages_view(found: Standing) -> View:
    """One row a look and group: the seeds that came with it alone, and the gap over all seeds so far."""
    treatment, baseline = (arm.label for arm in found.arms)
    rows = []
    for look in found.looks:
        for group, label in enumerate(("low", "high")):
            rates = look.stage_rates[group]
            if rates is None:
                continue
            stopped = label in look.new or look is found.looks[-1]
            rows.append(
                (
                    name(f"{label} group"),
                    number(float(look.seeds), 0),
                    number(rates[0], 1, 100),
                    number(rates[1], 1, 100),
                    TableCell(points(rates[0] - rates[1])),
                    TableCell(points(look.gaps[group])),
                    TableCell("stopped here: biased" if stopped else "", kind="text"),
                )
            )
    caption = (
        "By stage. The rates and the gap of a stage are of the seeds that came with its look alone; those of the first "
        "stage are without bias. A gap over all seeds at which a group was stopped is biased away from 0."
    )
    heads = ("group", "seeds", f"{treatment}, %", f"{baseline}, %", "gap of the stage", "gap over all seeds", "")
    return View("stages", caption, heads, tuple(rows))
