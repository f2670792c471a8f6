"""Tokens of the WLCG profile: read, verified, exchanged and refreshed.

Pure here; the keys of issuers are fetched and kept by `wms.issuers`.
"""
