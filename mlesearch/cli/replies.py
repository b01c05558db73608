"""What models answered to one proposal, every attempt, for people to read."""

from __future__ import annotations

from pathlib import Path

from mlesearch.cli.terminal import shell_words
from mlesearch.storage.blobs import Blobs
from mlesearch.storage.events import Replied
from mlesearch.study.runs.fold import FoldedRun
from mlesearch.study.runs.unusable import replies_to
from mlesearch.types import NANODOLLARS, ConfigError


def reply_texts(folder: Path, f: FoldedRun, id: int) -> str:
    """The texts of all replies to a proposal.

    Args:
        folder: of the run.
        f: the run, folded.
        id: of the proposal.

    Raises:
        ConfigError: there is no such proposal.
    """
    if id not in f.asked:
        raise ConfigError(no_such_node(folder, f, id))
    replies = replies_to(f, id)
    if not replies:
        return f"node {id}: no reply yet\n"
    blobs = Blobs(folder / "blobs")
    parts = [f"{_head(event)}\n{_text(event, blobs).strip() or '(empty)'}\n" for event in replies]
    prompts = [event["prompt"] for event in replies if "prompt" in event]
    if prompts:
        parts.append(f"the prompts stand in {folder / 'blobs'}: {', '.join(prompts)}\n")
    return "\n".join(parts)


def no_such_node(folder: Path, f: FoldedRun, id: int) -> str:
    """One line that names the nodes that there are."""
    if not f.asked:
        return f"--node {id}: nothing was proposed in this run yet; see it with: {shell_words('show', folder)}"
    nodes = list(f.asked)
    known = f"from {nodes[0]} to {nodes[-1]}" if nodes == list(range(nodes[0], nodes[-1] + 1)) else f"{nodes}"
    return (
        f"--node {id}: no such node in this run; there are nodes {known}; see them with: {shell_words('show', folder)}"
    )


def _head(event: Replied) -> str:
    usage = event["usage"]
    tokens = f"{usage.get('input_tokens', 0):,} tokens in, {usage.get('output_tokens', 0):,} out"
    nusd = usage.get("cost_nusd", 0)
    cost = "price unknown" if nusd is None else f"USD {nusd / NANODOLLARS:.6f}"
    what = "review" if event["type"] == "review" else event["op"]
    return f"== {what}, attempt {event['attempt'] + 1}: {event['model']}, {event['finish']}, {tokens}, {cost}"


def _text(event: Replied, blobs: Blobs) -> str:
    return event["text"] if "text" in event else blobs.get(event["blob"])
