"""The shipped experiments: Hydra sweeps, one YAML each."""
