"""Logging & Bookkeeping: what happened to jobs, and the state that follows from it.

Enters: events, on the queue topic `lb`; queries over HTTPS. Leaves: answers and pages; LB never asks anybody.
Owns the tables `lb_jobs`, `lb_events`, `lb_refused`. The state is a pure fold over events: `transitions` is the
table of rules, `machine` applies it, `parents` draws collections from their children. Around it `store` ingests
sets of events, `query` reads, `operations` and `web` answer, `service` joins the parts.
"""
