"""Settings of MLE-bench's competitions."""

from __future__ import annotations

from dataclasses import dataclass

MLEBENCH = "mlebench:"
"""Begins the names of tasks that are competitions of MLE-bench."""


@dataclass
class MlebenchSettings:
    """MLE-bench's competitions, which are asked for as tasks=[mlebench:NAME] (docs/mlebench.md).

    Attributes:
        data_dir: folder of prepared competitions; null: that of MLEBENCH_DATA_DIR, else MLE-bench's own default.
        python: interpreter that has MLE-bench; null: MLESEARCH_MLEBENCH_PYTHON, else that of `mlebench install`.
        missing: competitions of a suite that are not prepared: refuse the launch, or skip them.
        verify: whether prepared files must be those whose checksums MLE-bench records.
        unpack: auto: archives of the public data are unpacked once, for all programs.
        feedback: what a search learns of an invalid submission: the grader's message, or no more than that it is.
        validation: reported: programs report their own score; twice: it is that on labelled rows that are held out.
        fallback: where `twice` is impossible: programs report their own score, or the launch is refused.
        validate_url: of a grading server's /validate, where an ungraded task asks one whether a submission is valid.
        grade_timeout_s: seconds after which a grader that does not answer is given up.
        grade_memory_gib: memory of a grader, GiB.
    """

    data_dir: str | None = None
    python: str | None = None
    missing: str = "refuse"
    verify: str = "checksums"
    unpack: str = "auto"
    feedback: str = "message"
    validation: str = "reported"
    fallback: str = "reported"
    validate_url: str | None = None
    grade_timeout_s: float = 900.0
    grade_memory_gib: float = 8.0
