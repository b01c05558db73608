"""Results in sentences that can be quoted without the page around them.

Begin with `wording`: the claim's verdicts. The modules ending in `_words` hold the parts of its sentences, `phrases`
what they share; `checks` and `facts` say what a reader must know. May import the results and what they are made of,
and no figure or table.
"""
