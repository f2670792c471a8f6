"""Getting, renewing and giving up a token: the flows of OAuth for people (device code) and for robots (client secret).

What is kept of a login is in one private file; where tokens are and what they say is `clients.tokens`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from clients import private_files, tokens
from clients.credential import CA_DIR, Credential
from clients.token_issuer import Issuer, IssuerRefused, IssuerUnreachable, discover
from wms.clienttls import public_context
from wms.errors import BadToken, ConfigError, TokenExpired

SCOPE = "compute.read compute.create compute.modify compute.cancel offline_access"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
INTERVAL_S, SLOWER_S, LONGEST_INTERVAL_S = 5.0, 5.0, 60.0
LONGEST_LOGIN_S = 1800.0
_TEXTS = ("issuer", "client_id", "scope", "audience", "token_file", "refresh_token", "secret_file")


@dataclass(frozen=True, slots=True)
class Login:
    """Where a token came from, and how the next one is got: by a refresh token, or by the secret in a file.

    `rotates`: does the issuer give a new refresh token each time, so that it cannot be shared? None: not known yet.
    """

    issuer: str
    client_id: str
    scope: str = SCOPE
    audience: str = ""
    token_file: str = ""
    refresh_token: str = field(default="", repr=False)
    secret_file: str = ""
    rotates: bool | None = None

    def form(self, grant: str, **more: str) -> dict[str, str]:
        """The form of a token request."""
        return {"grant_type": grant, "client_id": self.client_id} | more | (
            {"audience": self.audience} if self.audience else {})


@dataclass(frozen=True, slots=True)
class Prompt:
    """What somebody has to do at a browser within `expires_s`; the code for us is not printed."""

    url: str
    user_code: str
    complete_url: str
    device_code: str = field(repr=False)
    interval_s: float = INTERVAL_S
    expires_s: float = LONGEST_LOGIN_S


def context_of(environment: Mapping[str, str]) -> Any:
    """TLS for issuers: authorities of this system and those of X509_CERT_DIR."""
    return public_context(environment.get("X509_CERT_DIR") or CA_DIR)


# -- logging in ------------------------------------------------------------------------------------------


def begin(issuer: Issuer, login: Login) -> Prompt:
    """Ask for a login at a device."""
    form = {"client_id": login.client_id, "scope": login.scope}
    reply = issuer.device(form | ({"audience": login.audience} if login.audience else {}))
    try:
        return Prompt(_shown(reply["verification_uri"]), _shown(reply["user_code"]),
                      _shown(reply.get("verification_uri_complete") or ""), str(reply["device_code"]),
                      min(max(0.0, float(reply.get("interval") or INTERVAL_S)), LONGEST_INTERVAL_S),
                      min(max(0.0, float(reply.get("expires_in") or 0)), LONGEST_LOGIN_S))
    except (KeyError, TypeError, ValueError):
        raise IssuerUnreachable(f"{issuer.url} did not say how to log in.") from None


def _shown(text: object) -> str:
    """Text of a stranger, for a terminal."""
    return "".join(char for char in str(text)[:2000] if char.isprintable())


def wait(issuer: Issuer, login: Login, prompt: Prompt, clock: Callable[[], float],
         sleep: Callable[[float], None]) -> dict[str, Any]:
    """Poll until somebody has approved; the reply of the token endpoint. Ends when the code does (RFC 8628, 3.5)."""
    ends, interval = clock() + prompt.expires_s, prompt.interval_s
    form = login.form(DEVICE, device_code=prompt.device_code)
    while clock() < ends:
        sleep(interval)
        try:
            return issuer.token(form)
        except IssuerUnreachable:
            interval = min(2 * interval, LONGEST_INTERVAL_S)
        except IssuerRefused as refused:
            if refused.details.get("error") == "slow_down":
                interval += SLOWER_S
            elif refused.details.get("error") != "authorization_pending":
                raise _told(refused) from None
    raise TokenExpired("Nobody approved the login in time.", hint="Begin again: wms login.")


def _told(refused: IssuerRefused) -> BadToken:
    sentences = {"access_denied": "The login was denied.", "expired_token": "The login's code has expired."}
    word = str(refused.details.get("error"))
    return IssuerRefused(sentences[word], hint="Begin again: wms login.", error=word) if word in sentences else refused


def as_robot(issuer: Issuer, login: Login) -> dict[str, Any]:
    """A token for a program, by the secret of its client."""
    scope = " ".join(word for word in login.scope.split() if word != "offline_access")
    return issuer.token(login.form("client_credentials", scope=scope), secret(login.secret_file))


def secret(path: str) -> str:
    """A client's secret, from a file that nobody else can read."""
    try:
        content = private_files.read(path)
    except OSError as error:
        raise ConfigError(f"The file of the client's secret cannot be read: {path}: {error.strerror}") from None
    if content.mode & 0o077:
        raise ConfigError(f"The file of the client's secret can be read by others (mode {content.mode:04o}).",
                          hint=f"chmod 600 {path}")
    return content.data.decode("utf-8", "replace").strip()


