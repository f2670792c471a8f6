"""X.509 as grids use it: proxies by RFC 3820, the authorities that are trusted, what they revoke and may sign.

Pure: chains, CRLs and signing policies come as bytes and records, the time as an argument. The handshake is
`wms.tls`; who may do what is `wms.authz`.
"""
