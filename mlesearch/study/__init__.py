"""Studies, many runs each: launched, watched, collected into tables, estimated, replayed, archived, verified.

Stands above everything that makes a single run (`mlesearch.config`, `mlesearch.engine`), may import all of it, and
stands below the command line, which prints what is computed here. Begin with `launches` for how runs are carried out
(`workers` does it), and with `runs` for how one is read; `tables` has those of all. `api` is the Python interface.
"""
