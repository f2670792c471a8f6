"""How long the credential of a job goes on: a renewed one ends later, one that is gone does not; what that means at a
match.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from wm.recovery.credentials import LOOK_S, MOST_KNOWN, Credentials
from wm.recovery.dwell import Life
from wm.recovery.shortness import NOT_SHORT, Short, Shortness
from wm.store import Job
from wms.credentials import PROXY, TOKEN
from wms.errors import SealBroken
from wms.messages.submission import Submit
from wms.resource import ComputingElement
from wms.tokens.held import Held
from wms.x509.authority import make_authority

NOW = 1_700_000_000.0
DAY_S = 86_400.0


@dataclass
class Files:
    """Credentials by name and kind; `read` counts."""

    content: dict[tuple[str, str], bytes] = field(default_factory=dict)
    reads: int = 0

    def read(self, name: str, kind: str) -> bytes:
        self.reads += kind == PROXY
        if self.content.get((name, kind)) == b"broken":
            raise SealBroken("a stored credential cannot be opened")
        try:
            return self.content[name, kind]
        except KeyError:
            raise FileNotFoundError(name) from None

    def proxy(self, made: float) -> None:
        self.content["alices", PROXY] = make_authority(made, serial=1, kind="ec").certificate

    def token(self, expires: float, refresh_token: str = "") -> None:
        self.content["alices", TOKEN] = Held("https://issuer.example.org", "x.y.z", expires, refresh_token).encode()


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def credentials(files: Files) -> Credentials:
    return Credentials(files.read, patience_s=180.0)


def submit(ends: float, **more: bool) -> Submit:
    return Submit("https://lb.example.org:9000/a", "", "/CN=alice", "", (), "alices", ends, "", NOW, **more)


# -- its end ---------------------------------------------------------------------------------------------


def test_one_that_holds_is_not_looked_at(files: Files, credentials: Credentials) -> None:
    assert credentials.life(submit(NOW + 1), NOW) == Life(NOW + 1, NOW + 1)
    assert files.reads == 0


def test_a_renewed_one_holds_until_its_own_end_also_when_it_is_gone_then(
        files: Files, credentials: Credentials) -> None:
    files.proxy(NOW)
    later = credentials.life(submit(NOW - 1), NOW).ends
    assert later > NOW + DAY_S
    files.content.clear()
    assert credentials.life(submit(NOW - 1), NOW).ends == later
    assert credentials.life(submit(NOW - 1), later + 1).ends == later


def test_one_file_is_not_read_for_every_job(files: Files, credentials: Credentials) -> None:
    assert credentials.life(submit(NOW - 1), NOW).ends == NOW - 1
    files.proxy(NOW)
    assert credentials.life(submit(NOW - 1), NOW + LOOK_S - 1).ends == NOW - 1
    assert credentials.life(submit(NOW - 1), NOW + LOOK_S).ends > NOW
    assert files.reads == 2


def test_one_that_was_delegated_anew_is_read_again_at_once(files: Files, credentials: Credentials) -> None:
    credentials.life(submit(NOW - 1), NOW)
    files.token(NOW + 50, "refresh")
    assert not credentials.life(submit(NOW - 1), NOW).renewable
    assert credentials.life(submit(NOW), NOW).renewable
    assert files.reads == 2


def test_one_that_ends_too_early_for_a_job_is_looked_at_before(files: Files, credentials: Credentials) -> None:
    files.proxy(NOW)
    assert credentials.life(submit(NOW + 60), NOW, NOW + 61).ends > NOW + DAY_S


def test_a_token_ends_when_it_says_and_is_given_up_later_if_it_can_be_refreshed(
        files: Files, credentials: Credentials) -> None:
    files.token(NOW + 50)
    assert credentials.life(submit(NOW - 1), NOW) == Life(NOW + 50, NOW + 50, False, "token")
    files.token(NOW + 90, "r")
    assert credentials.life(submit(NOW - 1), NOW + 60) == Life(NOW + 90, NOW + 270, True, "token")


def test_a_proxy_that_can_be_renewed_is_given_up_later(credentials: Credentials) -> None:
    life = credentials.life(submit(NOW - 1, renewable=True), NOW)
    assert life == Life(NOW - 1, NOW + 179, True)


@pytest.mark.parametrize("content", [b"", b"broken", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_one_that_cannot_be_read_ends_when_it_was_said_to(
        files: Files, credentials: Credentials, content: bytes) -> None:
    files.content = {("alices", PROXY): content, ("alices", TOKEN): content}
    assert credentials.life(submit(NOW - 1), NOW).ends == NOW - 1


def test_what_files_say_now_does_not_wait(files: Files, credentials: Credentials) -> None:
    assert credentials.look("alices", NOW).ends == 0.0
    files.proxy(NOW)
    assert credentials.look("alices", NOW).ends > NOW
    assert credentials.life(submit(NOW - 1), NOW).ends > NOW


def test_not_all_credentials_of_all_times_are_remembered(files: Files, credentials: Credentials) -> None:
    for number in range(MOST_KNOWN):
        credentials.look(f"credential {number}", NOW)
    credentials.life(submit(NOW - 1), NOW)
    assert len(credentials._seen) == 1


# -- at a match ------------------------------------------------------------------------------------------


def ce(wait_s: object = 0) -> ComputingElement:
    return ComputingElement("ce", {"GlueCEStateEstimatedResponseTime": wait_s}, {}, "", NOW, NOW)


def job(placed_at: float = 0.0) -> Job:
    return Job("a", "waiting", b"", "", 1, 0, 0, "", "", False, "", NOW, placed_at=placed_at)


SHORT = "credential too short: it ends in 1.00 h and cannot be renewed, but the job may need 2.00 h"
QUEUED = "credential too short: it ends in 1.00 h and cannot be renewed, but the job may need 0.50 h after 0.75 h in " \
         "the queue"


@pytest.mark.parametrize(("needed_s", "wait_s", "reason"), [
    (3600.0, 0, ""), (3000.0, 600, ""), (3601.0, 0, "credential too short"), (7200.0, 0, SHORT),
    (1800.0, 2700, QUEUED), (1800.0, 2146660842, ""), (1800.0, "soon", ""), (1800.0, None, ""), (1800.0, -1, "")])
@pytest.mark.parametrize("abort", [False, True])
def test_a_credential_is_compared_with_what_the_job_needs_and_waits_for(
        credentials: Credentials, needed_s: float, wait_s: object, reason: str, abort: bool) -> None:
    found = Shortness(credentials, abort).of(job(), submit(NOW + 3600), needed_s, ce(wait_s), NOW)
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)
    assert found.ends == (abort and bool(reason))


def test_one_that_can_be_renewed_is_not_short_until_it_is_given_up(files: Files, credentials: Credentials) -> None:
    shortness = Shortness(credentials, abort=True)
    assert shortness.of(job(), submit(NOW + 1, renewable=True), 3600.0, ce(), NOW + 180) == NOT_SHORT
    files.token(NOW + 40, "refresh")
    assert shortness.of(job(), submit(NOW + 1), 3600.0, ce(), NOW + 211) == NOT_SHORT
    found = shortness.of(job(), submit(NOW + 1), 3600.0, ce(), NOW + 220)
    assert found == Short("token expired: it ended at 2023-11-14T22:14:00Z and was not renewed", True)


def test_one_that_was_delegated_anew_is_not_short(files: Files, credentials: Credentials) -> None:
    files.proxy(NOW)
    assert Shortness(credentials, abort=True).of(job(), submit(NOW + 1), 3600.0, ce(), NOW) == NOT_SHORT


def test_an_owner_is_warned_once(credentials: Credentials) -> None:
    shortness, needed = Shortness(credentials, abort=False), 7200.0
    assert shortness.of(job(), submit(NOW + 3600), needed, ce(), NOW).reason == SHORT
    assert shortness.of(job(placed_at=NOW - 60), submit(NOW + 3600), needed, ce(), NOW) == NOT_SHORT
    assert shortness.of(job(placed_at=NOW - 3600), submit(NOW + 3600), needed, ce(), NOW).reason == SHORT
