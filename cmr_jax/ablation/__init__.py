"""Does it pay?  Arms of a study trained, judged on the same exams, and compared in pairs.

`runs` trains each arm with each seed in processes of its own, `scores` is what an arm's model says
of every exam, `store` keeps that in a few kilobytes, `table` sets arms side by side.
"""
