"""Reasoning in all its forms, channels, and what a chat's format leaves around an answer."""

from __future__ import annotations

from tests.support.replies.case import DRAFT, FOREST, RIDGE, SHORT, Ask, Case, py

STRIPPER = '''import re
import pandas as pd

SYSTEM = """Answer like this:
<think>
your reasoning
</think>
and then the label.
"""
train = pd.read_csv("input/train.csv")
train["text"] = train["text"].map(lambda t: re.sub(r"<think>.*?</think>", "", t))
pd.read_csv("input/sample_submission.csv").to_csv("submission.csv", index=False)
'''

CHANNELS = """import pandas as pd

MARK = "<|channel|>final<|message|>"
texts = pd.read_csv("input/test.csv")["text"].str.split(MARK, regex=False).str[-1]
pd.DataFrame({"text": texts}).to_csv("submission.csv", index=False)
"""

A_DRAFT = f"Let me think. A first try:\n\n{py(DRAFT)}\n\nNo, that mixes up the codes. Simpler is better."

CASES = [
    Case(
        "R1: template opened the tag", f"{A_DRAFT}\n</think>\n\nA constant.\n\n{py(SHORT)}", SHORT, plan="A constant."
    ),
    Case("R1: whole pair", f"<think>\n{A_DRAFT}\n</think>\n\nA constant.\n\n{py(SHORT)}", SHORT, plan="A constant."),
    Case("Qwen3: empty pair", f"<think>\n\n</think>\n\nA forest.\n\n{py(FOREST)}", FOREST, plan="A forest."),
    Case("a word before the tag", f"Okay.\n<think>\n{A_DRAFT}\n</think>\nA constant.\n{py(SHORT)}", SHORT),
    Case("<thinking>", f"<thinking>{A_DRAFT}</thinking>\nA constant.\n\n{py(SHORT)}", SHORT),
    Case("</thinking> alone", f"{A_DRAFT}</thinking>\nA constant.\n\n{py(SHORT)}", SHORT),
    Case("<THINK>, capitals", f"<THINK>{A_DRAFT}</THINK>\n{py(SHORT)}", SHORT),
    Case("<thought> of EXAONE", f"<thought>\n{A_DRAFT}\n</thought>\n\n{py(SHORT)}", SHORT),
    Case("Magistral", f"[THINK]{A_DRAFT}[/THINK]A constant.\n\n{py(SHORT)}", SHORT, plan="A constant."),
    Case("Kimi", f"◁think▷{A_DRAFT}◁/think▷A constant.\n\n{py(SHORT)}", SHORT, plan="A constant."),
    Case("Seed", f"<seed:think>\n{A_DRAFT}\n</seed:think>\n{py(SHORT)}", SHORT),
    Case(
        "solution marks",
        f"<|begin_of_thought|>\n{A_DRAFT}\n<|end_of_thought|>\n\n<|begin_of_solution|>\nA constant.\n\n{py(SHORT)}\n"
        "<|end_of_solution|>",
        SHORT,
        plan="A constant.",
    ),
    Case(
        "Command",
        f"<|START_THINKING|>{A_DRAFT}<|END_THINKING|><|START_RESPONSE|>A constant.\n\n{py(SHORT)}<|END_RESPONSE|>",
        SHORT,
        plan="A constant.",
    ),
    Case(
        "two rounds of thought",
        f"<think>{A_DRAFT}</think>\nPerhaps a forest.\n<think>No.\n{py(FOREST)}\nToo slow.</think>\nDone.\n{py(SHORT)}",
        SHORT,
    ),
    Case(
        "the draft's fence is still open where the thought ends",
        f"I'd write\n```python\n{DRAFT}\nwait, the codes differ between the files.\n</think>\n\nPlan.\n\n{py(SHORT)}",
        SHORT,
        plan="Plan.",
    ),
    Case(
        "the draft's fence is open, and a comment ends the thought",
        f"```python\n{DRAFT}# this leaks</think>\n\nPlan.\n\n{py(SHORT)}",
        SHORT,
    ),
    Case("thought and nothing else", f"<think>\n{A_DRAFT}\n</think>\n", Ask(("reasoning",))),
    Case("thought that never ends", f"<think>\n{A_DRAFT}", Ask(("never ends",)), finish="length"),
    Case(
        "a second thought that never ends",
        f"<think>Hm.</think>\n\n<think>\n{A_DRAFT}",
        Ask(("never ends",)),
        finish="length",
    ),
    Case("a mention of the tag in the thought", f"The <think> tag is open. {A_DRAFT}</think>\n{py(SHORT)}", SHORT),
    Case("a program about thoughts", f"Strip the thoughts.\n\n{py(STRIPPER)}\n", STRIPPER, plan="Strip"),
    Case("a thought, then a program about thoughts", f"{A_DRAFT}</think>\nStrip.\n\n{py(STRIPPER)}", STRIPPER),
    Case("bare code about thoughts", STRIPPER, STRIPPER),
    Case(
        "an answer in tags", f"<think>x</think>\n<answer>\nA constant.\n\n{py(SHORT)}\n</answer>", SHORT, plan="A const"
    ),
    Case("an answer in tags, glued", f"<think>x</think><answer>{py(SHORT)}</answer>", SHORT),
    Case(
        "Harmony",
        f"<|channel|>analysis<|message|>{A_DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>A constant.\n\n"
        f"{py(SHORT)}<|return|>",
        SHORT,
        plan="A constant.",
    ),
    Case(
        "Harmony with a preamble",
        f"<|channel|>analysis<|message|>{A_DRAFT}<|end|><|start|>assistant<|channel|>commentary<|message|>I'll write:"
        f"\n{py(FOREST)}<|end|><|start|>assistant<|channel|>final<|message|>{py(SHORT)}",
        SHORT,
    ),
    Case(
        "Harmony, marks stripped", f"analysis{A_DRAFT}assistantfinalA constant.\n\n{py(SHORT)}", SHORT, plan="A const"
    ),
    Case(
        "Harmony, no final channel",
        f"<|channel|>analysis<|message|>{A_DRAFT}<|end|>",
        Ask(("final channel",)),
    ),
    Case(
        "Harmony, a call of a tool",
        f'<|channel|>commentary to=functions.python <|constrain|>json<|message|>{{"code": "{DRAFT[:20]}"}}<|call|>',
        Ask(("tool",)),
    ),
    Case("a program about channels", f"Take the last part.\n\n{py(CHANNELS)}", CHANNELS),
    Case("the end of the turn is written out", f"A forest.\n\n{py(FOREST)}<|im_end|>", FOREST),
    Case(
        "the next turn is written out",
        f"A forest.\n\n{py(FOREST)}\n<|im_end|>\n<|im_start|>user\nNow a shorter one.\n<|im_end|>\n"
        f"<|im_start|>assistant\n{py(SHORT)}",
        FOREST,
    ),
    Case("Llama's marks", f"<|start_header_id|>assistant<|end_header_id|>\n\nRidge.\n\n{py(RIDGE)}<|eot_id|>", RIDGE),
    Case("Gemma's marks", f"Ridge.\n\n{py(RIDGE)}\n<end_of_turn>", RIDGE, plan="Ridge."),
    Case("a reflection before the answer", f"<reflection>\n{A_DRAFT}\n</reflection>\n{py(SHORT)}", SHORT),
]
