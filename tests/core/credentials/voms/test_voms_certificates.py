"""Attribute certificates: what an authority writes is read back, and nothing else raises more than its own error."""

from __future__ import annotations

from credential_builders import NOW, person
from voms_builders import member_proxy, server

from wms.voms import certificate


def test_what_a_server_writes_is_read_back():
    alice = person()
    [(place, found)] = certificate.in_chain(member_proxy(alice, server(), "/testvo", "/testvo/Role=pilot").chain)
    assert (place, found.vo, found.uri) == (0, "testvo", "voms.example.org:15000")
    assert found.fqans == ("/testvo", "/testvo/Role=pilot")
    assert (found.not_before, found.not_after) == (NOW - 300, NOW + 3600)
