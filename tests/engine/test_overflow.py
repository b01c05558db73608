"""A prompt that is too long for the model: half of the context that was sent is sent again, and nothing else."""

import re

from mlesearch.budgets.meter import Budget
from mlesearch.models.protocol import ContextOverflow, Request
from mlesearch.types import Op, Usage
from tests.support import toy_run
from tests.support.toy_run import ToyModel, ToySandbox


def attempts(request: Request) -> list[str]:
    return re.findall(r'<attempt node="(\d+)"', toy_run.prompt_text(request.messages))


def test_what_others_found_meanwhile_is_not_in_the_shorter_prompt(tmp_path):
    def overflow(request):
        if (request.address.proposal, request.address.op, request.address.attempt) != (4, Op.DRAFT, 0):
            return None
        usage = Usage(service_us=1_000_000)  # the other worker's program ends, and scores best, before that
        return ContextOverflow("too long", usage)

    model = ToyModel(fail=overflow)
    toy_run.run(
        tmp_path,
        strategy="greedy",
        params={"num_drafts": 7},
        model=model,
        sandbox=ToySandbox(lambda id: id / 10),
        budget=Budget(steps=7),
        workers=2,
        virtual=True,
    )
    first, second = (r for r in model.requests if r.address.proposal == 4 and r.address.op is Op.DRAFT)
    sixth = next(r for r in model.requests if r.address.proposal == 6)
    assert len(attempts(first)) >= 3
    assert "5" in attempts(sixth)
    assert attempts(second) == attempts(first)[: len(attempts(first)) // 2]
