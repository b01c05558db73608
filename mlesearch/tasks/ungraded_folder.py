"""Makes a task's folder of data without answers: the data are linked to where they lie, nothing of them is copied."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mlesearch.tasks import folder, metrics
from mlesearch.tasks.mlebench import brief
from mlesearch.tasks.mlebench.facts import facts
from mlesearch.tasks.protocol import Modality, Validity
from mlesearch.types import ConfigError, Direction, did_you_mean

DESCRIPTION = "description.md"
_LIKE_A_SAMPLE = re.compile(r".*(sample|gender|example).*submission.*\.csv|sample.?submission.*\.csv", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class UngradedRequest:
    """What is known of data without answers.

    Attributes:
        data: the folder that programs read.
        place: where the task's folder goes.
        validity: by what submissions are found valid.
        description: a text or markdown file; None: description.md in the data.
        metric: a named one, or any words beside a direction; None: that of the competition.
        direction: of the metric; None: that of the named metric, or of the competition.
        sample: the sample submission, in the data; None: the one file that is called like one.
        competition: of MLE-bench, whose metric, direction and modality are known; empty: none.
        modality: of the data; None: that of the competition, else tabular.
        group: column whose values no fold may share between training and validation; None: none.
        program_time_s: limit of one program.
    """

    data: Path
    place: Path
    validity: Validity = Validity.SAMPLE
    description: Path | None = None
    metric: str | None = None
    direction: str | None = None
    sample: Path | None = None
    competition: str = ""
    modality: str | None = None
    group: str | None = None
    program_time_s: float = folder.DEFAULT_PROGRAM_TIME_S


def write_ungraded(request: UngradedRequest) -> None:
    """Write the task's folder; equal requests write equal files, so that a search goes on where it stood.

    Raises:
        ConfigError: something is missing or does not fit; in one line.
    """
    data = request.data
    if not data.is_dir():
        raise ConfigError(f"{data}: no such folder; name the folder that holds the data")
    text = _description(request)
    declared = _declared(request)
    place = request.place
    place.mkdir(parents=True, exist_ok=True)
    (place / "private").mkdir(mode=0o700, exist_ok=True)
    _link(place / "public", data.resolve())
    for name, content in (
        (folder.DECLARED, yaml.safe_dump(dict(declared), sort_keys=False, allow_unicode=True)),
        (DESCRIPTION, text),
    ):
        _write(place / name, content)


def _declared(request: UngradedRequest) -> Mapping[str, Any]:
    metric, direction = _metric(request)
    known = facts(request.competition) if request.competition else None
    modality = request.modality or (known.modality.value if known is not None else Modality.TABULAR.value)
    if modality not in list(Modality):
        hint = did_you_mean(modality, list(Modality))
        raise ConfigError(f"--modality: {modality!r} is none{hint}; there are: {', '.join(Modality)}")
    found: dict[str, Any] = {
        "id": request.competition or _id(request.data),
        "metric": metric,
        "direction": direction,
        "validation": "reported",
        "ungraded": request.validity.value,
        "sample": _sample(request),
        "modality": modality,
        "program_time_s": request.program_time_s,
    }
    return found | ({} if request.group is None else {"group_column": request.group})


def _id(data: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", data.resolve().name).strip("-._")
    return name or "data"


def _metric(request: UngradedRequest) -> tuple[str, str]:
    """The metric and its direction: as given, of the named metric, or of the competition."""
    metric, direction = request.metric, request.direction
    if direction is not None and direction not in list(Direction):
        hint = did_you_mean(direction, list(Direction))
        raise ConfigError(f"--direction: {direction!r} is none{hint}; there are: {', '.join(Direction)}")
    if metric is None and request.competition:
        table = facts(request.competition)
        metric, direction = table.metric, direction or table.direction.value
    if metric is None or not metric.strip():
        known = ", ".join(metrics.METRICS)
        raise ConfigError(f"--metric: it is missing; name one ({known}), or say another in words, with --direction")
    named = "_".join(metric.lower().replace("-", " ").split())
    if named in metrics.METRICS:
        metric = named
        right = metrics.METRICS[metric].direction.value
        if direction not in (None, right):
            raise ConfigError(
                f"--direction: {direction}, but {metrics.METRICS[metric].title} is to {right}; leave it out"
            )
        return metric, right
    if direction is None:
        hint = did_you_mean(metric, metrics.METRICS)
        raise ConfigError(
            f"--metric: no metric is called {metric!r}{hint}; there are: {', '.join(metrics.METRICS)}; of another one "
            "say which way it is better: --direction maximize or minimize"
        )
    return " ".join(metric.split()), direction


def _description(request: UngradedRequest) -> str:
    path = request.description or request.data / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"--description: {path} does not exist; name a text file that says what the data are and what is to be "
            "predicted"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no UTF-8 text"
        raise ConfigError(f"--description: {path} can't be read ({why}); name a text file in UTF-8") from None
    if not text.strip():
        raise ConfigError(f"--description: {path} is empty; say what the data are and what is to be predicted")
    return brief.description(text, unpacked=False) if request.competition else f"{text.strip()}\n"


def _sample(request: UngradedRequest) -> str:
    """The sample submission, below the data; empty where there is none, and a server says what is valid."""
    data = request.data
    if request.sample is not None:
        return _given_sample(request, request.sample)
    if (data / folder.SAMPLE).is_file():
        return folder.SAMPLE
    like = sorted(path.name for path in data.iterdir() if path.is_file() and _LIKE_A_SAMPLE.fullmatch(path.name))
    if len(like) == 1:
        return like[0]
    if request.validity is Validity.SERVER:
        return ""
    found = f"several files are called like one ({', '.join(like)})" if like else f"{data} has no {folder.SAMPLE}"
    raise ConfigError(f"--sample: {found}; name the sample submission, which shows columns and ids of a submission")


def _given_sample(request: UngradedRequest, given: Path) -> str:
    data = request.data
    path = next((place for place in (given, data / given) if place.is_file()), None)
    if path is None:
        raise ConfigError(f"--sample: {given} does not exist, here or in {data}; name the sample submission")
    if not path.resolve().is_relative_to(data.resolve()):
        raise ConfigError(f"--sample: {given} lies outside {data}, where no program can read it; put a copy there")
    return path.resolve().relative_to(data.resolve()).as_posix()


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, unless it has this text already."""
    if path.is_file() and path.read_bytes() == text.encode():
        return
    half = path.with_name(f".{path.name}.half")
    half.write_text(text, encoding="utf-8", newline="")
    os.replace(half, path)


def _link(path: Path, target: Path) -> None:
    """Let a link lead to the data."""
    if path.is_symlink() and os.readlink(path) == str(target):
        return
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        raise ConfigError(
            f"{path}: this folder was not made by this command; remove {path.parent}, or name another --study"
        )
    path.symlink_to(target, target_is_directory=True)
