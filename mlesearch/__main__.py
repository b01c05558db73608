"""`python -m mlesearch`: the command line."""

import sys

from mlesearch.cli.main import main

if __name__ == "__main__":
    code = main()
    # Ctrl-C in the middle of an `exec` of text (dataclasses and others make code so) is noted by the interpreter, which
    # then ends by SIGINT whatever the exit code is, though it was caught; another `exec` of text takes the note back.
    exec("")
    sys.exit(code)
