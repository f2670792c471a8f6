"""What a refusal tells a client that bears tokens: the WWW-Authenticate header (RFC 6750, 3)."""

from __future__ import annotations

from wms.errors import BadToken, ScopeMissing, WmsError

REALM = 'Bearer realm="wms"'


def challenge(error: WmsError) -> str:
    """The header's value; empty for a refusal that has nothing to do with tokens."""
    match error:
        case BadToken():
            return f'{REALM}, error="invalid_token", error_description="{_quoted(error.message)}"'
        case ScopeMissing():
            scope = error.details.get("scope")
            more = f', scope="{_quoted(str(scope))}"' if scope else ""
            return f'{REALM}, error="insufficient_scope", error_description="{_quoted(error.message)}"{more}'
        case WmsError(status=401):
            return REALM
        case _:
            return ""


def _quoted(text: str) -> str:
    """Only what the grammar of the header allows in quotes (RFC 6750, 3)."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)
