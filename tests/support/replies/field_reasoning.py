"""Field replies: what models write to themselves, in the marks of many families, and drafts within it."""

from __future__ import annotations

from tests.support.replies.case import Ask, Case, py
from tests.support.replies.field_programs import BASE, BETTER, LOOK, MEDIAN, NET, PARTS, PLAN, TREES, cut, indented

ANSWER = f"{PLAN}\n\n{py(TREES)}"
DRAFTED = f"Let me first write it down.\n\n{py(BASE)}\n\nWait, zeros for missing values are bad. Boosted trees then."
QUOTED = "".join(f"> {line}\n" for line in DRAFTED.splitlines())

CASES = [
    Case("r1 with a draft", f"<think>\n{DRAFTED}\n</think>\n\n{ANSWER}", TREES, plan="boosted trees"),
    Case("qwen with nothing to think", f"<think>\n\n</think>\n\n{ANSWER}", TREES),
    Case("closing tag alone, on the answer's line", f"{DRAFTED}</think>{ANSWER}", TREES),
    Case("tags nested", f"<think>\nSo.\n<think>\n{DRAFTED}\n</think>\nOk.\n</think>\n{ANSWER}", TREES),
    Case("gemma 4's channel of thoughts", f"<|channel>thought\n{DRAFTED}\n<channel|>{ANSWER}", TREES),
    Case("magistral", f"[THINK]{DRAFTED}[/THINK]{ANSWER}", TREES),
    Case("kimi's triangles", f"◁think▷{DRAFTED}◁/think▷{ANSWER}", TREES),
    Case("seed", f"<seed:think>{DRAFTED}</seed:think>\n{ANSWER}<seed:eos>", TREES),
    Case(
        "openthinker",
        f"<|begin_of_thought|>\n\n{DRAFTED}\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n{ANSWER}\n\n"
        "<|end_of_solution|>",
        TREES,
    ),
    Case(
        "command a",
        f"<|START_THINKING|>{DRAFTED}<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
        TREES,
    ),
    Case("exaone", f"<thought>\n{DRAFTED}\n</thought>\n\n{ANSWER}", TREES),
    Case("scratchpad and answer", f"<scratchpad>\n{DRAFTED}\n</scratchpad>\n<answer>\n{ANSWER}\n</answer>", TREES),
    Case("hunyuan", f"<think>\n{DRAFTED}\n</think>\n<answer>\n{ANSWER}\n</answer>", TREES),
    Case("glm's box", f"<think>{DRAFTED}</think>\n<|begin_of_box|>{ANSWER}<|end_of_box|>", TREES),
    Case(
        "granite",
        f"Here is my thought process:\n\n{DRAFTED}\n\nHere is my response:\n\n{ANSWER}",
        TREES,
    ),
    Case("ollama's terminal", f"Thinking...\n{DRAFTED}\n...done thinking.\n\n{ANSWER}", TREES),
    Case("poe's quote", f"*Thinking...*\n\n{QUOTED}\n\n{ANSWER}", TREES),
    Case(
        "open webui",
        '<details type="reasoning" done="true" duration="21">\n<summary>Thought for 21 seconds</summary>\n'
        f"{QUOTED}</details>\n\n{ANSWER}",
        TREES,
    ),
    Case("headings of thought", f"## Thinking\n\n{DRAFTED}\n\n## Final Response\n\n{ANSWER}", TREES),
    Case(
        "harmony",
        f"<|channel|>analysis<|message|>{DRAFTED}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}"
        f"<|return|>",
        TREES,
    ),
    Case("harmony without its marks", f"analysis{DRAFTED}assistantfinal{ANSWER}", TREES),
    Case(
        "harmony, commentary between",
        f"<|channel|>analysis<|message|>{DRAFTED}<|end|><|start|>assistant<|channel|>commentary<|message|>I will now "
        f"write the program.<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
        TREES,
    ),
    Case("harmony, analysis alone", f"<|channel|>analysis<|message|>{DRAFTED}", Ask()),
    Case("harmony without marks, analysis alone", f"analysis{DRAFTED}\n\nNow finalise.", Ask(), finish="length"),
    Case(
        "cut in the thoughts", f"<think>\n{DRAFTED}\n\nNow the folds:\n{py(TREES)}\n\nHmm, but", Ask(), finish="length"
    ),
    Case("a whole program in open thoughts", f"<think>\n{DRAFTED}\n\nFinal code:\n{py(TREES)}", Ask()),
    Case(
        "thoughts after the answer",
        f"{ANSWER}\n\n<think>\nWas that right? A simpler one:\n{py(MEDIAN)}\n</think>",
        TREES,
    ),
    Case("reflection, then the output", f"<thinking>{DRAFTED}</thinking>\n<output>\n{ANSWER}\n</output>", TREES),
    Case(
        "reflection within thinking",
        f"<thinking>\nForest.\n{py(BASE)}\n<reflection>Zeros are bad.</reflection>\nSo trees.</thinking>\n{ANSWER}",
        TREES,
    ),
    Case(
        "only a look at the data after the thoughts",
        f"<think>{DRAFTED}</think>\nLet me look first.\n\n{py(LOOK)}",
        Ask(),
    ),
    Case(
        "the tag is talked about",
        f"<think>I must put thoughts in <think> and close them with </think>. {DRAFTED}</think>\n{ANSWER}",
        TREES,
    ),
    Case("an escaped tag", f"&lt;think&gt;\n{DRAFTED}\n&lt;/think&gt;\n\n{ANSWER}", TREES),
    Case(
        "a fence of thoughts",
        f"```thinking\nA forest first? No: trees, they take missing values.\n```\n\n{ANSWER}",
        TREES,
    ),
    Case(
        "thoughts said aloud, two drafts",
        f"Let me think step by step. A first version could be\n\n{py(BASE)}\n\nbut that ignores the hardness. Let me "
        f"also consider a net:\n\n{py(NET)}\n\nThat is overkill for 300 rows. So the final program is:\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "a draft thrown away aloud, last one is whole",
        f"{py(cut(TREES, 'final = '))}\n\nWait, I forgot to write the submission. Let me redo the whole "
        f"thing:\n\n{py(TREES)}",
        TREES,
    ),
    Case(
        "a fix said after the program",
        f"{PLAN}\n\n{py(TREES)}\n\nWait, there is a mistake above: `hardness` is not in validation.csv. The "
        f"line should "
        f"read:\n\n{py(chr(10).join(['columns = [%swidth%s, %slength%s]' % ((chr(34),) * 4), '']))}",
        Ask(),
    ),
    Case(
        "the answer in the thoughts, only a word outside",
        f"<think>{PLAN}\n\n{py(TREES)}</think>\n\nThe program above fits boosted trees.",
        Ask(),
    ),
    Case(
        "thoughts in chinese, drafts named so",
        f"<think>\n好的,我先写一个随机森林:\n{py(BASE)}\n不对,缺失值填零不好。\n</think>\n使用梯度提升树。\n\n{py(TREES)}",
        TREES,
    ),
    Case("phi's tag in another case", f"<Think>\n{DRAFTED}\n</Think>\n\n{ANSWER}", TREES),
    Case("medgemma's unused tokens", f"<unused94>thought\n{DRAFTED}<unused95>{ANSWER}", TREES),
    Case("two rounds of thoughts", f"<think>a</think>\n{PLAN}\n<think>{DRAFTED}</think>\n\n{py(TREES)}", TREES),
    Case(
        "a program in two rounds", f"<think>a</think>\n{py(BASE)}\n<think>Better trees.</think>\n\n{py(TREES)}", TREES
    ),
    Case(
        "a plan that names the tag",
        f"The program keeps text between `<think>` tags out of the features. {PLAN}\n\n{py(PARTS)}",
        PARTS,
    ),
    Case(
        "a numbered trace with indented drafts",
        f"1.  **Analyse.** 300 rows, rmse.\n\n2.  **Draft.**\n\n{indented(py(BASE), '    ')}\n\n3.  "
        f"**Check.** Zeros are "
        f"bad.\n\n4.  **Final code.**\n\n{indented(py(TREES), '    ')}\n",
        TREES,
    ),
    Case(
        "improve: the base in the thoughts", f"<think>The base:\n{py(BASE)}\n</think>\nA ratio.\n\n{py(BETTER)}", BETTER
    ),
]
