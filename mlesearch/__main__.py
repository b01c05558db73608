"""`python -m mlesearch`: the command line."""

import sys

from mlesearch.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
