"""Who may read a job: its owner, in any spelling of the name, and nobody else."""

from __future__ import annotations

import pytest

from wms.authz.relations import may_read, require_owner
from wms.errors import NotAuthorized
from wms.identity import Identity

JANE = Identity("/DC=org/DC=example/CN=Jane/emailAddress=jane@example.org", not_after=2e9)


@pytest.mark.parametrize(("owner", "may"), [
    (JANE.dn, True), ("/DC=org/DC=example/CN=Jane/Email=jane@example.org", True),
    ("/DC=org/DC=example/CN=John", False), ("", False)])
def test_a_job_is_read_by_its_owner(owner: str, may: bool) -> None:
    assert may_read(JANE, owner) is may


def test_the_owner_passes() -> None:
    require_owner(JANE, JANE.dn)


def test_somebody_else_is_told_so_and_not_whose_it_is() -> None:
    with pytest.raises(NotAuthorized) as refused:
        require_owner(JANE, "/CN=the secret owner")
    assert "secret" not in str(refused.value.record())
