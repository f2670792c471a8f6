"""Whose fault a failed attempt was, told from the words about it: one table, read from above, the first row wins.

Not what follows from it: that is the resubmission's business. Pure.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

__all__ = ["FAULTS", "UNKNOWN", "VERSION", "Fault", "Judgement", "Row", "judge", "owned"]

VERSION = 4
"""Of the table: raised with every change of a row's meaning."""


class Fault(StrEnum):
    """Who owns a failure."""

    USER = "user"
    CREDENTIAL = "credential"
    SITE = "site"
    NETWORK = "network"
    SERVICE = "service"


class Judgement(NamedTuple):
    """`again`: another attempt can help."""

    owner: Fault
    again: bool

    @property
    def counts(self) -> bool:
        """The user's retries pay for another attempt; those of the infrastructure are counted apart."""
        return self.owner in (Fault.USER, Fault.CREDENTIAL)


class Row(NamedTuple):
    """`pattern` is a regular expression, searched for anywhere in the text, case ignored; `who` says such things."""

    pattern: str
    judgement: Judgement
    who: str


USER_FINAL, USER_AGAIN = Judgement(Fault.USER, False), Judgement(Fault.USER, True)
CREDENTIAL_FINAL = Judgement(Fault.CREDENTIAL, False)
SITE, NETWORK, SERVICE = (Judgement(owner, True) for owner in (Fault.SITE, Fault.NETWORK, Fault.SERVICE))
UNKNOWN = SITE
"""What no row knows: better a lost attempt of the site's than a job of the user's."""

