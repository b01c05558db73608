"""One run: a strategy is asked, its proposals are carried out, it is told what became of them, and all is journaled.

May import everything below it (types, storage, optimizers, tasks, models, sandbox, operators, budgets), nothing above.
Begin with `loop`, then `search` (the state that it moves) and `trial` (the life of one proposal); `work` and `workers`
say what is carried out, and by whom; `resume` and `replay` begin again from a journal; `folder` is what lies on disk.
"""
