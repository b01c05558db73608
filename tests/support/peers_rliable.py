"""Runs inside `.venv-rliable`: intervals of cells by the published package `rliable`.

Reads the name of a file with scores (cells, runs, tasks) and a number of samples, says `ready`, and after `go` writes
the limits of the mean of each cell.
"""

import json
import sys

import numpy as np
from rliable import library

words = json.loads(sys.stdin.readline())
scores = np.load(words["scores"])
print("ready", flush=True)
if sys.stdin.readline() == "go\n":
    np.random.seed(0)  # noqa: NPY002 - the package draws from there
    cells = {str(c): cell for c, cell in enumerate(scores)}
    _, limits = library.get_interval_estimates(
        cells, lambda x: np.array([x.mean()]), reps=words["draws"], task_bootstrap=True
    )
    print(json.dumps([limits[name].ravel().tolist() for name in cells]), flush=True)
