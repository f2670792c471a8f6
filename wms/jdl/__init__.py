"""The job description language: text -> tree -> checked description, and the expressions that match.

In: JDL text and attribute lists. Out: trees, values, `JobDescription`. Owns no tables. Pure.
"""
