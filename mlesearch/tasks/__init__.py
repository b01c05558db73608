"""Tasks: folders in the layout of a prepared MLE-bench competition, their grading, preview and preflight.

Imports `mlesearch.types` alone. Begin with `protocol` (what a task is), then `folder`, which loads one; `submission`
reads what a program left, trusting nothing about it, `grading` scores it by `metrics` and `medals`. `check` is the
preflight, `preview` what prompts say of the data, `sources` where installed packages find tasks.
"""
