"""The fixed part of a run's prompts: the task's brief with its contract, and the declared resources."""

from __future__ import annotations

from mlesearch.operators import library
from mlesearch.operators.base import Brief, Resources
from mlesearch.tasks.protocol import Task

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
    )


def contract(task: Task) -> str:
    """What a program must read, write and print, by the task's validation mode."""
    columns = ", ".join(f"`{c}`" for c in (task.id_column, *task.target_columns))
    return library.render(f"contract_{task.validation.value}", {"columns": columns, "metric": task.metric})


def resource_values(resources: Resources) -> dict[str, object]:
    """The declared resources in words, as the prompt files name them."""
    return {
        "time_limit": duration(resources.program_time_s),
        "memory": memory(resources.memory_bytes),
        "cpu_count": resources.cpu_count,
        "gpu": resources.gpu,
        "weights": resources.weights,
        "packages": ", ".join(f"{name} {version}".strip() for name, version in sorted(resources.packages.items())),
    }


def resources_text(resources: Resources, budget_left: int) -> str:
    """The declared resources.

    Args:
        resources: declared by the run; nothing else of the host is shown.
        budget_left: of the whole search, in tenths from 0 to 10.
    """
    return library.render("resources", {**resource_values(resources), "budget_left": budget_left})


def duration(seconds: float) -> str:
    """Seconds in words: "90 s", "3600 s (1 h)"."""
    text = f"{seconds:.15g} s"
    if seconds >= 3600:
        return f"{text} ({seconds / 3600:.3g} h)"
    return f"{text} ({seconds / 60:.3g} min)" if seconds >= 120 else text


def memory(size_bytes: int) -> str:
    """Bytes in words: "512 MiB", "4 GiB"."""
    return f"{size_bytes / _GIB:.3g} GiB" if size_bytes >= _GIB else f"{size_bytes / _MIB:.4g} MiB"
