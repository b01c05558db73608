"""`python -m mlesearch`: the command line."""

from mlesearch.cli.entry import entry

if __name__ == "__main__":
    entry()
