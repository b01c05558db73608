"""What a published result has to disclose, from what its runs recorded: signals, network, hardware, time, money.

MLE-bench asks for compute, running time, and that no test signal reached the agent. All of it stands in run.json and
result.json; nothing is asked of the user, and what was not recorded is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from mlesearch.analysis.text import plural
from mlesearch.sandbox.promises import Degree, in_words
from mlesearch.storage.columns import RunRow
from mlesearch.storage.documents import Identity, RunFile, finished_row, read_run

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Of the runs of one model and strategy; a tuple has the distinct values over the runs, sorted.

    Attributes:
        runs: that were begun.
        test_signal: what of the test set a search learned.
        selection: how the submitted program was chosen, and on which score.
        network: whether programs had a network.
        answers: whether programs could reach the answers.
        hardware: of one program.
        models: ids that providers answered with.
        strategy: kind and parameters.
        budget: of a run.
        hours_charged: of the longest run: service time of calls and run time of programs, hours; None: no run ended.
        hours_real: of the longest run, wall-clock, hours.
        usd: cost of all runs; None where a price is not known.
        tokens: of all runs, in and out.
        graders: MLE-bench's commit and the libraries beside it.
        boards: whose thresholds medals are by.
        odd_scores: submitted programs with a score of NaN or infinity, which counts as valid.
        order_medals: medals that hang on the order of rows or columns.
        weights: digests of pretrained weights that programs could read.
        versions: of mlesearch.
    """

    runs: int
    test_signal: tuple[str, ...]
    selection: tuple[str, ...]
    network: tuple[str, ...]
    answers: tuple[str, ...]
    hardware: tuple[str, ...]
    models: tuple[str, ...]
    strategy: tuple[str, ...]
    budget: tuple[str, ...]
    hours_charged: float | None
    hours_real: float | None
    usd: float | None
    tokens: int
    graders: tuple[str, ...]
    boards: tuple[str, ...]
    odd_scores: int
    order_medals: int
    weights: tuple[str, ...]
    versions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def disclosure_of(folders: Sequence[Path]) -> Disclosure:
    """What the runs in these folders recorded.

    Raises:
        ConfigError: a run's file is damaged.
    """
    files = [read_run(folder) for folder in folders]
    rows = [row for folder in folders if (row := finished_row(folder)) is not None]
    identities = [file["identity"] for file in files]
    costs = [row["cost_usd"] for row in rows]
    return Disclosure(
        runs=len(files),
        test_signal=_distinct(map(_test_signal, identities)),
        selection=_distinct(map(_selection, files)),
        network=_distinct(_promise(i, "net_off", "no network") for i in identities),
        answers=_distinct(_promise(i, "answers_absent", "not reachable for programs") for i in identities),
        hardware=_distinct(row["hardware"] for row in rows),
        models=_distinct(name for row in rows for name in row["model_answered"].split(",") if name),
        strategy=_distinct(map(_strategy, identities)),
        budget=_distinct(map(_budget, identities)),
        hours_charged=max((row["charged_s"] / HOUR_S for row in rows), default=None),
        hours_real=max((row["real_s"] / HOUR_S for row in rows), default=None),
        usd=None if None in costs else sum(usd for usd in costs if usd is not None),
        tokens=sum(row["tokens_in"] + row["tokens_out"] for row in rows),
        graders=_distinct(map(_grader, identities)),
        boards=_distinct(board for row in rows if (board := row.get("official_board"))),
        odd_scores=sum(bool(row.get("odd_score")) for row in rows),
        order_medals=sum(map(_hangs_on_order, rows)),
        weights=_distinct(map(_weights, identities)),
        versions=_distinct(file["mlesearch"] for file in files),
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(filter(None, values))))


def _test_signal(identity: Identity) -> str:
    if "mlebench" not in identity:
        return "none"
    asked = {"message": "and the grader's message where it is not", "valid": "and nothing more"}
    return f"none: whether a submission is valid, {asked[identity['mlebench']['feedback']]}; never a score"


def _selection(file: RunFile) -> str:
    """How one program was chosen. Test grades are written beside the journal, and nothing that decides reads them."""
    identity, selection = file["identity"], file["identity"]["selection"]
    rule = selection if isinstance(selection, str) else selection["rule"]
    by = {"reported": "reported by the programs themselves", "harness": "computed by the harness on rows it holds back"}
    validation, official = identity["task"]["validation"], cast("Mapping[str, Any]", identity.get("mlebench", {}))
    twice = " of the training data; the chosen program ran again on all of them"
    return (
        f"{rule}, by the validation score {by.get(validation, validation)}"
        f"{twice if official.get('validation') == 'twice' else ''}"
    )


def _promise(identity: Identity, name: str, words: str) -> str:
    """What a sandbox promised of this, in words."""
    sandbox = identity["sandbox"]
    rung = sandbox.get("rung", "")
    promise = next(p for p in in_words(rung, sandbox.get("promises", [])) if p.name == name)
    if promise.degree is Degree.ABSENT:
        return f"not promised by sandbox {rung or 'of unknown kind'}"
    return f"{words} ({promise.degree.value} by sandbox {rung}{f': {promise.words}' if promise.words else ''})"


def _strategy(identity: Identity) -> str:
    params = identity["strategy"]["params"]
    given = ", ".join(f"{key}={value}" for key, value in sorted(params.items()))
    return f"{identity['strategy']['kind']}{f' ({given})' if given else ''}"


def _budget(identity: Identity) -> str:
    budget = identity["budget"]
    steps, time_s, usd = budget["steps"], budget["time_s"], budget["cost_usd"]
    parts = [
        plural(steps, "step") if steps is not None else "",
        f"{time_s / HOUR_S:g} h charged time" if time_s is not None else "",
        f"{usd:g} USD" if usd is not None else "",
        f"{budget['tokens']} tokens" if budget["tokens"] is not None else "",
        f"programs of at most {identity['limits']['time_s'] / HOUR_S:g} h",
        f"{identity['workers']} at a time" if identity["workers"] > 1 else "",
    ]
    return ", ".join(filter(None, parts))


def _grader(identity: Identity) -> str:
    if "mlebench" not in identity:
        return ""
    official = identity["mlebench"]
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(official["versions"].items()))
    return f"MLE-bench {official['commit'] or 'of unknown commit'}, {libraries}"


def _weights(identity: Identity) -> str:
    found: Any = identity["sandbox"]
    return str(found["weights"]["digest"]) if "weights" in found else ""


def _hangs_on_order(row: RunRow) -> bool:
    would = row.get("aligned_medal")
    has = next((name for name in ("gold", "silver", "bronze") if row.get(name)), "none")
    return would is not None and would != has
