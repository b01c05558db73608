"""What can be asked for by name: files of `conf/`, experiments, a user's own files, and what plug-ins bring.

Begin with `groups` (the names of a group, and what each stands for); `strategies` says of each strategy what it is, and
its presets. May import no other package of the configuration.
"""
