"""Where notices may go, and the signatures of web hooks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.notices.destinations import Hook, Rules, check, hook, may_connect, topic
from lb.notices.signatures import genuine, signature
from wms.errors import Refused

RULES = Rules(("stomp://broker",), ("grid.emi.", "site."), ("hooks.example.org", "*.example.net", "127.0.0.1"))
NOTHING = Rules((), ("grid.emi.",), ())
SECRET = "0f" * 32


@pytest.mark.parametrize("destination", [
    "", "x-msg://grid.emi.jobs", "x-msg://site.a-b_c.D9", "https://hooks.example.org/a?b=c", "https://HOOKS.example.org",
    "https://a.example.net:8443/", "https://a.b.example.net/", "https://127.0.0.1:9/x"])
def test_allowed(destination: str) -> None:
    check(destination, RULES)


@pytest.mark.parametrize("destination", [
    "x-msg://", "x-msg://other.topic", "x-msg://grid.emi.", "x-msg://grid.emi.a..b", "x-msg://grid.emi.a b",
    "x-msg://grid.emi.é", "http://hooks.example.org/", "https://example.net/", "https://aexample.net/",
    "https://hooks.example.org.evil/", "https://u:p@hooks.example.org/", "https://hooks.example.org/#x",
    "https://hooks.example.org/a b", "https://hooks.example.org:99999/", "https://[::1", "https:///x", "https://[::1]/",
    "https://127.0.0.2/", "listener:4711", "https://hooks.example.org/" + "x" * 1000, "https://hooks.example.org/é"])
def test_refused(destination: str) -> None:
    with pytest.raises(Refused):
        check(destination, RULES)


@pytest.mark.parametrize("destination", ["x-msg://grid.emi.jobs", "https://hooks.example.org/"])
def test_without_brokers_and_hosts_there_are_streams_only(destination: str) -> None:
    check("", NOTHING)
    with pytest.raises(Refused):
        check(destination, NOTHING)


def test_what_a_destination_means() -> None:
    assert topic("x-msg://grid.emi.jobs", RULES) == "grid.emi.jobs"
    assert hook("https://Hooks.Example.org/x", RULES.webhook_hosts) == Hook("hooks.example.org", 443, True)
    assert hook("https://a.example.net:8443", ("*.Example.NET",)) == Hook("a.example.net", 8443, False)


@pytest.mark.parametrize(("address", "public"), [
    ("192.0.43.7", True), ("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", False), ("0.0.0.0", False),
    ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False), ("2606:4700::1", True), ("::ffff:127.0.0.1", False)])
def test_private_addresses_are_for_named_hosts(address: str, public: bool) -> None:
    assert may_connect(address, named=False) is public
    assert may_connect(address, named=True)


@given(st.binary(max_size=50), st.integers(0, 2**40), st.binary(max_size=5), st.floats(-300, 300))
def test_a_signature_is_of_one_body_and_one_time(body: bytes, at: int, more: bytes, later: float) -> None:
    signed = signature(SECRET, at + 0.5, body)
    assert genuine(SECRET, signed, body, at + later)
    assert genuine(SECRET, signed, body + more, at) is (more == b"")
    assert not genuine(SECRET, signed, body, at + 301)
    assert not genuine("00" * 32, signed, body, at)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=ab", "t=" + "1" * 16 + ",v1=a", "t=²,v1=a"])
def test_what_is_no_signature(header: str) -> None:
    assert not genuine(SECRET, header, b"", 1.0)
