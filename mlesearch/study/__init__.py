"""Studies, many runs each: launched, watched, collected into tables, estimated, replayed, archived, verified.

Stands above everything that makes a single run (`mlesearch.config`, `mlesearch.engine`), may import all of it, and
stands below the command line, which prints what is computed here. Begin with `launch` for how runs are carried out, and
with `fold` for how one is read: `summary` makes the rows of the tables of it, `collect` writes them.
"""
