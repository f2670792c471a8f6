"""Collections and DAGs on their way: which nodes may go, what the end of one means for the others."""
