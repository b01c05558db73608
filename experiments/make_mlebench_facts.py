"""Makes the table of facts about MLE-bench's competitions that ships with the package.

    python experiments/make_mlebench_facts.py --facts competitions.csv --package CLONE --out TABLE

`--facts` is a table of measured facts (one row for each of the 75 competitions: sizes, metrics, places of sample and
answers, how graders treat odd submissions); `--package` a clone of MLE-bench, from which come the order of the suites
and the competitions of the suite `dev`. Rows stand in the order of the files of the splits. No text of MLE-bench enters
the table: names, numbers and paths do.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SPLITS = ("low", "medium", "high", "dev")
COLUMNS = (
    *("id", "split", "category", "modality", "raw_gb", "metric", "sample", "answers", "gold", "archives"),
    *("rules_open", "clean", "sample_scores_nan", "rows_by_position", "columns_by_position", "extra_column_invalid"),
    *("range_checked", "sums_checked", "empty_cell_valid", "broken_by_new_pandas", "twice", "issue"),
)
CLOSED_RULES = {"detecting-insults-in-social-commentary", "the-icml-2013-whale-challenge-right-whale-redux"}
NOT_CLEAN = {
    "random-acts-of-pizza",
    "ranzcr-clip-catheter-line-classification",
    "dog-breed-identification",
    "aerial-cactus-identification",
    "tabular-playground-series-dec-2021",
    "tabular-playground-series-may-2022",
    "jigsaw-toxic-comment-classification-challenge",
}
"""Of the low split, what is listed or filed upstream as leaking, broken or degenerate."""
PROBED: Mapping[str, frozenset[str]] = {
    "rows_by_position": frozenset(
        {
            "nomad2018-predict-transparent-conductors",
            "smartphone-decimeter-2022",
            "stanford-covid-vaccine",
            "uw-madison-gi-tract-image-segmentation",
        }
    ),
    "columns_by_position": frozenset(
        {
            "jigsaw-toxic-comment-classification-challenge",
            "spooky-author-identification",
            "freesound-audio-tagging-2019",
        }
    ),
    "sums_checked": frozenset(
        {
            "spooky-author-identification",
            "leaf-classification",
            "dog-breed-identification",
            "lmsys-chatbot-arena",
            "hms-harmful-brain-activity-classification",
        }
    ),
    "sample_scores_nan": frozenset({"us-patent-phrase-to-phrase-matching"}),
    "broken_by_new_pandas": frozenset(
        {
            "text-normalization-challenge-english-language",
            "text-normalization-challenge-russian-language",
            "tgs-salt-identification-challenge",
            "vinbigdata-chest-xray-abnormalities-detection",
            "bms-molecular-translation",
            "h-and-m-personalized-fashion-recommendations",
            "hotel-id-2021-fgvc8",
            "whale-categorization-playground",
        }
    ),
}
"""Found by grading odd submissions with the graders of all 75."""
_MEASURED = {
    "rows_by_position": "rows_by_position",
    "columns_by_position": "columns_by_position",
    "extra_column_invalid": "extra_column_invalid",
    "range_checked": "range_checked",
    "sums_checked": "unnormalised_invalid",
    "empty_cell_valid": "empty_cell_valid",
}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--facts", type=Path, required=True)
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with args.facts.open(encoding="utf-8", newline="") as file:
        facts = {row["id"]: row for row in csv.DictReader(file)}
    with args.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for split in SPLITS:
            names = (args.package / "experiments" / "splits" / f"{split}.txt").read_text(encoding="utf-8").split()
            for name in names:
                config = yaml.safe_load(
                    (args.package / "mlebench" / "competitions" / name / "config.yaml").read_text(encoding="utf-8")
                )
                writer.writerow(_row(name, split, facts.get(name), config))


def _row(name: str, split: str, fact: dict[str, str] | None, config: dict[str, Any]) -> dict[str, str]:
    """The row of one competition; a cell is empty where it was not measured."""
    paths = {key: _place(name, config["dataset"].get(key, "")) for key in ("sample_submission", "answers")}
    gold = _place(name, config["dataset"].get("gold_submission", ""))
    known = fact or {}
    if fact is not None and (fact["sample"], fact["answers"], fact["gold_file"]) != (*paths.values(), gold):
        raise SystemExit(f"{name}: the facts and the package disagree on its paths")
    row = {
        "id": name,
        "split": split,
        "category": known.get("category", ""),
        "modality": _modality(known.get("category", "")),
        "raw_gb": known.get("raw_gb", ""),
        "metric": config["grader"]["name"],
        "sample": paths["sample_submission"],
        "answers": paths["answers"],
        "gold": gold,
        "archives": known.get("archives_in_public", "").replace(" (also as .json)", ""),
        "rules_open": "no" if name in CLOSED_RULES else "yes" if fact else "",
        "clean": "" if split != "low" else "no" if name in NOT_CLEAN else "yes",
        "twice": known.get("prepare_twice", ""),
        "issue": known.get("issue", ""),
    }
    for column, source in _MEASURED.items():
        cell = known.get(source, "not given")
        row[column] = "" if cell == "not given" else cell or "no"
    for column, names in PROBED.items():
        row[column] = "yes" if name in names else "no" if fact else ""
    return row


def _place(name: str, path: str) -> str:
    """A path below the folder `prepared` of a competition."""
    return path.removeprefix(f"{name}/prepared/")


def _modality(category: str) -> str:
    for words, modality in (
        (("Image", "Object Detection", "Video"), "image"),
        (("Audio",), "audio"),
        (("Text", "LLM", "Sequence to Sequence"), "text"),
    ):
        if any(word in category for word in words):
            return modality
    return "tabular"


if __name__ == "__main__":
    main()
