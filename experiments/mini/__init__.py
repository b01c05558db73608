"""The data of the suite `mini`: one module a task, with a function that makes its rows from a seeded generator."""
