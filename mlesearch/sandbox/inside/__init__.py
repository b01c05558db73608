"""What runs in a sandbox beside the program: the supervisor, what it gives up, and what it watches.

Standard library only, and each other by relative imports: these modules are loaded in processes that have no
mlesearch, under the package name `_box`, from this folder by a fork server (`server`) or from the texts that
`init.MODULES` lists. Begin with `supervisor`: one run, from its fork to its report. `messages` is how the
orchestrator talks to it.
"""
