"""The agent that runs mlesearch inside MLE-bench's own harness: four files, which go into a clone of its repository."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from mlesearch.types import ConfigError

NAME = "mlesearch"
FILES = ("Dockerfile", "start.sh", "config.yaml", "requirements.txt")


def write_agent(repository: Path) -> Path:
    """Put the agent's files into a clone of MLE-bench.

    Args:
        repository: the clone.

    Returns:
        Their folder, `agents/mlesearch`.

    Raises:
        ConfigError: it is no clone, or has other files there.
    """
    if not (repository / "agents" / "registry.py").is_file():
        raise ConfigError(
            f"{repository}: no clone of openai/mle-bench (it has no agents/registry.py); name the folder of one"
        )
    shipped = resources.files("mlesearch.tasks.mlebench") / "agent"
    folder = repository / "agents" / NAME
    texts = {name: (shipped / name).read_text(encoding="utf-8") for name in FILES}
    other = [name for name, text in texts.items() if (folder / name).exists() and _read(folder / name) != text]
    if other:
        raise ConfigError(f"{folder / other[0]} is there already and differs; move it away, then run this again")
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
