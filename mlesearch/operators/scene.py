"""The fixed part of a run's prompts: the task's brief with its contract, and the declared resources."""

from __future__ import annotations

from mlesearch.operators import library
from mlesearch.operators.base import Brief, Resources
from mlesearch.operators.durations import duration, time_left
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.rules import order

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


def brief(task: Task, preview: str) -> Brief:
    """What every prompt of a run says about its task.

    Args:
        task: loaded; none of its folders is named in the brief.
        preview: of the data, bounded.
    """
    return Brief(
        task_id=task.id,
        title=task.title,
        description=task.description.strip(),
        metric=task.metric,
        direction=task.direction.value,
        preview=preview.strip(),
        contract=contract(task),
        eda=task.eda.strip(),
        modality=task.modality.value,
    )


def contract(task: Task) -> str:
    """What a program must read, write and print, by the task's validation mode."""
    if task.contract:
        return task.contract
    columns = ", ".join(f"`{c}`" for c in (task.id_column, *task.target_columns))
    values = {
        "columns": columns,
        "metric": task.metric,
        "split": task.reported_split,
        "group": task.group_column,
    }
    text = library.render(f"contract_{task.validation.value}", values)
    return f"{text}\n{order(task.sample)}" if task.positional else text


def resource_values(resources: Resources, limit_s: float) -> dict[str, object]:
    """The resources in words, as the prompt files name them.

    Args:
        resources: declared by the run.
        limit_s: time limit in force.
    """
    return {
        "time_limit": duration(limit_s),
        "shortened_from": duration(resources.program_time_s) if limit_s < resources.program_time_s else "",
        "memory": memory(resources.memory_bytes),
        "cpu_count": resources.cpu_count,
        "gpu": resources.gpu,
        "weights": resources.weights,
        "packages": ", ".join(f"{name} {version}".strip() for name, version in sorted(resources.packages.items())),
    }


def resources_text(resources: Resources, budget_left: int, limit_s: float, left: str) -> str:
    """The declared resources, and what is left of them.

    Args:
        resources: declared by the run; nothing else of the host is shown.
        budget_left: of the whole search, in tenths from 0 to 10.
        limit_s: time limit in force.
        left: time left of the whole search, in words; empty where no time budget is declared.
    """
    values = {**resource_values(resources, limit_s), "budget_left": budget_left, "time_left": left}
    return library.render("resources", values)


def time_left_text(seconds: float | None) -> str:
    """The time left of a search in words; empty where none is declared."""
    return "" if seconds is None else time_left(seconds)


def memory(size_bytes: int) -> str:
    """Bytes in words: "512 MiB", "4 GiB"."""
    return f"{size_bytes / _GIB:.3g} GiB" if size_bytes >= _GIB else f"{size_bytes / _MIB:.4g} MiB"
