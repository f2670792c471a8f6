"""Tokens in the hands of Proxy Renewal: refreshed at the issuer of the tests, for as long as that says yes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from issuer_line import Line
from shell import Shell, result

from proxyrenewal.by_token import TokenRenewer
from proxyrenewal.kinds import Failed, Fresh
from proxyrenewal.store import Registration
from tests.issuer import Issuer
from wms.identity import TOKEN
from wms.issuers import Issuers
from wms.tokens.held import Held
from wms.x509.authority import make_authority

NOW, LIFE_S = 1_800_000_000.0, 3600.0


@dataclass
class Here:
    shell: Shell
    issuer: Issuer
    line: Line
    renewer: TokenRenewer

    def held(self, **changed: str) -> Held:
        granted = self.issuer.grant(client_id="wms")
        whole = Held(self.issuer.url, granted["access_token"], NOW + LIFE_S, granted["refresh_token"], "wms",
                     granted["scope"])
        return msgspec.structs.replace(whole, **changed)

    def renew(self, held: Held) -> Fresh | Failed:
        entry = Registration("t", "", "sub:x#alice", self.issuer.url, held.expires, 0.0, kind=TOKEN)
        return result(self.renewer.renew(entry, held.encode(), self.shell.clock.seconds()))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "secret").chmod(0o600)
    with Issuer(make_authority(time.time(), serial=1, kind="ec"), secrets={"wms": "s3cret"}) as issuer:
        client = f"{{vo: dteam, client_id: wms, client_secret_file: {tmp_path / 'secret'}}}"
        shell = Shell(settings=f"tokens: {{issuers: {{'{issuer.url}': {client}}}}}")
        shell.clock.advance(NOW)
        issuer.clock = shell.clock.seconds
        line = Line(issuer, shell)
        issuers = Issuers(shell.kit(), line)
        yield Here(shell, issuer, line, TokenRenewer(issuers))
        result(issuers.stop())
        shell.close()


def test_a_refreshed_token_lasts_longer_and_can_be_refreshed_again(here: Here) -> None:
    first = here.held()
    here.shell.advance(LIFE_S / 2)
    found = here.renew(first)
    assert isinstance(found, Fresh)
    second = Held.decode(found.content)
    assert found.not_after == second.expires == NOW + 1.5 * LIFE_S
    assert second.refresh_token not in ("", first.refresh_token)
    here.shell.advance(LIFE_S)
    assert isinstance(here.renew(second), Fresh)


@pytest.mark.parametrize(("revoked", "refresh_token", "said"), [
    (True, None, "invalid_grant"), (False, "", "came without a refresh token")])
def test_what_cannot_be_refreshed_is_final(here: Here, revoked: bool, refresh_token: str | None, said: str) -> None:
    held = here.held() if refresh_token is None else here.held(refresh_token=refresh_token)
    if revoked:
        here.issuer.revoke()
    found = here.renew(held)
    assert isinstance(found, Failed)
    assert (found.final, found.silent) == (True, False)
    assert said in found.error
    assert held.access_token not in found.error


def test_an_issuer_that_is_broken_is_tried_again(here: Here) -> None:
    held, here.issuer.status = here.held(), 503
    found = here.renew(held)
    assert isinstance(found, Failed)
    assert (found.final, found.silent) == (False, True)
    here.issuer.status = 0
    here.shell.advance(120)
    assert isinstance(here.renew(held), Fresh)


def test_an_issuer_that_is_not_trusted_any_more_may_be_again(here: Here) -> None:
    found = here.renew(here.held(issuer="https://elsewhere.example.org"))
    assert isinstance(found, Failed)
    assert (found.final, found.silent) == (False, False)
    assert "https://elsewhere.example.org" in found.error