# -- what is kept ----------------------------------------------------------------------------------------


def home(environment: Mapping[str, str]) -> str:
    """The path of the file about the login."""
    state = environment.get("XDG_STATE_HOME")
    return f"{state}/wms/login.json" if state else f"{environment.get('HOME') or os.path.expanduser('~')}" \
                                                   "/.config/wms/login.json"


def kept(environment: Mapping[str, str]) -> Login | None:
    """The login, None when there is none of this user's own; BadToken for a file that cannot be read."""
    path = home(environment)
    try:
        content = private_files.read(path)
        found = json.loads(content.data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        raise BadToken(f"The record of your login cannot be read: {path}", hint="Begin again: wms login.") from None
    if content.owner != os.getuid() or not isinstance(found, dict):
        return None
    texts = {name: str(found.get(name, "")) for name in _TEXTS}
    rotates = found.get("rotates")
    return Login(**texts, rotates=rotates if isinstance(rotates, bool) else None)


def keep(reply: Mapping[str, Any], login: Login, environment: Mapping[str, str]) -> Login:
    """Write the token of a reply to its place and the login beside; the login as it is now."""
    token = reply.get("access_token")
    if not isinstance(token, str):
        raise IssuerUnreachable(f"{login.issuer} answered without a token.")
    tokens.claims(token)
    renewal = reply.get("refresh_token")
    if isinstance(renewal, str) and renewal:
        login = replace(login, refresh_token=renewal)
    path = home(environment)
    private_files.make_home(path)
    private_files.replace(path, json.dumps(asdict(login)).encode())
    private_files.replace(login.token_file, token.encode() + b"\n")
    return login


def forget(environment: Mapping[str, str], token_file: str) -> list[str]:
    """Remove the token and what renews it; the paths of what was there."""
    login = kept(environment)
    files = {home(environment), token_file} | ({login.token_file} if login and login.token_file else set())
    return [path for path in sorted(files) if private_files.remove(path)]


# -- renewing --------------------------------------------------------------------------------------------


def renewable(environment: Mapping[str, str], path: str) -> bool:
    """Is the token at `path` of a login that can get another?"""
    if not path or not os.path.exists(home(environment)):
        return False
    login = kept(environment)
    return login is not None and login.token_file == path and bool(login.refresh_token or login.secret_file)


def renew(environment: Mapping[str, str], is_done: Callable[[], bool] = lambda: False) -> Login:
    """Put a fresh token in the place of the old one; raises what the issuer says.

    One command at a time, as a refresh token may be good for once: `is_done` is asked when it is our turn.
    """
    with _alone(environment):
        login = kept(environment)
        if login is None:
            raise BadToken("There is no login to renew.", hint="Begin one: wms login.")
        return login if is_done() else _renewed(login, environment)


@contextmanager
def _alone(environment: Mapping[str, str]) -> Iterator[None]:
    """The directory of the record is locked, so that nothing is left behind."""
    try:
        descriptor = os.open(os.path.dirname(home(environment)), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BadToken(f"The record of your login cannot be read: {error.strerror}",
                       hint="Begin again: wms login.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _renewed(login: Login, environment: Mapping[str, str]) -> Login:
    issuer = discover(login.issuer, context_of(environment))
    if not login.refresh_token:
        return keep(as_robot(issuer, login), login, environment)
    word = secret(login.secret_file) if login.secret_file else ""
    reply = issuer.token(login.form("refresh_token", refresh_token=login.refresh_token), word)
    rotates = (reply.get("refresh_token") or login.refresh_token) != login.refresh_token
    return keep(reply, replace(login, rotates=rotates), environment)


def shareable(credential: Credential, environment: Mapping[str, str]) -> tuple[str, str]:
    """(refresh token, client) that the service may use as well, or two empty texts.

    Only of a public client, and not when the issuer takes each refresh token once: two users of one would lock each
    other out. Whether it does is tried here.
    """
    if not renewable(environment, credential.path):
        return "", ""
    login = kept(environment)
    said = tokens.claims(credential.token)
    if login is None or not login.refresh_token or login.secret_file or said.get("iss") != login.issuer:
        return "", ""
    if login.rotates is None:
        login = renew(environment)
    return ("", "") if login.rotates else (login.refresh_token, login.client_id)
