"""Jobs and notifications of others, and jobs that do not exist, in every operation that names one."""

from __future__ import annotations

from tests.gallery.case import Ask, Case
from tests.gallery.operations import ask, rows
from wms.operations import OPERATIONS, Operation

OF_A_JOB = rows("owner", "reader", having="unique")
OF_A_NOTIFICATION = rows("user", having="id")
NOWHERE = "A" * 22
BOB = "CN=bob"


def foreign(row: Operation) -> Case:
    return Case(f"job of another in {row.name}", 403, "NS_NOT_OWNER", lambda h: ask(h, row, h.bob), BOB)


def unknown(row: Operation) -> Case:
    return Case(f"unknown job in {row.name}", 404, "NS_NO_SUCH_JOB",
                lambda h: ask(h, row, h.bob, unique=NOWHERE), BOB)


def notification(row: Operation) -> Case:
    return Case(f"notification of another in {row.name}", 403, "NS_NOT_OWNER", lambda h: ask(h, row, h.bob), BOB)


CASES = (
    *map(foreign, OF_A_JOB),
    *map(unknown, (*OF_A_JOB, OPERATIONS["lb.sequence_code"])),
    *map(notification, OF_A_NOTIFICATION),
    Case("job of another as a page", 403, "NS_NOT_OWNER",
         lambda h: Ask(path=f"/{h.waiting}", headers=(("Accept", "text/html"),), credential=h.bob), BOB,
         below="a page for people"),
    *(Case(f"job named {what} in {name}", status, code,
           lambda h, row=OPERATIONS[name], unique=unique: ask(h, row, h.bob, unique=unique), who)
      for name in ("ns.cancel", "ns.output", "lb.status")
      for what, unique, status, code, who in (
          ("to climb", "../../etc/passwd", 404, "NS_NO_SUCH_JOB", BOB),
          ("to climb in codes", "%2e%2e%2f%2e%2e", 404, "NS_NO_SUCH_JOB", BOB),
          ("with a null", "a\0b", 404, "NS_NOT_FOUND", "127.0.0.1"),
          ("with 10 kB", "A" * 10_000, 404, "NS_NO_SUCH_JOB", BOB),
          ("with a line end", "a\r\nSet-Cookie: x", 404, "NS_NO_SUCH_JOB", BOB))),
)
