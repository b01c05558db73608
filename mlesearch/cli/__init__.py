"""The command line: what is asked in words, done by the packages below, and said in words.

It may import every package; nothing imports it. Only here is anything printed, but for the progress of a launch.
Begin with `main` (the grammar), then `commands` (a function for each command); `launches` is the longest of them. A
new command is a parser in `main`, a function and an entry in `commands`, and a test.
"""
