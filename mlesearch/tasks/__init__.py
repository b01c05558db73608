"""Tasks: folders in the layout of a prepared MLE-bench competition, their grading, preview and preflight."""
