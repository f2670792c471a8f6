"""HTCondor: pools on this host or behind a schedd, and HTCondor-CE, by the command line and event logs.

`backend` is the CE, `submission` the way in; `commands` what HTCondor is asked, `answers` and `states` what it says;
`events` and `logtail` its event logs, `submitfile` what is written for it, `staging` our files, `facts` what is
published.
"""
