"""Conditions on jobs and events: how they are written, what they mean, and how the rows are found."""
