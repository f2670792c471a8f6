"""Benchmarks: each says how fast we are as a ratio to something run beside it, over a growing n.

`python -m bench` runs all, `python -m bench NAME` one; every row goes to `bench/results.json`.
"""
