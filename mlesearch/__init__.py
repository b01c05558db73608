"""mlesearch: search paradigms for LLM machine-learning engineers, compared under one executor."""

__version__ = "0.1.0"
