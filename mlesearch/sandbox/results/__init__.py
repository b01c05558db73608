"""From what a supervisor reports to an `ExecResult`: status, a line of reason, text without the host's paths, files.

Nothing of a program is trusted: `artefacts` reads the files that it left, `verdict` its output. It imports the
sandbox's protocol and the messages of `inside`, and no rung. Begin with `report.result`, which all rungs end with.
"""
