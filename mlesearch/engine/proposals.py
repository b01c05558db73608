"""What the engine refuses of a strategy: proposals that break the contract of `mlesearch.optimizers.base`."""

from __future__ import annotations

from collections.abc import Mapping

from mlesearch.types import JUDGEMENT_OPS, PROGRAM_OPS, MlesearchError, Node, Op, Proposal

_PROPOSABLE = PROGRAM_OPS | JUDGEMENT_OPS
_NEEDED = {Op.DEBUG: "base", Op.IMPROVE: "base", Op.MERGE: "base", Op.DIAGNOSE: "subject"}


class BadProposal(MlesearchError):
    """A strategy that breaks the contract of `mlesearch.optimizers.base`."""


def check_proposal(p: Proposal, expected_id: int, nodes: Mapping[int, Node]) -> None:
    """Refuse a proposal that breaks the contract.

    Raises:
        BadProposal: its id is not dense, it is a review, or it refers to what is no finished program.
    """
    if p.id != expected_id:
        raise BadProposal(f"the strategy proposed id {p.id}; ids are dense, so {expected_id} was expected")
    if p.op not in _PROPOSABLE:
        raise BadProposal(f"proposal {p.id} is a {p.op}; a strategy proposes one of {', '.join(sorted(_PROPOSABLE))}")
    needed = _NEEDED.get(p.op)
    if needed is not None and getattr(p, needed) is None:
        raise BadProposal(f"proposal {p.id} ({p.op}): it needs a {needed}")
    for role, ids in (
        ("base", () if p.base is None else (p.base,)),
        ("subject", () if p.subject is None else (p.subject,)),
        ("parents", p.parents),
        ("context", p.context or ()),
    ):
        for i in ids:
            if type(i) is not int:
                raise BadProposal(f"proposal {p.id} ({p.op}): its {role} holds a {type(i).__name__}; ids are plain int")
            if i not in nodes:
                raise BadProposal(f"proposal {p.id} ({p.op}): its {role} names {i}, which is no finished program")
