"""`mlesearch sandbox check | bench`: what each rung promises, keeps and costs on this machine, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlesearch.cli.terminal import table
from mlesearch.sandbox import bench as timing
from mlesearch.sandbox import ladder
from mlesearch.sandbox.promises import Degree
from mlesearch.sandbox.protocol import PROMISES, Sandbox
from mlesearch.study.output import complain, say
from mlesearch.testing import contract_run


def check(names: Sequence[str], params: Mapping[str, object]) -> int:
    """Make every check of the contract on some rungs and print what each promises and keeps.

    Args:
        names: rungs; empty: all that `auto` may take.
        params: of the rungs.

    Returns:
        0 where every check of every rung that works was passed, and one works; else 1.

    Raises:
        ConfigError: no such rung, or pytest is not installed.
        SandboxUnavailable: the checks of a rung were not made to their end.
    """
    rungs = _tried(names, params)
    checked: dict[str, contract_run.Checked] = {}
    for rung in rungs:
        if rung.works:
            complain(f"{rung.name}: making the checks of the contract (a minute or more)")
            checked[rung.name] = contract_run.run(rung.name, ladder.known_params(rung.name, params))
    rows = [
        {"promise": name, **{rung.name: _said(rung, name, checked.get(rung.name)) for rung in rungs}}
        for name in (*PROMISES, contract_run.ORDINARY)
    ]
    table(rows)
    for rung in rungs:
        _notes(rung, checked.get(rung.name))
    failed = sum(len(c.failed) for c in checked.values())
    say(f"{sum(sum(c.passed.values()) for c in checked.values())} checks passed, {failed} failed")
    return 1 if failed or not checked else 0


def _said(rung: ladder.Rung, promise: str, checked: contract_run.Checked | None) -> str:
    """One cell: how far a promise goes, and how many of its checks passed."""
    if checked is None:
        return "does not work here"
    proved = checked.describe(promise)
    if promise == contract_run.ORDINARY:
        return proved
    degree = rung.degree(promise)
    return str(degree) if degree is Degree.ABSENT else f"{degree}, {proved}"


def _notes(rung: ladder.Rung, checked: contract_run.Checked | None) -> None:
    if not rung.works:
        say(f"{rung.name}: {rung.why}{f'; {rung.todo}' if rung.todo else ''}")
    for note in rung.notes:
        say(f"{rung.name}: {note}")
    if checked is not None:
        for _, name, words in checked.failed:
            say(f"{rung.name}: FAILED {name}: {words}")
        for name, words in checked.skipped:
            say(f"{rung.name}: skipped {name}: {words}")


def bench(names: Sequence[str], params: Mapping[str, object]) -> int:
    """Time some rungs and print a table.

    Args:
        names: rungs; empty: all that `auto` may take.
        params: of the rungs.

    Returns:
        0 where one works, else 1.
    """
    speeds = []
    for rung in _tried(names, params):
        if not rung.works:
            say(f"{rung.name}: {rung.why}{f'; {rung.todo}' if rung.todo else ''}")
            continue
        complain(f"{rung.name}: measuring (half a minute)")
        own = ladder.known_params(rung.name, params)

        def make(warm: bool, name: str = rung.name, own: Mapping[str, object] = own) -> Sandbox:
            return ladder.make(name, {**own, "warm": warm})

        speeds.append(timing.measure(rung.name, make))
    if speeds:
        table(timing.table(speeds))
        say(
            "cold and warm: from handing over a program to its first line after importing numpy, pandas and "
            "scikit-learn; median (lowest to highest). Programs a second: small ones of scikit-learn, two at a time."
        )
    return 0 if speeds else 1


def _tried(names: Sequence[str], params: Mapping[str, object]) -> tuple[ladder.Rung, ...]:
    return ladder.probe(tuple(names) or ladder.CHOSEN_BY_AUTO, params)
