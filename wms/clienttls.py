"""TLS for clients on the standard library alone, so that a command starts fast.

Not for servers (`wms.tls`), and it does not judge a proxy: that is `wms.x509.proxy`, before anything is sent.
"""

from __future__ import annotations

import os
import ssl

from wms.errors import BadCredential, CredentialNotFound


def client_context(credential_file: str | None, ca_dir: str, key_file: str | None = None) -> ssl.SSLContext:
    """A context that shows the credential and checks the server.

    The credential's file holds certificate, key and chain, as proxies do, unless `key_file` holds the key.
    The server's certificate must lead to a CA of the hashed directory `ca_dir` and carry the host's name.
    None as credential connects without one. CredentialNotFound or BadCredential say what is amiss here.
    """
    if not os.path.isdir(ca_dir):
        raise CredentialNotFound(f"there is no directory of CA certificates at {ca_dir}",
                                 hint="Set X509_CERT_DIR.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(capath=ca_dir)
    if credential_file is not None:
        _show(context, credential_file, key_file)
    return context


def public_context(ca_dir: str) -> ssl.SSLContext:
    """A context for servers with certificates of this system's authorities, or of the hashed directory `ca_dir`."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if os.path.isdir(ca_dir):
        context.load_verify_locations(capath=ca_dir)
    return context


def _show(context: ssl.SSLContext, credential_file: str, key_file: str | None) -> None:
    try:
        context.load_cert_chain(credential_file, key_file)
    except ssl.SSLError as error:
        raise BadCredential(f"the credential in {credential_file} cannot be used: {error.reason}") from error
    except OSError as error:
        raise CredentialNotFound("No path to valid proxy file has been found",
                                 path=credential_file) from error
