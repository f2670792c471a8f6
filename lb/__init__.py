"""Logging & Bookkeeping: what happened to jobs, and the state that follows from it.

Enters: events, on the queue topic `lb`, over HTTPS and from logs; questions over HTTPS. Leaves: answers, pages,
notices; LB never asks anybody. Owns the tables in `tables`.

Here: `store` keeps sets of events, `keeper` lets followers of the changes join in, `family` is one of them, `query` and
`operations` answer, `service` joins the parts. Folders, each standing on those after it only: `pages`, `notices`,
`figures`, `upkeep`, `queries`, `access`, `state`. The state is a pure fold: `state.transitions` has the rules,
`state.machine` applies them.
"""
