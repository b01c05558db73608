"""What a planned launch is estimated to take, said to the user, and asked before real money is spent."""

from __future__ import annotations

import sys

from mlesearch.analysis.text import plural
from mlesearch.cli.terminal import duration, money, number
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import StudyPlan
from mlesearch.study.estimates.estimate import Estimate, estimate_plan, spends
from mlesearch.study.estimates.profiles import (
    DEFAULT,
    DEFAULT_CALL_S,
    DEFAULT_PROGRAM_SHARE,
    DEFAULT_TOKENS_IN,
    DEFAULT_TOKENS_OUT,
)
from mlesearch.study.output import complain, say
from mlesearch.types import ConfigError


def estimate_rows(found: Estimate) -> list[dict[str, object]]:
    """One row a cell, for the terminal."""
    return [
        {
            "cell": r.name,
            "runs": r.runs,
            "steps": number(r.steps),
            "calls": number(r.calls),
            "tokens in": number(r.tokens_in),
            "tokens out": number(r.tokens_out),
            "USD": money(r.usd) + (" (virtual)" if r.virtual and r.usd else ""),
            "GPU h": f"{r.gpu_h:,.1f}",
            "profile": r.profile,
        }
        for r in found.rows
    ]


def estimate_lines(found: Estimate, planned: StudyPlan, gpus: int | None, side_by_side: int) -> list[str]:
    """The sums of a launch in words; `gpus` None: one, and no more side by side than this machine would run."""
    s = planned.runs[0].settings
    if gpus is not None and gpus < 1:
        raise ConfigError(f"--gpus: {gpus}; at least 1 is needed")
    side_by_side = max(side_by_side, (gpus or 0) * s.sandbox.gpu_slots * bool(s.sandbox.gpus))
    lines = [f"all together: {_sums(found)}, {found.total(lambda r: r.gpu_h):,.1f} GPU hours"]
    wall_s = found.wall_s(gpus or 1, s.sandbox.gpu_slots, side_by_side)
    with_gpus = f"{plural(gpus or 1, 'GPU')} and " if s.sandbox.gpus else ""
    lines.append(
        f"about {duration(wall_s)} with {with_gpus}{_at_once(side_by_side)}; "
        f"about {found.total(lambda r: r.disk_bytes) / 1e6:,.1f} MB on disk, stores not counted"
    )
    if any(DEFAULT in r.profile for r in found.rows):
        lines.append(
            f"default profile: {DEFAULT_TOKENS_IN:,} tokens in and at most {DEFAULT_TOKENS_OUT:,} out a call, "
            f"{DEFAULT_CALL_S:g} s a call, programs that take {DEFAULT_PROGRAM_SHARE:.0%} of their limit: a guess; "
            f"measure in a small study and name it with --like"
        )
    if guarded := _guarded(found):
        lines.append(guarded)
    if found.unpriced:
        lines.append(f"the price of {', '.join(found.unpriced)} is not known; declare it in model.params.price")
    return lines


def _at_once(side_by_side: int) -> str:
    return "one program or call at a time" if side_by_side == 1 else f"{side_by_side} programs or calls side by side"


def _guarded(found: Estimate) -> str:
    """Where figures are from runs of others: what the guard of money takes instead."""
    if found.usd is None or found.most_usd is None or found.most_usd <= found.usd:
        return ""
    return (
        f"not all of it was measured with this model, strategy and task, so what `run` asks by is "
        f"{money(found.most_usd)}, by the default profile"
    )


def _sums(found: Estimate) -> str:
    calls, tokens_in, tokens_out = (
        number(found.total(read)) for read in (lambda r: r.calls, lambda r: r.tokens_in, lambda r: r.tokens_out)
    )
    return f"{calls} call{'' if calls == '1' else 's'}, {tokens_in} tokens in, {tokens_out} out, {money(found.usd)}"


def confirm(planned: StudyPlan, resources: ProcessResources, yes: bool) -> bool:
    """Whether a launch may begin: one that costs real money says how much, and asks above `budget.confirm_usd`.

    Args:
        planned: of the launch.
        resources: of this process.
        yes: the user has agreed beforehand.

    Raises:
        ConfigError: it costs too much and there is no terminal to ask at.
    """
    if not any(spends(r.settings) for r in planned.runs):
        return True
    found = estimate_plan(planned, resources)
    limit = planned.runs[0].settings.budget.confirm_usd
    if not found.rows or found.most_usd == 0.0:
        return True
    profiles = "; ".join(sorted({r.profile for r in found.rows}))
    what = f"estimated for {plural(sum(r.runs for r in found.rows), 'run')}: {_sums(found)} (profile: {profiles})"
    if guarded := _guarded(found):
        what += f"; {guarded}"
    if yes or not found.exceeds(limit):
        say(what)
        return True
    if found.usd is None:
        why = f"the price of {', '.join(found.unpriced)} is not known"
    else:
        why = f"that is above budget.confirm_usd ({money(limit)})"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(f"{what}; {why}: add --yes to run it all the same, or see `mlesearch estimate`")
    complain(f"{what}; {why}")
    complain("run it? [y/N]", end=" ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
