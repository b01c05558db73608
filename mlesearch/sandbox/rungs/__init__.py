"""The rungs: what holds a program. `ladder` loads one by its name and calls `make`.

A rung imports the sandbox's other modules and no other rung; `docker` alone knows docker-py. Begin with `rung`, the
base of those with namespaces of their own (`bubblewrap`, `docker`; `unsafe` has none and shares the base), and with
`box`, a started sandbox. `local` stands alone: it forks its programs from a `forkserver`.
"""
