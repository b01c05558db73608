"""The verdict of declared looks at a study, in words that can be quoted without the page around them."""

from __future__ import annotations

from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.planning.conditions import CONDITIONS, WORDS
from mlesearch.analysis.planning.sequential import Standing
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import ClaimAnswer, listing, plural

BIASED = (
    "Groups of models were stopped by looks at the results, so rates, gaps and slopes over all seeds are biased, away "
    "from 0: the section Looks has them by stage."
)


def looks_verdict(results: Results, found: Standing) -> ClaimAnswer:
    """The crossover by its declared looks, in words that can be quoted alone."""
    plan, last = found.plan, found.looks[-1]
    opening = "In simulation, on" if results.tables.simulated else "On"
    pair = f"{found.arms[0].label} against {found.arms[1].label}, {RATES[results.outcome]}"
    size = (
        f"confirmatory; looks after {listing([str(k) for k in plan['looks']])} seeds on {len(plan['tasks'])} tasks, "
        f"{len(plan['low'])} and {len(plan['high'])} models at the ends, each condition one-sided at "
        f"{100 * plan['alpha']:g} % over all looks"
    )
    if found.shown:
        said = listing([_when(found, condition) for condition in CONDITIONS])
        text = f"{opening} tasks like these, for these models ({pair}), a crossover is established: {said} ({size})."
        return ClaimAnswer("Crossover", "yes", "Established by its declared looks", text, "confirmatory")
    open_ones = listing([WORDS[c][found.falls] for c in CONDITIONS if c not in last.crossed])
    why = "at the last look" if last.seeds == plan["looks"][-1] else "by the declared rule of futility"
    text = (
        f"{opening} tasks like these, for these models ({pair}), no crossover is established: the study ended after "
        f"{plural(last.seeds, 'seed')}, {why}, and it is not shown that {open_ones} ({size})."
    )
    return ClaimAnswer("Crossover", "open", "None established by its declared looks", text, "confirmatory")


def _when(found: Standing, condition: str) -> str:
    """A condition, and the look at which it crossed its bound."""
    place, look = next((i, look) for i, look in enumerate(found.looks) if condition in look.new)
    z = look.statistics[CONDITIONS.index(condition)]
    bound = found.plan["bounds"][place]
    seeds = plural(look.seeds, "seed")
    return f"{WORDS[condition][found.falls]} ({z:.2f} standard errors after {seeds}, bound {bound:.2f})"


def declared_looks() -> str:
    """What was declared, for the head of the page."""
    return (
        "Declared before the first run: looks at a crossover while seeds are added. The crossover is confirmatory, by "
        "these looks; everything else is exploratory, since it was stopped by what was seen."
    )
