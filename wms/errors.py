"""The error tree: every error a person can meet has a stable code, a sentence, details and a hint.

Codes are those of the field where it has one (spec: command line, error-code catalogue); `status` is the
HTTP status an operation answers with, `exit` the exit status of a command. Expected outcomes inside the
pure core are values, not exceptions; these are for what a caller must be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class WmsError(Exception):
    """Base of everything we raise on purpose. `details` holds the position or the value, JSON-able."""

    code: ClassVar[str] = "WMS_ERROR"
    status: ClassVar[int] = 500
    exit: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def record(self) -> dict[str, Any]:
        """The form in which it crosses the network: `{code, message, hint, details}`."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}


class Refused(WmsError):
    """The caller's fault: the same call will fail again."""

    code = "UI_ARG_MISMATCH"
    status = 400


class Unavailable(WmsError):
    """Nobody's fault for ever: the same call may succeed later."""

    code = "NS_NOT_AVAILABLE"
    status = 503


class ConfigError(WmsError):
    """The configuration cannot be used; the message holds all problems, one a line."""

    code = "UI_CONFIG_ATTRIBUTE"
    exit = 2


# -- what is wrong with a request ------------------------------------------------------------------------


class BadJobId(Refused):
    code = "UI_WRONG_JOBID_FORMAT"


class BadSequenceCode(Refused):
    code = "LB_SEQUENCE_CODE_FORMAT"


class BadEvent(Refused):
    code = "LB_EVENT_FORMAT"


class JdlError(Refused):
    """A job description that cannot be read or used; `problems` are all of them, in order of position."""

    code = "UI_JDL_WRONG_SYNTAX"


class JdlInvalid(JdlError):
    code = "UI_JDL_BAD_RELATION"


class SandboxFileMissing(Refused):
    code = "UI_JDL_NO_AVAIL_FILE"


class SandboxTooLarge(Refused):
    code = "NS_SANDBOX_TOO_LARGE"
    status = 413


class SandboxPathRefused(Refused):
    code = "NS_SANDBOX_PATH"


class ChecksumMismatch(Refused):
    code = "NS_FILE_TRANSFER"
    status = 422


class UnknownResource(Refused):
    code = "UI_WRONG_RESOURCE_ID"
    status = 404


class NoSuchJob(Refused):
    code = "NS_NO_SUCH_JOB"
    status = 404


class JobPurged(Refused):
    code = "LB_JOB_PURGED"
    status = 410


class CancelNotAllowed(Refused):
    code = "NS_JOB_CANCEL_NOT_ALLOWED"
    status = 409


class OutputNotReady(Refused):
    code = "NS_JOB_OUTPUT_NOT_READY"
    status = 409


class OutputNotAllowed(Refused):
    code = "NS_JOB_OUTPUT_NOT_ALLOWED"
    status = 409


class OutputRetrieved(Refused):
    code = "NS_JOB_OUTPUT_RETRIEVED"
    status = 409


class NotAllowedNow(Refused):
    code = "NS_OPERATION_NOT_ALLOWED"
    status = 409


class IdempotencyConflict(Refused):
    code = "NS_IDEMPOTENCY_KEY_REUSED"
    status = 409


class BadRequest(Refused):
    """Not a request of HTTP/1.1, or only a part of one."""

    code = "NS_BAD_REQUEST"


class RequestTooSlow(Refused):
    """A request that does not end."""

    code = "NS_REQUEST_TOO_SLOW"
    status = 408


# -- who is asking ---------------------------------------------------------------------------------------


class Unauthenticated(Refused):
    code = "NS_AUTHENTICATION"
    status = 401


class NotAuthorized(Refused):
    code = "NS_NOT_OWNER"
    status = 403


class BadCredential(Refused):
    """A certificate, proxy or token that is not acceptable."""

    code = "UI_PROXY_INVALID"
    status = 401


class CredentialExpired(BadCredential):
    code = "UI_PROXY_EXPIRED"


class CredentialNotYetValid(BadCredential):
    code = "WMS_PROXY_NOT_YET_VALID"


class CredentialRevoked(BadCredential):
    """A certificate of the chain is on its authority's revocation list."""

    code = "WMS_PROXY_REVOKED"


class RevocationUnknown(BadCredential):
    """The revocation list of an authority is missing, too old or forged."""

    code = "WMS_CRL_UNUSABLE"


class SigningPolicyViolated(BadCredential):
    """The authority signed a name that its signing policy does not let it sign."""

    code = "WMS_SIGNING_POLICY"


class LegacyProxy(BadCredential):
    """A proxy from before RFC 3820."""

    code = "WMS_PROXY_LEGACY"


class ProxyRuleBroken(BadCredential):
    """A chain that breaks a rule of RFC 3820: path length, names, key usage, policies."""

    code = "WMS_PROXY_RULES"


class LimitedProxy(BadCredential):
    """A limited proxy where a full one is needed."""

    code = "WMS_PROXY_LIMITED"
    status = 403


class BadAttributes(BadCredential):
    """A VOMS attribute certificate that is not acceptable."""

    code = "WMS_VOMS_INVALID"


class AttributesExpired(BadAttributes):
    code = "WMS_VOMS_EXPIRED"


