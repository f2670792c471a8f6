"""Those whom the policy keeps out, and what it keeps from those whom it lets in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deployment import until

from tests.gallery.case import Ask, Case
from tests.gallery.certificates import submitting
from tests.gallery.house import House
from tests.gallery.operations import ask, rows

BANNED, POLICY, DRAINING = "WMS_BANNED", "WMS_POLICY", "NS_DRAINING"


@contextmanager
def drained(house: House) -> Iterator[None]:
    policy(house, drain=True)
    yield
    policy(house, drain=False)


def policy(house: House, drain: bool) -> None:
    mark = house.log_size()
    house.write_policy(drain)

    def read() -> bool:
        assert house.is_well()
        return any(line["message"].startswith("the policy was read again") for line in house.log_since(mark))

    until(read, "the policy to be read")


CASES = (
    Case("banned by name", 403, BANNED, lambda h: Ask(credential=h.proxy(h.person("mallory"))), "CN=mallory"),
    Case("banned by name, to submit", 403, BANNED, submitting(lambda h: h.person("mallory")), "CN=mallory"),
    Case("banned by membership", 403, BANNED, lambda h: Ask(credential=h.voms_proxy("/testvo", "/testvo/banned")),
         "CN=alice"),
    Case("banned by subject of the token", 403, BANNED, lambda h: Ask(
        headers=(("Authorization", f"Bearer {h.token('mallory')}"),)), "#mallory"),
    Case("submitting denied by a rule", 403, POLICY, submitting(lambda h: h.person("reader")), "CN=reader"),
    Case("uploading denied by a rule", 403, POLICY, lambda h: Ask(
        "PUT", f"/ns/v1/jobs/{h.waiting}/input/data", b"12345", credential=h.person("reader")), "CN=reader"),
    Case("called from where nobody may", 403, POLICY, lambda h: Ask(credential=h.alice, peer="127.0.0.66"),
         "127.0.0.66"),
    Case("token from where nobody may", 403, POLICY, lambda h: Ask(
        headers=(("Authorization", f"Bearer {h.token()}"),), peer="127.0.0.66"), "127.0.0.66"),
    *(Case(f"administering without the right in {row.name}", 403, POLICY,
           lambda h, row=row: ask(h, row, h.alice), "CN=alice") for row in rows("admin")),
    Case("submitting while drained", 503, DRAINING, submitting(lambda h: h.alice), "CN=alice", around=drained),
    Case("delegating anew while drained", 503, DRAINING, lambda h: Ask(
        "POST", "/ns/v1/delegations/new", credential=h.bob), "CN=bob", around=drained),
)
