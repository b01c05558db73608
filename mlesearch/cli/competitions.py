"""`mlesearch mlebench status | prepare | check`: competitions of MLE-bench before a run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from mlesearch.cli.terminal import table
from mlesearch.config.parts.mlebench import GraderRequest
from mlesearch.study.output import complain, say
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.mlebench.names import asked
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.preflight import check
from mlesearch.tasks.mlebench.prepared import State, data_folder, look
from mlesearch.tasks.mlebench.preparing import prepare
from mlesearch.tasks.mlebench.status import CompetitionStatus, status
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.types import ConfigError, Level, MlesearchError

GB = 1e9


def status_of(args: Namespace) -> int:
    """Say how competitions stand."""
    ids = _ids(args.names or ["all"])
    terms = _terms(args)
    graders = None
    try:
        graders = GraderRequest.of(terms).open()
        for line in graders.hello().warnings():
            complain(f"warning: {line}")
    except MlesearchError as error:
        complain(f"warning: {error}")
        graders = None
    with graders or nullcontext():
        rows = list(status(data_folder(terms.data_dir), ids, graders))
    table([_row(found) for found in rows])
    lacking = [found for found in rows if found.state is not State.PREPARED]
    size = sum(found.facts.raw_gb or 0.0 for found in lacking)
    say(
        f"{len(rows) - len(lacking)} of {len(rows)} prepared in {data_folder(terms.data_dir)}; the others are "
        f"{size:,.1f} GB to download"
    )
    return 0


def _row(found: CompetitionStatus) -> dict[str, object]:
    known = found.facts
    return {
        "competition": known.id,
        "split": known.split,
        "state": found.state.value,
        "prepared GB": f"{found.size_bytes / GB:.3g}" if found.size_bytes else "-",
        "download GB": "-" if known.raw_gb is None else f"{known.raw_gb:.3g}",
        "checksums": found.checksums or "-",
        "board": found.board or "-",
        "grader": found.grader or "-",
        "rules": {None: "-", True: "open", False: "closed"}[known.rules_open],
        "issue": known.issue or "-",
    }


def prepare_all(args: Namespace) -> int:
    """Prepare competitions by MLE-bench's own code."""
    ids, terms = _ids([args.name]), _terms(args)
    source = Path(args.source) if args.source else None
    if source is not None and len(ids) > 1:
        raise ConfigError(f"--from: it is one competition's download, and {args.name} is {len(ids)}; name one of them")
    data = data_folder(terms.data_dir)
    failed = 0
    with _graders(terms) as graders:
        for id in ids:
            if look(data, facts(id)).state is State.PREPARED:
                say(f"{id}: prepared already")
                continue
            try:
                found = prepare(
                    data,
                    facts(id),
                    graders,
                    source=source,
                    keep_raw=args.keep_raw,
                    verify=not args.no_verify,
                    tell=say,
                )
            except MlesearchError as error:
                if len(ids) == 1:
                    raise
                failed += 1
                complain(f"failed: {error}")
            else:
                say(f"{id}: prepared in {found.folder / 'prepared'}")
    return 1 if failed else 0


def check_all(args: Namespace) -> int:
    """Preflight of competitions."""
    terms, wrong = _terms(args), 0
    ids = _ids(args.names)
    with _graders(terms) as graders:
        for id in ids:
            findings = check(id, terms, graders)
            errors = sum(f.level is Level.ERROR for f in findings)
            wrong += errors > 0
            lines = [f"{f.level if f.level is not Level.OK else 'note'} ({f.subject}): {f.text}" for f in findings]
            say(
                "\n".join(
                    [f"{id}: {'it can not be used' if errors else 'all checks passed'}", *(f"  {x}" for x in lines)]
                )
            )
    return 1 if wrong else 0


def _ids(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(id for name in names for id in asked(name)))


def _terms(args: Namespace) -> MlebenchTerms:
    no_verify = getattr(args, "no_verify", False)
    return MlebenchTerms(data_dir=args.data, python=args.python, verify="off" if no_verify else "checksums")


@contextmanager
def _graders(terms: MlebenchTerms) -> Iterator[GraderPool]:
    """Graders that must be there; what is wrong with their libraries is said."""
    with GraderRequest.of(terms).open() as graders:
        for line in graders.hello().warnings():
            complain(f"warning: {line}")
        yield graders
