"""VOMS: attribute certificates read and verified, and where trust in their issuers comes from.

Pure: certificates and files come as bytes, the time as an argument. Asking a VOMS server is `wms.voms_asking`.
"""
