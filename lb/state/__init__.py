"""What events make of a job: the machine, its tables, and what can be told of a history. Pure."""
