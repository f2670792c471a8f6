"""The user's side: commands, and the Python client they use (`clients.api.Client`).

In: JDL files, job identifiers, a proxy or a token (`clients.wallet` says which). Out: HTTPS calls of the operations
table, text, JSON. Owns no tables and stands on `wms` alone; `clients.main` is how commands are made, `clients.show`
how results look.
"""