class AttributesUntrusted(BadAttributes):
    """Signed by nobody whom vomsdir names for this VO, or not for this holder or host."""

    code = "WMS_VOMS_UNTRUSTED"


class AttributesRefused(Refused):
    """A VOMS server does not give what it is asked for; the message has its words."""

    code = "UI_NO_VOMS"


class BadToken(BadCredential):
    """A token that is malformed, forged or of an issuer who is not trusted here."""

    code = "WMS_TOKEN_INVALID"


class TokenExpired(BadToken):
    code = "WMS_TOKEN_EXPIRED"


class TokenNotYetValid(BadToken):
    code = "WMS_TOKEN_NOT_YET_VALID"


class TokenIssuerUnknown(BadToken):
    code = "WMS_TOKEN_ISSUER"


class TokenKeyUnknown(BadToken):
    """None of the issuer's keys has the id that the token names."""

    code = "WMS_TOKEN_KEY"


class TokenAudience(BadToken):
    """The token was issued for somebody else."""

    code = "WMS_TOKEN_AUDIENCE"


class SealBroken(WmsError):
    """A credential at rest that cannot be opened."""

    code = "WMS_SEAL_BROKEN"


class CredentialNotFound(BadCredential):
    code = "UI_PROXY_NOT_FOUND"


class CredentialTooShort(BadCredential):
    code = "UI_PROXY_DURATION"


class TokenNotFound(BadToken):
    code = "WMS_TOKEN_NOT_FOUND"


class TokenTooShort(BadToken):
    code = "WMS_TOKEN_DURATION"


class TokenWithheld(BadToken):
    """A token is not sent to a service that neither the configuration nor the token itself names."""

    code = "WMS_TOKEN_WITHHELD"


class UntrustedCredential(BadCredential):
    code = "UI_PROXY_UNTRUSTED"


class Banned(NotAuthorized):
    """On a ban list."""

    code = "WMS_BANNED"


class Forbidden(NotAuthorized):
    """No rule of the policy allows it, or one denies it."""

    code = "WMS_POLICY"


class ScopeMissing(NotAuthorized):
    """The token does not carry the scope that the action needs (WLCG profile: compute.*)."""

    code = "WMS_TOKEN_SCOPE"


class CapabilityMisused(NotAuthorized):
    """A capability token of another job or attempt."""

    code = "WMS_CAPABILITY_FOREIGN"


class ForeignPage(NotAuthorized):
    """A page of another site wants to act by the certificate of its reader's browser."""

    code = "NS_FOREIGN_PAGE"


class DelegationMismatch(UntrustedCredential):
    """A delegated credential that belongs to somebody else, or carries other attributes than the caller's."""

    code = "WMS_DELEGATION_FOREIGN"


class DelegationReplayed(Refused):
    """A chain for a signing request that was answered before, or never made."""

    code = "WMS_DELEGATION_REPLAYED"
    status = 409


class Draining(Unavailable):
    """The service takes no new jobs for now; what it has goes on."""

    code = "NS_DRAINING"


class DelegationNeeded(Refused):
    """No usable delegated credential of the caller is here: delegate, then repeat the call."""

    code = "NS_DELEGATION_NEEDED"
    status = 428


# -- who is not there ------------------------------------------------------------------------------------


class NoServer(Unavailable):
    code = "UI_NO_NS_CONTACT"


class NoBookkeeping(Unavailable):
    code = "LB_API_OPEN"


class TimedOut(Unavailable):
    code = "NS_TIMEOUT"
    status = 504


class Overloaded(Unavailable):
    code = "NS_SERVER_BUSY"


class NotFound(Refused):
    code = "NS_NOT_FOUND"
    status = 404


class WrongMethod(NotFound):
    """There is something at this path, but not for this method."""

    status = 405


class TooManyResults(Refused):
    code = "LB_TOO_MANY_RESULTS"


class NoIndex(Refused):
    """A query that would look at every job (1416 of the original)."""

    code = "LB_NO_INDEX"


class JobExists(Refused):
    """An exclusive registration of a job that is or was here (EEXIST)."""

    code = "LB_JOB_EXISTS"
    status = 409


class NothingFound(NotFound):
    """A query without a single job in its answer (ENOENT)."""

    code = "LB_NOTHING_FOUND"


class NoSuchNotification(NotFound):
    """No such registration, or its time is over."""

    code = "LB_NO_SUCH_NOTIFICATION"


class NotPermitted(Refused):
    """The server's policy does not permit this action to the caller (EPERM)."""

    code = "LB_NOT_PERMITTED"
    status = 403


class RemoteError(WmsError):
    """An error that another party reported; keeps its code, status, hint and details."""

    def __init__(self, record: Mapping[str, Any], status: int) -> None:
        super().__init__(str(record.get("message", "no message")), hint=str(record.get("hint", "")),
                         **dict(record.get("details") or {}))
        self.code = str(record.get("code", "WMS_ERROR"))  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


def every_error() -> list[type[WmsError]]:
    """All classes of the tree, for the generated reference."""
    found, todo = [], [WmsError]
    while todo:
        cls = todo.pop()
        found.append(cls)
        todo.extend(cls.__subclasses__())
    return sorted(found, key=lambda c: (c.code, c.__name__))
