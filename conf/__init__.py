"""The shipped Hydra configuration groups."""
