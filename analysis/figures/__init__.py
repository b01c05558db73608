"""The report's figures: results in, drawings with an alternative text out.

Begin with `findings` (rates, gaps, capability). `svg` makes a drawing follow the page's theme, `series` gives each
strategy its look, `names` shortens those of models. May import the results and what they are made of, and no words or
tables of the page.
"""
