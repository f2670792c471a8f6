"""Callers and policies for tests of the policy, with defaults."""

from __future__ import annotations

from typing import Any

from wms.authz.policy import Policy
from wms.authz.policy_text import parse_policy
from wms.identity import TOKEN, Identity, token_name

JANE = "/DC=org/DC=example/CN=Jane"
ISSUER = "https://issuer.example.org/"
COMPUTE = frozenset({"compute.read", "compute.modify", "compute.create", "compute.cancel"})


def person(dn: str = JANE, **more: Any) -> Identity:
    """By a certificate, with no VO."""
    return Identity(dn, **{"ca_dn": "/DC=org/DC=example/CN=CA", "not_after": 2e9, **more})


def bearer(subject: str = "jane", **more: Any) -> Identity:
    """By a token with all scopes of ours."""
    issuer = more.get("issuer", ISSUER)
    return Identity(token_name(issuer, subject), **{
        "not_after": 2e9, "kind": TOKEN, "issuer": issuer, "subject": subject, "scopes": COMPUTE, **more})


def policy(text: str) -> Policy:
    return parse_policy(text)
