"""Accounts from files, and leases that many processes take at once."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wms.ce.account_pool import Accounts, lease
from wms.ce.accounts import AccountSettings, NoAccount, Rule, lease_name
from wms.errors import Unavailable

ANNA, BERT = "/DC=org/CN=Anna", "/DC=org/CN=Bert"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    for name in ("cms001", "cms002", "cmsprd1", "atlas01"):
        (tmp_path / name).touch()
    return tmp_path


def words(found: str | NoAccount) -> str:
    assert isinstance(found, NoAccount)
    return found.reason


# -- leases ------------------------------------------------------------------------------------------------


def test_the_same_name_has_the_same_account_for_ever(pool: Path) -> None:
    assert [lease(pool, dn, ".cms") for dn in (ANNA, BERT, ANNA, BERT)] == ["cms001", "cms002", "cms001", "cms002"]
    assert (pool / lease_name(ANNA)).samefile(pool / "cms001")


def test_a_lease_of_somebody_else_counts(pool: Path) -> None:
    os.link(pool / "cms001", pool / lease_name(BERT))
    assert lease(pool, ANNA, ".cms") == "cms002"
    assert lease(pool, BERT, ".cms") == "cms001"


def test_an_empty_pool_is_no_account_for_now(pool: Path) -> None:
    lease(pool, ANNA, ".cms"), lease(pool, BERT, ".cms")
    assert lease(pool, "/CN=Carl", ".cms") == NoAccount("all 2 accounts of pool .cms are leased", permanent=False)
    os.unlink(pool / lease_name(ANNA))
    assert lease(pool, "/CN=Carl", ".cms") == "cms001"


def test_one_name_in_two_pools_has_two_accounts(pool: Path) -> None:
    assert [lease(pool, ANNA, p) for p in (".cms", ".atlas", ".cms", ".atlas")] == ["cms001", "atlas01"] * 2


def test_a_use_is_seen_at_the_lease(pool: Path) -> None:
    lease(pool, ANNA, ".cms")
    os.utime(pool / "cms001", (1, 1))
    lease(pool, ANNA, ".cms")
    assert (pool / lease_name(ANNA)).stat().st_mtime > 1


def test_two_leases_of_one_account_help_nobody(pool: Path) -> None:
    for dn in (ANNA, BERT):
        os.link(pool / "cms001", pool / lease_name(dn))
    assert words(lease(pool, ANNA, ".cms")) == "account cms001 is leased more than once"


def test_a_lease_whose_account_is_gone(pool: Path) -> None:
    lease(pool, ANNA, ".cms")
    (pool / "cms001").unlink()
    assert lease(pool, ANNA, ".cms") == "cms002"
    (pool / "cms002").unlink()
    assert "is not of .cms" in words(lease(pool, ANNA, ".cms"))


def test_a_name_too_long_for_a_file(pool: Path) -> None:
    assert "too long" in words(lease(pool, "/CN=" + "x" * 250, ".cms"))


def test_no_directory_of_leases_is_not_the_jobs_fault(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="gridmapdir"):
        lease(tmp_path / "none", ANNA, ".cms")


TAKER = """
import sys
from pathlib import Path
from wms.ce.account_pool import lease
for dn in sys.argv[2].split(";"):
    found = lease(Path(sys.argv[1]), dn, ".cms")
    print(dn, found if isinstance(found, str) else "-")
"""


@settings(max_examples=5)
@given(st.lists(st.permutations([f"/CN={n}" for n in range(8)]), min_size=3, max_size=4), st.integers(3, 9))
def test_processes_at_once_agree(tmp_path_factory: pytest.TempPathFactory, orders: list[list[str]], size: int) -> None:
    directory = tmp_path_factory.mktemp("gridmapdir")
    for n in range(size):
        (directory / f"cms{n}").touch()
    takers = [subprocess.Popen([sys.executable, "-c", TAKER, directory, ";".join(order)], stdout=subprocess.PIPE,
                               text=True) for order in orders]
    said = [dict(line.split() for line in taker.communicate()[0].splitlines()) for taker in takers]
    assert all(taker.returncode == 0 for taker in takers)
    assert all(one == said[0] for one in said)
    accounts = [account for account in said[0].values() if account != "-"]
    assert len(set(accounts)) == len(accounts) == min(8, size)


# -- files -------------------------------------------------------------------------------------------------


def test_with_nothing_set_it_is_our_own(tmp_path: Path) -> None:
    assert Accounts(AccountSettings()).account(ANNA, "cms", []) == ""


def test_a_mapfile_is_read_again_when_it_was_changed(tmp_path: Path) -> None:
    file = tmp_path / "grid-mapfile"
    file.write_text(f'"{ANNA}" anna\n')
    accounts = Accounts(AccountSettings(gridmap=str(file)), here=False)
    assert accounts.account(ANNA, "cms", []) == "anna"
    assert words(accounts.account(BERT, "cms", ["/cms"])) == f"no account for {BERT} (/cms)"
    file.write_text(f'"{ANNA}" anna\n"{BERT}" bert\n')
    assert accounts.account(BERT, "cms", []) == "bert"
    file.unlink()
    with pytest.raises(Unavailable, match="grid-mapfile"):
        accounts.account(ANNA, "cms", [])


def test_a_pool_account_is_looked_at_like_any_other(pool: Path) -> None:
    by_rule = AccountSettings(rules=[Rule("/cms", ".cms")], gridmapdir=str(pool))
    assert Accounts(by_rule, here=False).account(ANNA, "cms", ["/cms"]) == "cms001"
    assert words(Accounts(by_rule).account(ANNA, "cms", ["/cms"])) == "account cms001 does not exist on this host"


def test_accounts_of_this_host_are_known_by_number() -> None:
    daemon = pwd.getpwnam("daemon")
    assert f"uid {daemon.pw_uid}" in words(Accounts(AccountSettings(fixed="daemon")).account(ANNA, "", []))
    assert Accounts(AccountSettings(fixed="daemon", allow=["daemon"])).account(ANNA, "", []) == "daemon"
    assert "root" in words(Accounts(AccountSettings(fixed="root", allow=["root"])).account(ANNA, "", []))


@pytest.mark.parametrize(("settings_", "reason"), [
    (AccountSettings(fixed=".cms"), "needs a gridmapdir"),
    (AccountSettings(fixed="./cms", gridmapdir="leases"), "not the name of a pool"),
    (AccountSettings(fixed="-u"), "not exist")])
def test_a_setting_that_cannot_be(settings_: AccountSettings, reason: str) -> None:
    assert reason in words(Accounts(settings_).account(ANNA, "cms", []))
