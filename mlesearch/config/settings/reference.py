"""The reference of all settings: `python -m mlesearch.config.settings.reference > docs/settings.md`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from mlesearch.config.catalogue.groups import GROUPS, main_text
from mlesearch.config.settings.schema import Setting, choices, schema

_HEAD = """# Settings

What may stand in an override (`mlesearch run budget.steps=12`), in a file of `conf/` or `experiments/`, and in the
Python interface. A setting is declared once, with its default and its meaning, in `mlesearch/config/settings/`;
this page is made from there, by `python -m mlesearch.config.settings.reference > docs/settings.md`.

**Identity** says what a change does to a run that is there already. *yes*: it would be another run; the one that is
there is kept, and the launch is refused until it has a place of its own (another `variant` or `study.dir`). *place*:
it names the folder, so it is another run beside it. *no*: it changes no result. A parameter of a strategy that is given
its default is the same run as one that is not given: `strategy.params.momentum=true` changes nothing for `gome`.
Identities stand in run.json as they were given, and are compared by what they come to, so a study that was begun with
such a value goes on.

A text is taken as it is written (`study.name=1e3`, `study.dir=~/lr=0.1`); only a comma, which makes a sweep, has to
stand in quotes of its own: `'study.dir="/data/a,b"'`. `~` is the home folder. Where a key is given twice, the last one
counts. Quote lists for the shell: `'seeds=[0,1,2]'`.

Own files are found in the working folder, and in the folders that the environment variable `MLESEARCH_PATH` names
(separated as in `PATH`): `conf/model/NAME.yaml`, `conf/strategy/NAME.yaml`, `conf/sandbox/NAME.yaml`,
`experiments/NAME.yaml` and `tasks/NAME/task.yaml`. They are asked for by NAME, and listed with their paths. Two files
of one name that differ are an error that names both.

Tab completion: add `eval "$(mlesearch completion bash)"` to ~/.bashrc (zsh: to ~/.zshrc; fish: `mlesearch completion
fish | source`). It offers commands, options, groups, keys, words of settings, models, tasks and studies.
"""

_NO = frozenset(
    {
        *("study", "claim", "limits", "launcher", "notify", "cassette", "cassette_path", "cassette_form"),
        *("model.tier", "model.capability", "model.capability_source", "model.call_timeout_s", "model.retires"),
        *("budget.cell_usd", "budget.study_usd", "budget.confirm_usd"),
        *("run.keep_submissions", "run.keep_prompts", "run.preflight"),
        *("sandbox.require", "sandbox.min_free_gib"),
        *("mlebench.data_dir", "mlebench.python", "mlebench.missing", "mlebench.verify", "mlebench.fallback"),
        *("mlebench.grade_timeout_s", "mlebench.grade_memory_gib"),
        *("sandbox.exec_store", "sandbox.exec_store_path", "sandbox.exec_store_form"),
    }
)
"""Settings, or all below one, that change no result."""
_PLACE = frozenset({"model.name", "strategy.name", "variant", "tasks", "seeds"})
"""Settings that name the folder of a run."""
_WORDS: Mapping[str, str] = {
    "text": "text",
    "whole": "whole number",
    "number": "number",
    "switch": "true or false",
    "texts": "list of texts",
    "numbers": "list of whole numbers",
    "amounts": "list of numbers",
    "free": "parameters by name",
}


def identity(name: str) -> str:
    """What a change of a setting does to a run that is there already: yes, place or no (see the page)."""
    if name in _PLACE:
        return "place"
    return "no" if name in _NO or any(name.startswith(f"{other}.") for other in _NO) else "yes"


def markdown() -> str:
    """The page."""
    parts = [_HEAD]
    mappings = ["", *(name for name, s in schema().items() if s.kind == "mapping")]
    for mapping in mappings:
        below = [s for name, s in schema().items() if name.rpartition(".")[0] == mapping and s.kind != "mapping"]
        parts.append(_section(mapping, below))
    return "\n".join(parts)


def _section(mapping: str, settings: list[Setting]) -> str:
    title = f"## {mapping}" if mapping else "## At the top"
    group = (
        f" One of the files of `conf/{mapping}/` is chosen by its name: `{mapping}=NAME`." if mapping in GROUPS else ""
    )
    head = "| setting | takes | default | meaning | identity |\n|---|---|---|---|---|"
    rows = [f"| `{s.name}` | {_takes(s)} | {_default(s)} | {s.meaning} | {identity(s.name)} |" for s in settings]
    return f"{title}\n\n{settings[0].owner}{group}\n\n{head}\n" + "\n".join(rows) + "\n"


def _takes(s: Setting) -> str:
    words = ", ".join(f"`{word}`" for word in choices(s.name))
    takes = f"{'list of ' if s.kind == 'texts' else ''}{words}" if words else _WORDS[s.kind]
    return f"{takes}; or null" if s.optional else takes


def _default(s: Setting) -> str:
    value = _main().get(s.name, s.default)
    return f"`{value}`" if value else "of its file"


@cache
def _main() -> Mapping[str, str]:
    """What conf/config.yaml sets in place of the schema's defaults."""
    content: dict[str, Any] = yaml.safe_load(main_text())
    return {
        f"{key}.{inner}": str(value)
        for key, below in content.items()
        if key not in ("hydra", "defaults")
        for inner, value in below.items()
    }


if __name__ == "__main__":
    print(markdown(), end="")