_CREDENTIALS = (
    (r"munge", SITE, "Slurm"),
    (r"proxy( certificate| credential)?,? (is |has |was |had )?(already |been )*expired|expired (X\.?509 |user )?proxy"
     r"|proxy not found|no proxy (found|file)|invalid X509 proxy|X\.?509 proxy (is )?invalid"
     r"|(proxy|credential|token).{0,40}too short|globus error 131\b",
     CREDENTIAL_FINAL, "all"),
    (r"credentials? (for the job )?(is|are) (gone|invalid|no longer valid)|credentials? (has |have |is |are )?expired"
     r"|expired credential|delegat(ion|ed credentials?)( id)?( [\w.-]+)? (has |have |is |was )?expired"
     r"|alert certificate expired", CREDENTIAL_FINAL, "CE"),
    (r"token (has |is |was |had )?(already |been )*expired|expired (\w+ )?token|\bJWT (has |is )?expired"
     r"|signature has expired|invalid_token", CREDENTIAL_FINAL, "CE"),
    (r"job credentials are not available", CREDENTIAL_FINAL, "HTCondor"),
    (r"no mapping|not authori[sz]ed|authori[sz]ation (failed|denied|failure)|permission denied \(publickey|gridmap",
     SITE, "CE"),
)
_LIMITS = (
    (r"exceeded allowed (job |execute )?duration|SYSTEM_PERIODIC_\w+ expression.{0,400}"
     r"(MemoryUsage|ResidentSetSize|ImageSize|DiskUsage|WallClockTime|StartDate|UserCpu)", USER_AGAIN, "HTCondor"),
    (r"removed at the CE|failed to execute '[^']*condor_exec", SITE, "HTCondor"),
    (r"due to time limit|state:? TIMEOUT|wall ?(clock )?time.{0,60}(exceed|limit|over)"
     r"|(exceed|over|beyond).{0,40}(wall|cpu) ?(clock )?time|cpu ?time.{0,60}(exceed|limit)"
     r"|time limit (exceeded|reached)|TERM_RUNLIMIT|TERM_CPULIMIT|max(imum)?wall", USER_AGAIN, "batch system"),
    (r"oom[-_ ]?kill|out of memory|OUT_OF_ME|memory.{0,60}(exceed|over|limit)|exceed.{0,40}memory|TERM_MEMLIMIT"
     r"|cannot allocate memory", USER_AGAIN, "batch system"),
    (r"disk quota exceeded|exceed.{0,40}(disk|scratch|file size)|disk usage.{0,60}exceed", USER_AGAIN, "batch system"),
    (r"removed by (the )?user|via condor_rm|cancelled by (the )?(user|owner)", USER_FINAL, "batch system"),
    (r"no such (executable|program)|exec format error|bad interpreter", USER_FINAL, "batch system"),
    (r"invalid (qos|account)|(requested node configuration|memory specification) (is not available|can not be)"
     r"|more processors requested than permitted|violates accounting|qosmax|assocmax|maxsubmitjob|MAX_JOBS",
     SITE, "Slurm"),
)
_NODES = (
    (r"node[ _]?fail|boot[ _]?fail|\bPREEMPTED\b|preempt|evicted|node (is )?(down|lost|drain)|lost contact"
     r"|slurmd|starter.*(died|exited|failed)|startd|shadow exception|job was held|job held event|hold reason"
     r"|no space left on device|read-only file system|input/output error|stale (nfs )?file handle"
     r"|transport endpoint|cvmfs|worker node", SITE, "batch system"),
    (r"socket timed out on send/recv|unable to contact slurm controller|slurm_\w+ error|schedd|collector|gridmanager"
     r"|\bGAHP\b|globus error (3|8|10|12|17|79|93|94|155)\b", SITE, "CE"),
    (r"connection (refused|reset|timed out|closed)|no route to host|network is unreachable|name or service not known"
     r"|could not resolve|couldn't connect|couldn't resolve|temporary failure in name resolution|operation timed out"
     r"|broken pipe|TLS handshake|SSL_ERROR|SSL (connect|read) error|\(no answer\)|curl[:( ]",
     NETWORK, "all"),
    (r"\b(50[0234]) (internal|bad gateway|service|gateway)|internal server error|service unavailable|bad gateway"
     r"|gateway time-?out|LFC|SRM_(INTERNAL|FAILURE|REQUEST_TIMED_OUT)|error creating stage-?in|data ?staging failed"
     r"|failed in (data )?(upload|download)|A-REX|arched", SERVICE, "CE"),
)
_TRANSFERS = (
    (r"the jobwrapper because of user (proxy|token) expiration|\(the proxy has expired\)"
     r"|(credential of the job|signed address) does not count there", CREDENTIAL_FINAL, "wrapper"),
    (r"certificate of the server is not trusted here|there is no globus-url-copy here|cannot be written on this node",
     SITE, "wrapper"),
)
_PROGRAM = ((r"not found or unreadable|(?-i:Job killed)", USER_FINAL, "wrapper"),)
_WRAPPER = (
    (r"prologue failed|epilogue failed", USER_AGAIN, "wrapper"),
    (r"cannot take shallow resubmission token|cannot download|cannot upload", NETWORK, "wrapper"),
    (r"working directory not writable|GLOBUS_LOCATION undefined|/etc/globus-user-env\.sh|cannot create directory"
     r"|job has been terminated|no \*ftp|cannot find (edg-rm|mpirun|apptainer|the container image)"
     r"|cannot run the container|cannot copy the working directory", SITE, "wrapper"),
)
_OURS = (
    (r"the service (could not handle|cannot open)|no backend .* is configured|nothing was heard", SERVICE, "WMS"),
    (r"does not know (the job|it)|does not contain useful data|file not available|there is no queue"
     r"|the spool cannot be written|stopped before it was handed", SITE, "WMS"),
)
FAULTS: tuple[Row, ...] = tuple(Row(*row) for row in (
    *_TRANSFERS, *_PROGRAM, *_CREDENTIALS, *_LIMITS, *_WRAPPER, *_NODES, *_OURS))
_COMPILED = tuple((re.compile(row.pattern, re.IGNORECASE | re.DOTALL), row) for row in FAULTS)
LONGEST = 2000
"""Characters that are looked at; what counts stands at the beginning."""


@lru_cache(maxsize=1024)
def judge(text: str) -> Judgement:
    """Owner and hope of a failure, by the words of the wrapper, the CE or the service itself."""
    shortened = text[:LONGEST]
    return next((row.judgement for pattern, row in _COMPILED if pattern.search(shortened)), UNKNOWN)


def owned(text: str) -> dict[str, str | int]:
    """The fields of an event that tells of a failure: who owns it, by which version of the table."""
    return {"fault": judge(text).owner.value, "taxonomy": VERSION} if text else {}
