"""Studies that went wrong, launched over HTTP: the report says so in its first box, and claims nothing of them."""

import html
import re
import threading

import pytest

from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import Fault, OpenAIStub, serving
from tests.support.command import run_live

PAIR = ["claim.treatment=greedy", "claim.baseline=random", "model.params.limits={requests_per_minute: 60000}"]
SWEEP = ["-m", "strategy=random,greedy", "seeds=[0,1]", "budget.steps=2", *PAIR]


def boxes(folder):
    """Title, headline and sentence of each part of the claim box, in order."""
    page = (folder / "studies/main/report.html").read_text(encoding="utf-8")
    claim = page[page.index('<section id="claim"') : page.index("</section>")]
    found = re.findall(
        r"<h3>(.*?)<span>.*?</h3>\s*<p class=\"headline\">(.*?)</p>\s*<p>(.*?)</p>", claim, flags=re.DOTALL
    )
    return [tuple(html.unescape(part) for part in parts) for parts in found]


def claims_nothing(found):
    """No part of the box says that one side is ahead, or that no difference is established."""
    said = " ".join(" ".join(parts) for parts in found)
    assert not re.search(r"has a (higher|lower)|ahead|behind|established|rises with|falls with", said), said


def test_a_refusing_endpoint(tmp_path):
    """Every run of both arms fails: no rate of 0.0 anywhere, no claim, and the reasons are counted."""
    with OpenAIStub() as stub:
        stub.always = Fault.UNAUTHORIZED
        done = run_live(tmp_path, stub, *SWEEP)
    assert done.returncode == 1
    first, gap, *_ = found = boxes(tmp_path)
    assert first[:2] == ("The runs", "No run has a result")
    assert "greedy: 2 of 2 runs have no result (2 failed: " in first[2]
    assert "MY_KEY" in first[2]
    assert gap[1] == "greedy and random are not compared"
    claims_nothing(found)
    table = done.stdout[: done.stdout.index("report:")]
    assert table.count("no result") >= 2
    assert not re.search(r"\b0\.0\b", table)
    assert "4 of 4 runs are missing, 4 of them since they failed" in table


def test_one_arm_failed(tmp_path):
    """The baseline has results, the treatment has none: nothing is said of the two."""
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    with OpenAIStub(serving(engineer)) as stub:
        made = run_live(tmp_path, stub, "-m", "strategy=random", "seeds=[0,1]", "budget.steps=2", *PAIR)
        stub.always = Fault.QUOTA
        run_live(tmp_path, stub, *SWEEP)
    assert "programs ran for" in made.stdout
    assert "times what the programs alone" not in made.stdout  # a live model was waited for
    first, gap, *_ = found = boxes(tmp_path)
    assert first[:2] == ("The runs", "2 of 4 runs have no result")
    assert "The two sides lost runs unequally (greedy 2 of 2, random 0 of 2)" in first[2]
    assert "greedy: no run has a result" in gap[2]
    claims_nothing(found)


def test_a_server_that_dies_half_way(tmp_path):
    """Runs before its death count, those after it are missing; no difference that they could undo is established."""
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    stub = OpenAIStub(serving(engineer))
    alive = stub.reply

    def dying(body):
        if stub.calls >= 6:
            threading.Thread(target=stub.__exit__).start()
            raise ConnectionError("the server dies")
        return alive(body)

    stub.reply = dying
    with stub:
        done = run_live(tmp_path, stub, *SWEEP, "model.params.max_retries=0")
    assert done.returncode == 1
    first, *rest = boxes(tmp_path)
    assert first[0] == "The runs"
    assert re.fullmatch(r"[12] of 4 runs have no result|3 of 4 runs have no result", first[1])
    assert "failed: " in first[2]
    said = " ".join(" ".join(parts) for parts in rest)
    assert not re.search(r"has a (higher|lower)|is behind|is ahead", said)
    assert " without a result" in said or "are not compared" in rest[0][1]


@pytest.mark.parametrize("fault", [None, Fault.CONTEXT_OPENAI, Fault.CONTENT_FILTER], ids=["garbage", "long", "filter"])
def test_every_reply_is_unusable(fault, tmp_path):
    """The runs end, and found nothing since there was nothing: told apart from searches, and not compared."""
    with OpenAIStub("Sure! Let me think about that for a while.") as stub:
        stub.always = fault
        done = run_live(tmp_path, stub, *SWEEP)
    assert len(re.findall(r"no program: 0 of 2 steps gave one, [^×]+ × 2(?:;|$)", done.stdout, re.MULTILINE)) == 4
    first, gap, *_ = found = boxes(tmp_path)
    assert first[:2] == ("The runs", "No run gave a program")
    for arm in ("greedy", "random"):
        assert re.search(
            rf"{arm}: 2 of 2 runs with a result gave no program \(0 of 4 steps gave one, [^×]+ × 4\)", first[2]
        )
    assert gap[1] == "greedy and random are not compared"
    claims_nothing(found)
