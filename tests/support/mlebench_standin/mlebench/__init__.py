"""Stands in for MLE-bench's package in tests: its interface, and nothing of its code. Standard library only."""
