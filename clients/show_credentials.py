"""Delegated credentials as text for people, in the layouts of the `glite-wms-job-*` commands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wms.operations.jobs import DelegationInfo

Date = Callable[[float], str]
WIDTH = 74
KINDS = {"certificate": "RFC 3820 compliant impersonation proxy", "token": "access token"}
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "min"), (1, "sec"))


def banner(command: str) -> str:
    return f" {command} Success ".center(WIDTH, "=")


def url(place: str) -> str:
    """Of a service at host:port."""
    return f"https://{place}"


def delegated(command: str, places: Sequence[str], name: str, kind: str, *, invented: bool) -> str:
    """The block of job-delegate-proxy; the line that tells the name ends with it, for scripts."""
    what = "proxy" if kind == "certificate" else "token"
    how = ("The delegation identifier was automatically generated: the" if invented else "with the")
    return "\n".join(["", banner(command), "", f"Your {what} has been successfully delegated to the WMProxy(s):",
                      *map(url, places), f"{how} delegation identifier: {name}", "", "=" * WIDTH])


def delegated_file(command: str, date: str, places: Sequence[str], name: str) -> str:
    """What --output keeps of it."""
    return "\n".join([f"{command} ({date})", "=" * 73, *(f"WMProxy: {url(place)}" for place in places),
                      f"delegation ID: {name}"])


def described(command: str, place: str, found: DelegationInfo, now: float, date: Date) -> str:
    """The block of job-info about a credential."""
    what = "proxy" if found.kind == "certificate" else "token"
    kind = KINDS.get(found.kind, found.kind) + (" (limited)" if found.limited else "")
    rows = [("Subject", found.subject), ("Issuer", found.issuer), ("Identity", found.subject), ("Type", kind),
            ("Strength", f"{found.strength} bits" if found.strength else ""),
            ("StartDate", date(found.not_before) if found.not_before else ""), ("Expiration", date(found.not_after)),
            ("Timeleft", time_left(found.not_after - now)), ("Jobs", str(found.jobs))]
    return "\n".join(["", banner(command), "", f"Your {what} delegated to the endpoint {url(place)}",
                      f"with delegationID {found.id}: ", *_rows(rows), *_membership(found), "", "=" * WIDTH])


def _membership(found: DelegationInfo) -> list[str]:
    if not found.vo:
        return []
    return [f"=== VO {found.vo} extension information ===",
            *_rows([("VO", found.vo), *(("Attribute", fqan) for fqan in found.fqans)])]


def _rows(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{label:<12}: {value}" for label, value in rows if value]


def time_left(seconds: float) -> str:
    """`1 days 02 hours 03 min 04 sec`, without leading units that are zero."""
    rest, parts = max(0, int(seconds)), list[str]()
    for size, unit in _UNITS:
        number, rest = divmod(rest, size)
        if parts or number or unit == "sec":
            parts.append(f"{number} {unit}" if unit == "days" else f"{number:02d} {unit}")
    return " ".join(parts)


def description(command: str, what: str, job: str, text: str) -> str:
    """The block of job-info about a description."""
    return "\n".join(["", banner(command), "", f"The {what} JDL", " for the job ID :", job, "", text, "", "=" * WIDTH])
