"""Does a credential outlive its job? What a user is told at the submission. Pure."""

from __future__ import annotations

from wms.lifetime import DEFAULT_NEED_S, needed_s

__all__ = ["DEFAULT_NEED_S", "needed_s", "shortfall"]


def shortfall(needed: float, remaining: float, *, renewable: bool) -> str:
    """A sentence if the credential may end before the job does, else nothing."""
    if renewable or remaining >= needed:
        return ""
    return (f"The proxy ends in {remaining / 3600:.1f} h, but the job may need {needed / 3600:.1f} h and names no "
            "MyProxyServer to renew it from: it will be killed if it is still running then.")
