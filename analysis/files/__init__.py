"""The files beside the page: tables and figures for papers, LaTeX, and digests of what a page was made of.

Begin with `paper`: claims, methods and checklist as LaTeX. `stale` removes what an earlier report left. May import
what the page may, and the page.
"""
