"""MLE-bench's competitions as tasks: used where they lie, graded by MLE-bench's own package in its own interpreter.

Begin with `facts` (what is known of each competition) and `names` (what can be asked for); `prepared` finds what of it
lies in a data folder, `competition` makes a task of it. What imports MLE-bench runs in another interpreter.
"""
