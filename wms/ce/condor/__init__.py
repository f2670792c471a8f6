"""HTCondor: pools on this host or behind a schedd, and HTCondor-CE, by the command line and event logs."""
