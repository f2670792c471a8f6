"""Answers of the Workload Manager to questions: which CEs match, why a job does not run.

In: ListMatch, Explain (topic wm-match). Out: MatchAnswer, ExplainAnswer (the topic of who asked). It owns no table.
"""
