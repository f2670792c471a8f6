"""lb-change-acl: who else may read a job or tag it."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.session import Session


@shared.command("lb-change-acl", common=shared.FEW)
@click.argument("job", metavar="JOBID")
@click.argument("who", metavar="USER")
@server_option
@click.option("--remove", "-r", is_flag=True, help="Take the entry away.")
@click.option("--deny", "-d", is_flag=True, help="The entry forbids; forbidding wins.")
@click.option("--group", "-g", is_flag=True, help="USER is a group: an FQAN such as /vo/group, or vo:group.")
@click.option("--permission", "-p", type=click.Choice(["read", "tag"], case_sensitive=False), default="read",
              help="What it is about. Default: read.")
def command(session: Session, job: str, who: str, server: str, remove: bool, deny: bool, group: bool,
            permission: str) -> int:
    """Change the access list of a job of mine: let USER (a DN) read it."""
    from clients.bookkeeping import Bookkeeping
    from wms.event import Source

    kind = "DN" if not group else "FQAN" if who.startswith("/") else "GROUP"
    book = Bookkeeping.of(session, server)
    book.tell(job, "ChangeACL", Source.USER_INTERFACE, user_id=who, user_id_type=kind,
              permission=permission.upper(), permission_type="DENY" if deny else "ALLOW",
              operation="REMOVE" if remove else "ADD")
    session.say(f"The access list of {job} has been changed.")
    session.answer({"result": "success", "jobid": job})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
