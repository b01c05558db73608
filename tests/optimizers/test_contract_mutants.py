"""The contract's suite catches strategies with one bug each, by the rule that they break."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis.errors import FlakyFailure

from mlesearch.testing.optimizer_contract import OptimizerContract
from mlesearch.types import Direction, Op, Proposal, Verdict, VerdictKind


class Search:
    """A small search: drafts, repairs of the last failure, improvements of the best, a merge now and then."""

    def __init__(self, problem, rng):
        self.direction, self.steps, self.rng = problem.direction, problem.steps, rng
        self.asked = 0
        self.scores = {}
        self.buggy = []
        self.failed = []

    def better(self, a, b):
        return self.direction.better(a, b)

    def best(self):
        found = None
        for node, score in self.scores.items():
            if found is None or self.better(score, self.scores[found]):
                found = node
        return found

    def merges(self):
        return tuple(node for node in self.scores if node != self.best())[-2:]

    def improve(self, id):
        base = self.best()
        return Proposal(id, Op.IMPROVE, base, None, (base,))

    def debug(self, id):
        base = self.buggy.pop()
        return Proposal(id, Op.DEBUG, base, None, (base,))

    def merge(self, id):
        base = self.best()
        return Proposal(id, Op.MERGE, base, None, (base, *self.merges()))

    def ask(self, used):
        id = self.asked
        self.asked += 1
        if self.buggy:
            return self.debug(id)
        if len(self.scores) < 2 or id % 7 == 0:
            return Proposal(id, Op.DRAFT)
        return self.merge(id) if id % 5 == 0 else self.improve(id)

    def tell(self, outcome):
        if outcome.op.makes_program and outcome.valid:
            self.scores[outcome.id] = outcome.score
        elif outcome.status.value != "reply_unusable":
            self.failed.append(outcome.id)
            if outcome.op is Op.DRAFT:
                self.buggy.append(outcome.id)
        return ()


class IgnoresTheDirection(Search):
    def better(self, a, b):
        return a > b


class HasTheDirectionTheWrongWayRound(Search):
    def better(self, a, b):
        return self.direction.better(b, a)


class ComparesTheSizeOfScores(Search):
    def better(self, a, b):
        return (abs(a) > abs(b)) is (self.direction is Direction.MAXIMIZE)


class GoesThroughASetOfStrings(Search):
    def best(self):
        names = {f"node {node}" for node in self.scores}
        return int(next(iter(names)).split()[1]) if names else None


class HashesAString(Search):
    def merge(self, id):
        return super().merge(id) if hash(f"proposal {id}") % 2 else self.improve(id)


class MergesWithNothing(Search):
    def merges(self):
        return ()

    def merge(self, id):
        return Proposal(id, Op.MERGE, self.best())


class MergesWithItself(Search):
    def merges(self):
        return ()


class MergesAFailedProgram(Search):
    def merges(self):
        return (*super().merges(), *self.failed[-1:])


class MergesIntoAFailedProgram(Search):
    def merge(self, id):
        base = self.failed[-1] if self.failed else self.best()
        return Proposal(id, Op.MERGE, base, None, (base, *super().merges()))


class ShowsAFailedProgramInAMerge(Search):
    def merge(self, id):
        return Proposal(id, Op.MERGE, self.best(), None, (), (*self.merges(), *self.failed[-1:]))


class KeepsThePathOfEveryNode(Search):
    def __init__(self, problem, rng):
        super().__init__(problem, rng)
        self.paths = {}

    def tell(self, outcome):
        self.paths[outcome.id] = [*self.paths.get(outcome.id - 1, []), outcome.id]
        return super().tell(outcome)


class CopiesAllScoresAtEveryAsk(Search):
    def __init__(self, problem, rng):
        super().__init__(problem, rng)
        self.snapshots = []

    def ask(self, used):
        self.snapshots.append(dict(self.scores))
        return super().ask(used)


class ImprovesAFailedProgram(Search):
    def improve(self, id):
        base = self.failed[-1] if self.failed and id % 3 == 0 else self.best()
        return Proposal(id, Op.IMPROVE, base, None, (base,))


class DebugsAValidProgram(Search):
    def improve(self, id):
        if id % 9 == 0:
            return Proposal(id, Op.DEBUG, self.best(), None, ())
        return super().improve(id)


class NamesNodesByNumpyNumbers(Search):
    def improve(self, id):
        base = np.int64(self.best())
        return Proposal(id, Op.IMPROVE, base, None, (base,))


class SharesItsMemoryWithAllOthers(Search):
    shared: list[int] = []  # noqa: RUF012  the bug: one list for all objects

    def ask(self, used):
        self.shared.append(self.asked)
        if self.scores and len(self.shared) % 3 == 0 and not self.buggy:
            self.asked += 1
            return Proposal(self.asked - 1, Op.DRAFT)
        return super().ask(used)


class ReadsAClock(Search):
    def merge(self, id):
        return super().merge(id) if time.perf_counter_ns() // 100 % 2 else self.improve(id)


class NeedsTheNumberOfSteps(Search):
    def ask(self, used):
        return super().ask(used * (self.steps - 1))


class EditsSomethingInADraft(Search):
    def ask(self, used):
        p = super().ask(used)
        return Proposal(p.id, p.op, self.best()) if p.op is Op.DRAFT and self.scores else p


class ShowsAProgramTwice(Search):
    def improve(self, id):
        base = self.best()
        return Proposal(id, Op.IMPROVE, base, None, (base,), (base, base))


class RejectsWhatIsInFlight(Search):
    def tell(self, outcome):
        super().tell(outcome)
        return [Verdict(self.asked, VerdictKind.REJECTED)] if outcome.valid else []


class ForgetsWhenNothingIsValid(Search):
    def ask(self, used):
        return super().ask(used) if self.scores or self.asked < 4 else None


MUTANTS = {
    IgnoresTheDirection: "direction: where a higher score is better",
    HasTheDirectionTheWrongWayRound: "direction: the programs that it improves have a mean rank",
    ComparesTheSizeOfScores: "direction: ",
    GoesThroughASetOfStrings: "hash seed: ",
    HashesAString: "hash seed: ",
    MergesWithNothing: "a MERGE combines its base with other programs, but names none",
    MergesWithItself: "a MERGE combines its base with other programs, but names only the base itself",
    MergesAFailedProgram: "a MERGE combines valid programs, but",
    MergesIntoAFailedProgram: "a MERGE edits a valid program, but",
    ShowsAFailedProgramInAMerge: "a MERGE combines valid programs, but",
    KeepsThePathOfEveryNode: "state: 60 more programs",
    CopiesAllScoresAtEveryAsk: "state: 60 more programs",
    ImprovesAFailedProgram: "an IMPROVE edits a valid program, but",
    DebugsAValidProgram: "a DEBUG repairs a program that failed, but",
    NamesNodesByNumpyNumbers: "plain ids: ",
    SharesItsMemoryWithAllOthers: "resumed",
    ReadsAClock: "resumed",
    NeedsTheNumberOfSteps: "NoneType",
    EditsSomethingInADraft: "a DRAFT edits nothing",
    ShowsAProgramTwice: "names a program twice",
    RejectsWhatIsInFlight: "verdicts are about finished programs",
    ForgetsWhenNothingIsValid: "dry",
}


class Suite(OptimizerContract):
    search = Search

    def make(self, problem, rng):
        return self.search(problem, rng)


for _search in (Search, *MUTANTS):
    _name = f"SuiteOf{_search.__name__}"
    globals()[_name] = type(_name, (Suite,), {"search": _search, "__module__": __name__})


def complaints(search, until=None):
    """What each check of the suite says of a strategy, nothing where it passes; until one says these words."""
    suite = globals()[f"SuiteOf{search.__name__}"]
    found = {}
    for check in sorted(name for name in dir(suite) if name.startswith("test_")):
        try:
            getattr(suite(), check)()
        except (AssertionError, TypeError, FlakyFailure) as e:
            found[check] = " ".join(map(str, e.exceptions if isinstance(e, FlakyFailure) else [e]))
            if until is not None and until in found[check]:
                break
    return found


def test_the_search_without_a_bug_passes():
    assert complaints(Search) == {}


@pytest.mark.parametrize("search", MUTANTS, ids=lambda s: s.__name__)
def test_a_bug_is_caught_by_its_rule(search):
    found = complaints(search, MUTANTS[search])
    assert any(MUTANTS[search] in words for words in found.values()), found
