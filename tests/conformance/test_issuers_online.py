"""Issuers over HTTPS on the real reactor: what Fetch does with an issuer that is well, wrong, silent or too long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from reactor_thread import run, started
from twisted.logger import Logger

from tests.issuer import DISCOVERY, JWKS, Issuer
from wms.config import parse
from wms.database import Database
from wms.errors import Unavailable
from wms.issuers import Issuers
from wms.service import Kit
from wms.x509.authority import make_authority, trust_files

OURS = make_authority(time.time(), serial=1, kind="ec")
OTHER = make_authority(time.time(), serial=2, kind="ec", dn="/DC=local/DC=wms/CN=Another CA")


@pytest.fixture
def making(tmp_path: Path) -> Iterator[Callable[..., Issuers]]:
    """Makes issuers that trust OURS alone; each ends with the test."""
    for name, content in trust_files(OURS.certificate).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "secret").chmod(0o600)
    made: list[Issuers] = []

    def make(url: str, timeout_s: float = 15.0) -> Issuers:
        client = f"client_id: wms, client_secret_file: {tmp_path / 'secret'}"
        settings = parse(f"{{tls: {{ca_dir: {tmp_path}}}, tokens: {{timeout_s: {timeout_s}, "
                         f"issuers: {{'{url}': {{vo: dteam, {client}}}}}}}}}")
        kit = Kit(settings, Database("sqlite://", None), started(), random.Random(1), {}, Logger(), "localhost",
                  ("localhost", 9000), b"s" * 32)
        made.append(Issuers(kit))
        return made[-1]

    yield make
    for one in made:
        run(one.stop())


def test_a_token_is_verified_exchanged_and_refreshed_over_https(making: Callable[..., Issuers]) -> None:
    with Issuer(OURS, secrets={"wms": "s3cret"}) as issuer:
        issuers = making(issuer.url)
        token = issuer.mint(sub="bob")
        assert run(issuers.identity(token, time.time())).subject == "bob"
        held = run(issuers.exchange(token))
        newer = run(issuers.refresh(held))
        assert run(issuers.identity(newer.access_token, time.time())).subject == "bob"
        assert (issuer.requests[DISCOVERY], issuer.requests[JWKS]) == (1, 1)


def test_an_rsa_issuer_too(making: Callable[..., Issuers]) -> None:
    with Issuer(OURS, "RS256") as issuer:
        assert run(making(issuer.url).identity(issuer.mint(), time.time())).subject == "alice"


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer in discovery": ({"claims_to_be": "https://other.example.org"}, "another issuer"),
    "500": ({"status": 500}, "answers 500"),
    "oversized": ({"oversized": True}, "too long"),
    "a certificate of a foreign authority": ({"authority": OTHER}, "certificate verify failed"),
    "a certificate for another host": ({"certified": "other.example.org"}, "hostname"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_issuer_that_is_not_what_it_should_be_has_no_keys(making: Callable[..., Issuers], name: str) -> None:
    given, says = BROKEN[name]
    with Issuer(**({"authority": OURS} | given)) as issuer, pytest.raises(Unavailable, match=says):
        run(making(issuer.url).identity(issuer.mint(), time.time()))


def test_a_silent_issuer_is_waited_for_so_long(making: Callable[..., Issuers]) -> None:
    with Issuer(OURS, silent=True) as issuer, pytest.raises(Unavailable, match="No answer within"):
        run(making(issuer.url, 0.3).identity(issuer.mint(), time.time()))


def test_an_issuer_that_is_gone_is_unavailable(making: Callable[..., Issuers]) -> None:
    with Issuer(OURS) as issuer:
        url, token = issuer.url, issuer.mint()
    with pytest.raises(Unavailable, match="refused"):
        run(making(url).identity(token, time.time()))
