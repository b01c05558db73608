"""`mlesearch next`: the declared looks at a study, and what has to be run next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlesearch.analysis.data.tables import read
from mlesearch.analysis.planning.conditions import CONDITIONS, WORDS
from mlesearch.analysis.planning.sequential import Standing, check_recorded, plan_of, standing
from mlesearch.analysis.text import listing, plural
from mlesearch.cli.terminal import shown, table
from mlesearch.storage.documents import STUDY
from mlesearch.storage.files import read_json
from mlesearch.storage.layout import RunKey, declared, note_not_planned
from mlesearch.storage.sequential import note_look, read_looks
from mlesearch.study.output import say
from mlesearch.study.tables.collect import collect
from mlesearch.types import ConfigError


def look_at(study: Path) -> Standing:
    """Take the looks that a study's data allow, and record those that were not taken before.

    Args:
        study: its folder.

    Raises:
        ConfigError: no looks were declared, or what was looked at before has changed since.
    """
    collect(study)
    found, recorded = standing(read(study)), read_looks(study)
    check_recorded(found.looks, recorded)
    for look in found.looks[len(recorded) :]:
        note_look(study, look.to_line())
    _note_stopped(study, found)
    return found


def _note_stopped(study: Path, found: Standing) -> None:
    """Say of runs of groups that stopped that the design leaves them out, where others have their seeds."""
    asked = {key.seed for key in declared(study)} | {key.seed for key in found.to_run}
    by_reason: dict[str, list[RunKey]] = {}
    for key, why in found.stopped.items():
        if key.seed in asked:
            by_reason.setdefault(why, []).append(key)
    for why, keys in by_reason.items():
        note_not_planned(study, keys, why)


def next_round(study: Path, after: int | None, *, as_json: bool) -> int:
    """Say where a sequential study stands, and what has to be run next.

    Args:
        study: its folder.
        after: seeds of the look that is asked for; None: whichever is next.
        as_json: in place of words.
    """
    plan = plan_of(read_json(study / STUDY)) if after is not None and (study / STUDY).exists() else None
    if plan is not None and after not in plan["looks"]:
        raise ConfigError(
            f"--after {after}: no look after {plural(after or 0, 'seed')} was declared; declared are looks after "
            f"{_listed(plan['looks'])} seeds"
        )
    found = look_at(study)
    if after is not None and after not in {look.seeds for look in found.looks}:
        raise ConfigError(
            f"--after {after}: that look can't be taken: " + (decision(found) if found.decided else todo(found))
        )
    if as_json:
        say(json.dumps(standing_json(found), indent=1))
        return 0
    say(heading(found, shown(study)))
    if found.looks:
        table(look_rows(found))
    say(decision(found) if found.decided else f"{todo(found)}\n{_command(found)}")
    return 0


def look_rows(found: Standing, told: int = 0) -> list[dict[str, object]]:
    """One row a look and condition that was open at it; looks that were told before are left out."""
    rows: list[dict[str, object]] = []
    for place, look in enumerate(found.looks):
        below = found.given_up_below(place)
        for name, z in zip(CONDITIONS, look.statistics, strict=True):
            if place < told or not (state := found.state(place, name)):
                continue
            rows.append(
                {
                    "seeds": look.seeds,
                    "condition": WORDS[name][found.falls],
                    "statistic": f"{z:.2f}",
                    "bound": f"{found.plan['bounds'][place]:.2f}",
                    "given up below": "-" if below is None else f"{below:.2f}",
                    "state": state,
                }
            )
    return rows


def heading(found: Standing, study: str) -> str:
    """What was declared."""
    plan, (treatment, baseline) = found.plan, found.arms
    rule = f"given up below {100 * plan['futility']:g} % conditional power" if plan["futility"] else "never given up"
    return (
        f"{study}: {treatment.label} against {baseline.label} on {plural(len(plan['tasks']), 'task')}; looks after "
        f"{_listed(plan['looks'])} seeds, each condition one-sided at {100 * plan['alpha']:g} % over all of them, "
        f"{rule}\n"
        f"low group: {', '.join(plan['low'])}; high group: {', '.join(plan['high'])}"
    )


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def decision(found: Standing) -> str:
    """What a decided study has shown."""
    last = found.looks[-1]
    if found.shown:
        return (
            f"decided after {plural(last.seeds, 'seed')}: the crossover is established for these models (all three "
            "conditions crossed their bounds); nothing has to be run. Rates of groups that stopped are biased: "
            "report them by stage"
        )
    open_ones = listing([WORDS[c][found.falls] for c in CONDITIONS if c not in last.crossed])
    why = "at the last look" if last.seeds == found.plan["looks"][-1] else "by the declared rule of futility"
    return (
        f"decided after {plural(last.seeds, 'seed')}, {why}: no crossover is established; it is not shown that "
        f"{open_ones}. Nothing has to be run"
    )


def todo(found: Standing) -> str:
    """What the next look needs."""
    groups = [name for name, on in zip(("low", "high"), found.running, strict=True) if on]
    which = "both groups" if len(groups) == 2 else f"the {groups[0]} group"
    return (
        f"next: {which} up to {plural(found.next_seeds, 'seed')} on all {len(found.plan['tasks'])} tasks; "
        f"{plural(len(found.to_run), 'run')} to make before the look after {plural(found.next_seeds, 'seed')}"
    )


def overrides_of(found: Standing) -> list[str]:
    """What of a launch is the next round, as overrides: models, strategies and seeds."""
    keys = found.to_run
    parts = {
        "model": dict.fromkeys(k.model for k in keys),
        "strategy": dict.fromkeys(k.strategy for k in keys),
    }
    seeds = dict.fromkeys(k.seed for k in keys)
    return [*(f"{k}={','.join(v)}" for k, v in parts.items()), f"seeds=[{','.join(map(str, seeds))}]"]


def _command(found: Standing) -> str:
    words = shlex.join(overrides_of(found))
    return (
        f"add these to the overrides of the study's first launch: mlesearch run -m {words}\n"
        "or let it follow the plan by itself: mlesearch run EXPERIMENT --sequential"
    )


def standing_json(found: Standing) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "plan": found.plan,
        "treatment": found.arms[0].label,
        "baseline": found.arms[1].label,
        "looks": [{**look.to_line(), "seeds_of": look.seeds_of, "gaps": look.gaps} for look in found.looks],
        "decided": found.decided,
        "established": found.shown,
        "next_seeds": found.next_seeds,
        "running": [name for name, on in zip(("low", "high"), found.running, strict=True) if on],
        "to_run": [key.to_json() for key in found.to_run],
        "overrides": overrides_of(found) if found.to_run else [],
    }
