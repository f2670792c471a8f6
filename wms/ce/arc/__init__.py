"""ARC computing elements, by the REST interface of A-REX.

`backend` is the CE; `rest` its requests, `delegations` and `wallet` whose they are, `submission` and `parting` the
first and the last of a job; `description`, `answers`, `information` and `signing` are the formats, pure.
"""
