"""The spaces of the suite `mini`: one module a task, with its `SPACE`: choices, and the program of each pipeline.

May import `spaces` (what a space is) and `programs` (the frame that all programs share).
"""
