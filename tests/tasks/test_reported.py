"""Reported scores, as programs print them; and what could mean two numbers."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks.reported import number, printed, reported_score

BAR = "100%|██████████| 5/5 [00:01<00:00,  4.51it/s]"
LINES = {
    "painted over": "fold 1\rfold 2\rvalidation_score: 0.85\n",
    "a bar after it": f"validation_score: 0.85\r{BAR}\n",
    "a bar on its line": f"{BAR}validation_score: 0.85\n",
    "a bar and a space": f"{BAR} validation_score: 0.85\n",
    "backspaces": "1/5\b\b\b2/5\b\b\bvalidation_score: 0.85\n",
    "colour": "\x1b[1;32mvalidation_score:\x1b[0m \x1b[33m0.85\x1b[0m\n",
    "eight-bit colour": "\x9b32mvalidation_score: 0.85\x9b0m",
    "a title": "\x1b]0;training\x07validation_score: 0.85",
    "erase line": "\x1b[2K\x1b[1Gvalidation_score: 0.85",
    "numpy": "validation_score: np.float64(0.85)",
    "old numpy": "validation_score: numpy.float32( 0.85 )",
    "torch": "validation_score: tensor(0.85)",
    "torch on a gpu": "validation_score: tensor(0.85, device='cuda:0', dtype=torch.float64)",
    "tensorflow": "validation_score: tf.Tensor(0.85, shape=(), dtype=float32)",
    "jax": "validation_score: Array(0.85, dtype=float32)",
    "an array of one": "validation_score: array([0.85])",
    "a list of one": "validation_score: [0.85]",
    "decimal": "validation_score: Decimal('0.85')",
    "quoted": "validation_score: '0.85'",
    "markdown": "**validation_score**: **0.85**",
    "a dict": "{'validation_score': 0.85, 'fold': 3}",
    "json": '{"validation_score": 0.85}',
    "a logger": "2026-01-02 10:00:00,123 INFO validation_score: 0.85",
    "a root logger": "INFO:root:validation_score: 0.85",
    "a decimal comma": "validation_score: 0,85",
    "spread": "validation_score: 0.85 ± 0.01",
    "spread in ascii": "validation_score: 0.85 +/- 0.01",
    "folds": "validation_score: 0.85 (5 folds)",
    "several": "validation_score: 0.5\nvalidation_score: 0.6\nvalidation_score: 0.85\n",
    "the line wins over a logger": "validation_score: 0.85\nINFO:root:validation_score: 0.5",
    "the task's words again": "validation_score: 0.85\nplease print validation_score: <number>",
    "another name after it": "validation_score: 0.85\nbest_validation_score: 0.99\nvalidation_scores: 0.9",
    "windows": "validation_score: 0.85\r\n",
    "a long line": "." * 3_000_000 + "\rvalidation_score: 0.85",
    "a form feed": "\x0cvalidation_score: 0.85\x0c",
    "a sign": "validation_score=+8.5e-1",
    "a full stop": "validation_score: 0.85.",
}


@pytest.mark.parametrize("case", LINES)
def test_what_a_person_would_read(case: str) -> None:
    assert reported_score(LINES[case]).score == 0.85
    assert reported_score("no score here", stderr=LINES[case]).score == 0.85
    assert reported_score("validation_score: 0.25", stderr=LINES[case]).score == 0.25


REFUSED = {
    "underscores": "1_0",
    "nan": "np.float64(nan)",
    "infinity": "-inf",
    "too large": "1e999",
    "per cent": "85%",
    "per cent apart": "85 %",
    "two numbers": "0.85 0.9",
    "a list": "[0.85, 0.9]",
    "an array": "[0.85 0.9]",
    "a tuple": "(0.85, 0.9)",
    "a comma that groups, or does not": "1,234",
    "a ratio": "17/20",
    "prose after it": "0.5 or so",
    "prose": "good",
    "hexadecimal": "0x1p3",
    "other digits": "٣",
    "none": "None",
    "true": "True",
    "a template": "<number>",
    "a format": "{score:.4f}",
    "deep": "(" * 50 + "0.5",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_number_or_could_be_two(case: str) -> None:
    found = reported_score(f"validation_score: 0.25\nvalidation_score: {REFUSED[case]}\n")
    assert found.score is None, "an earlier line never stands in for the last one"
    assert found.unreported
    assert "not a finite number" in found.problem
    value = number(REFUSED[case])
    assert value is None or not math.isfinite(value)


def test_numbers_that_can_only_be_meant_in_one_way() -> None:
    for text, value in {"1,234.5": 1234.5, "12,5": 12.5, "0,850": 0.85, "1,234,567.25": 1234567.25, ".5": 0.5}.items():
        assert number(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["{}", "np.float64({})", "tensor({})"]))
def test_every_float_comes_back(value: float, words: str) -> None:
    assert number(words.format(repr(value))) == value
    assert reported_score(f"epoch 1\nvalidation_score: {words.format(repr(value))}\n").score == value


@given(st.text(max_size=200), st.text(max_size=30))
def test_no_text_is_an_exception(before: str, after: str) -> None:
    for text in (before, f"{before}validation_score: {after}", f"validation_score{before}={after}"):
        found = reported_score(text, after)
        assert found.score is None or math.isfinite(found.score)


@given(st.lists(st.from_regex(r"\A *validation_score *[:=] *[-+.e0-9a-z]{1,8} *\Z", fullmatch=True), max_size=4))
def test_plain_lines_are_read_as_they_always_were(lines: list[str]) -> None:
    """Of lines that hold the name and one word, the last one counts."""
    text = "\n".join(lines)
    words = re.findall(r"^[ \t]*validation_score[ \t]*[:=][ \t]*(\S+)[ \t]*$", text, re.MULTILINE)
    assert printed(text) == (words[-1] if words else None)


def test_a_long_line_of_many_names_takes_no_time() -> None:
    assert reported_score("|validation_score: x" * 50_000).score is None
    assert reported_score("(" * 1_000_000 + "validation_score: " + "[" * 1_000_000).score is None
