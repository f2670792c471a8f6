"""Whose account a job runs under: the grid-mapfile, rules, names of pools and leases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.ce.accounts import (
    AccountSettings,
    NoAccount,
    Rule,
    is_account,
    is_pool,
    lease_name,
    mapped,
    of_pool,
    read_gridmap,
    usable,
)

ANNA = "/DC=org/DC=example/CN=Anna Example"
PRODUCTION, MEMBER = "/cms/Role=production/Capability=NULL", "/cms/Role=NULL/Capability=NULL"


def whose(settings: AccountSettings, *fqans: str, owner: str = ANNA, vo: str = "cms", gridmap: str = "") -> str:
    return mapped(owner, vo, fqans, read_gridmap(gridmap), settings)


# -- the grid-mapfile --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "name", "account"), [
    ('"/DC=org/CN=Anna Example" anna', "/dc=org/cn=Anna Example", "anna"),
    ('  "/DC=org/CN=A"\t.cms  # the pool', "/dc=org/cn=A", ".cms"),
    ("/DC=org/CN=A anna", "/dc=org/cn=A", "anna"),
    ('"/CN=A" anna,bert,carl', "/cn=A", "anna"),
    (r'"/CN=A \"the\" \\ B" anna', '/cn=A "the" \\ B', "anna"),
    (r'"/CN=Ren\xc3\xa9" rene', r"/cn=Ren\xC3\xA9", "rene"),
    ('"/CN=René" rene', r"/cn=Ren\xC3\xA9", "rene"),
    ("/CN=René rene", r"/cn=Ren\xC3\xA9", "rene"),
    ('"/CN=A/Email=a@b" anna', "/cn=A/emailaddress=a@b", "anna"),
    ('"/cms/Role=NULL/Capability=NULL" .cms', "/cms", ".cms"),
])
def test_a_line(line: str, name: str, account: str) -> None:
    (found,) = read_gridmap(f"# head\n\n{line}\n").items()
    assert found[1] == account
    assert found[0].lower() == name.lower()


@pytest.mark.parametrize("line", ['"/CN=A"', '"/CN=A anna', "anna", "", '"/CN=A" anna bert', "# /CN=A anna", '"" #'])
def test_what_is_no_line_is_nobodys(line: str) -> None:
    assert read_gridmap(line) == {}


def test_the_first_line_counts() -> None:
    assert list(read_gridmap('"/CN=A" first\n"/CN=A" second').values()) == ["first"]


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert all(account and " " not in account for account in read_gridmap(text).values())


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Zs", "Zl", "Zp"]),
               min_size=1))
def test_any_name_is_found_again(name: str) -> None:
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    escaped = "".join(char if " " <= char <= "~" else "".join(f"\\x{b:02X}" for b in char.encode()) for char in name)
    settings = AccountSettings()
    assert whose(settings, owner=f"/CN={escaped}", gridmap=f'"/CN={quoted}" x') == "x"


# -- who is mapped to what ---------------------------------------------------------------------------------

RULES = AccountSettings(fixed="grid", rules=[
    Rule("/cms", ".cms"), Rule("/cms/Role=production", "cmsprd"), Rule("/*/Role=pilot", "pilot")])


@pytest.mark.parametrize(("fqans", "vo", "account"), [
    ([MEMBER], "cms", ".cms"), ([PRODUCTION, MEMBER], "cms", "cmsprd"), ([MEMBER, PRODUCTION], "cms", ".cms"),
    (["/atlas/Role=pilot"], "atlas", "pilot"), (["/atlas"], "atlas", "grid"), ([], "cms", ".cms"), ([], "", "grid"),
    (["/cms/group", "/cms"], "cms", ".cms"), (["/cmsx"], "cmsx", "grid"),
])
def test_memberships_count_in_their_order(fqans: list[str], vo: str, account: str) -> None:
    assert whose(RULES, *fqans, vo=vo) == account


def test_the_name_counts_more_than_a_membership() -> None:
    gridmap = f'"/cms" member\n"{ANNA}" anna\n'
    assert whose(RULES, MEMBER, gridmap=gridmap) == "anna"
    assert whose(RULES, MEMBER, owner="/CN=Bert", gridmap=gridmap) == "member"


def test_somebody_may_be_nobody() -> None:
    assert whose(AccountSettings(rules=[Rule("/atlas", "a")]), MEMBER) == ""


# -- what may be used --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["anna", "_x", "cms001", "A-b.c", "a" * 32])
def test_names_of_accounts(name: str) -> None:
    assert is_account(name)
    assert usable(name, 1000, AccountSettings()) is None
    assert usable(name, None, AccountSettings()) is None


@pytest.mark.parametrize("name", ["", "-u", "0", "1a", "a b", "a/b", "../a", "a\n", "é", "a" * 33, "#0", "a;b", "a$"])
def test_no_names_of_accounts(name: str) -> None:
    assert not is_account(name)
    assert isinstance(usable(name, 1000, AccountSettings()), NoAccount)


@pytest.mark.parametrize(("name", "uid", "allow", "words"), [
    ("root", None, ["root"], "root"), ("toor", 0, ["toor"], "root"), ("daemon", 1, [], "uid 1, below 1000")])
def test_accounts_of_the_system_are_refused(name: str, uid: int | None, allow: list[str], words: str) -> None:
    refused = usable(name, uid, AccountSettings(allow=allow))
    assert refused is not None
    assert words in refused.reason


def test_an_account_of_the_system_may_be_allowed() -> None:
    assert usable("daemon", 1, AccountSettings(allow=["daemon"])) is None


# -- pools -------------------------------------------------------------------------------------------------


def test_a_pool_is_its_name_and_a_number() -> None:
    names = ["cms002", "cms1", "cmsprd01", "cms", "atlas001", "%2fcn%3da", ".wms.lock", "cms01x", "cms٣"]
    assert of_pool(".cms", names) == ["cms002", "cms1"]


@pytest.mark.parametrize(("name", "right"), [
    (".cms", True), (".", False), ("cms", False), ("./x", False), (".1", False)])
def test_names_of_pools(name: str, right: bool) -> None:
    assert is_pool(name) is right


def test_the_name_of_a_lease_is_that_of_the_field() -> None:
    assert lease_name("/DC=org/CN=Anna Example 1") == "%2fdc%3dorg%2fcn%3danna%20example%201"


@given(st.text(), st.text())
def test_leases_of_two_names_are_two_but_for_case(one: str, other: str) -> None:
    name = lease_name(f"/{one}")
    assert (name == lease_name(f"/{other}")) is (_folded(one) == _folded(other))
    assert set(name) <= set("%0123456789abcdefghijklmnopqrstuvwxyz")


def _folded(text: str) -> bytes:
    return text.encode("utf-8").lower()
