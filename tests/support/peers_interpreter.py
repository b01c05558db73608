"""Runs inside `.venv-peers`: programs through the interpreter of the published package `aideml`, one after another.

The first line of standard input is JSON: the programs, a folder to work in, and the site-packages where scikit-learn
lies (the package declares it for its programs, and that environment holds only what the agent itself imports). The
agent's own modules are imported, as they are in a run of it. It says `ready`, waits for a second line, and answers with
the output of each program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    sys.path.append(asked["site"])
    import aide
    import aide.agent
    from aide.interpreter import Interpreter

    assert aide.__name__
    interpreter = Interpreter(Path(asked["folder"]), timeout=300)
    print("ready", flush=True)
    sys.stdin.readline()
    outputs = []
    for program in asked["programs"]:
        result = interpreter.run(program, reset_session=True)
        assert result.exc_type is None, result.term_out
        outputs.append(result.term_out[0].strip())
    interpreter.cleanup_session()
    print(json.dumps(outputs), flush=True)


if __name__ == "__main__":
    main()
