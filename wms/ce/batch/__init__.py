"""Batch systems that are commanded by programs (Slurm, PBS, Grid Engine): one backend, a dialect a system."""
