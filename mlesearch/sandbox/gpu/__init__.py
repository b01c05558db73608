"""GPUs: which there are (`devices`), who has one (`pool`), and a sandbox whose programs get one each (`sandbox`).

It imports the sandbox's protocol and scratch folder, and no rung: a rung is told of a lease by `Job.gpu` and does the
pinning itself. Begin with `devices.GpuLease`, which says what a program that has leased a GPU is given; see
docs/gpus.md.
"""
