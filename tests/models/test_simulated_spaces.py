"""The spaces of the simulated engineer: real programs, and bugs, that can be read back."""

import ast
import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.simulated.bugs import ANCHORS, BUGS, compatible, inject, ordered, present
from mlesearch.models.simulated.spaces import TASKS, Recognised, apply, apply_all, recognise, render, space


@pytest.mark.parametrize("task", TASKS)
def test_a_space_has_six_or_seven_choices_and_500_to_1000_pipelines(task):
    where = space(task)
    assert 6 <= len(where.choices) <= 7
    assert 500 <= len(where.pipelines) <= 1000
    assert len(set(where.pipelines)) == len(where.pipelines)
    assert where.baseline in where.pipelines
    for choice in where.choices:
        assert choice.problem.endswith(".")
        assert len({o.name for o in choice.options}) == len(choice.options) >= 2


@pytest.mark.parametrize("task", TASKS)
def test_every_pipeline_is_a_program_of_its_own_that_is_recognised(task):
    where = space(task)
    texts = {p: render(task, p) for p in where.pipelines}
    assert len(set(texts.values())) == len(texts)
    for pipeline, text in list(texts.items())[::7]:
        compile(text, "solution.py", "exec")
        assert max(map(len, text.splitlines())) <= 120
        assert recognise(text) == Recognised(task, pipeline, ())
        for anchor in ANCHORS:
            assert text.count(anchor.format(target=where.target)) == 1


@pytest.mark.parametrize("task", TASKS)
def test_a_program_follows_the_contract_and_is_repeatable(task):
    for pipeline in space(task).pipelines[::5]:
        text = render(task, pipeline)
        for name in ("input/train.csv", "input/validation.csv", "input/test.csv", "submission.csv"):
            assert f'"{name}"' in text
        literals = {
            kw.arg: kw.value.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call)
            for kw in node.keywords
            if kw.arg in ("n_jobs", "random_state") and isinstance(kw.value, ast.Constant)
        }
        assert literals.get("n_jobs", 1) == 1
        assert literals.get("random_state", 0) == 0


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bug", list(BUGS))
def test_a_bug_changes_the_code_compiles_and_is_recognised(task, bug):
    for pipeline in space(task).pipelines[::97]:
        text = render(task, pipeline, (bug,))
        assert text != render(task, pipeline)
        compile(text, "solution.py", "exec")
        assert recognise(text) == Recognised(task, pipeline, (bug,))


@pytest.mark.parametrize("pair", [p for p in itertools.combinations(BUGS, 2) if p[1] in compatible((p[0],))])
def test_two_bugs_at_different_places_are_recognised(pair):
    pipeline = space("rentals").pipelines[77]
    assert recognise(render("rentals", pipeline, pair)) == Recognised("rentals", pipeline, pair)
    assert ordered(tuple(reversed(pair))) == pair


def test_a_place_takes_one_bug_only():
    code = render("canvas", space("canvas").baseline, ("format",))
    assert present(code, "digit") == ("format",)
    assert "path" not in compatible(("format",))
    with pytest.raises(ValueError, match="finds its place 0 times"):
        inject("path", code, "digit")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("random_state=0", "random_state=1"),
        lambda text: text.replace('"model": "forest"', '"model": "linear"'),
        lambda text: text.replace('"model": "forest"', '"model": "unknown"'),
        lambda text: text.replace("PIPELINE = {", "PIPELINE = {**{}, "),
        lambda text: text + "print(1)\n",
        lambda text: text.replace("PIPELINE", "DESIGN"),
        lambda text: "",
        lambda text: "PIPELINE = {\n}\n",
    ],
)
def test_any_other_program_is_unknown(spoil):
    text = render("canvas", space("canvas").baseline)
    assert recognise(text) is not None
    assert recognise(spoil(text)) is None


@given(st.data())
def test_words_for_pipelines_and_edits_are_read_back(data):
    where = space(data.draw(st.sampled_from(TASKS)))
    pipeline = data.draw(st.sampled_from(where.pipelines))
    edits = data.draw(st.lists(st.sampled_from(where.edits(pipeline)), min_size=1, max_size=4))
    text = f"First. {where.describe(pipeline)} {' '.join(where.instruct(e) for e in edits)} Set tea to cold. Last."
    assert where.mentioned(text) == [pipeline]
    assert where.instructions(text) == edits
    assert apply_all(pipeline, edits[:1]) == apply(pipeline, edits[0])
    assert apply(pipeline, edits[0]) in where.pipelines


@pytest.mark.parametrize(
    "text", ["", "Pipeline: a=b.", "Set model to", "Pipeline: model=svm, cleaning=none.", "Set x to y"]
)
def test_other_words_say_nothing(text):
    assert space("canvas").mentioned(text) == []
    assert space("canvas").instructions(text) == []


@pytest.mark.parametrize("task", TASKS)
def test_edits_are_all_the_neighbours(task):
    where = space(task)
    for pipeline in where.pipelines[::53]:
        neighbours = {p for p in where.pipelines if sum(a != b for a, b in zip(p, pipeline, strict=True)) == 1}
        assert {apply(pipeline, e) for e in where.edits(pipeline)} == neighbours
        assert len(where.edits(pipeline)) == len(neighbours)


def test_spaces_need_no_heavy_import():
    code = (
        "import sys; from mlesearch.models.simulated.engineer import make; make('m', {}).identity();"
        "print(sorted({'sklearn', 'pandas', 'litellm', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
