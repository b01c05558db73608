"""What a launch leaves to be done, and in which order: the list of its runs as a file, and rounds of seeds.

Begin with `files`, which writes and reads the list from which workers on any machine take runs; `rounds` orders it.
Both are plain data, known to whoever launches, works or watches. May import no other package of the study.
"""
