"""Pages in general: the form that is asked for, templates, headers that protect the reader, refusals.

Pure rendering: records and times in, pages out. What is on a page is in lb.pages.web_job, lb.pages.web_lists,
lb.pages.web_figures.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Literal

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lb.pages.wording import FAILED, clock, duration, iso, number, short, what
from lb.text import error_lines
from wms.errors import WmsError
from wms.httpd import Page
from wms.jobstatus import DoneCode, JobState, JobStatus

Form = Literal["html", "text", "json"]
FORMS: tuple[Form, ...] = ("json", "text")
REFRESH_S = 30
COLOURS = (*(state.value for state in JobState), FAILED)
"""The colours of states, in the order in which a bar shows them; a job that is Done may have failed."""


def form(query: Mapping[str, str], accept: str) -> Form:
    """The form asked for: `?json` and `?text` come before the Accept header."""
    for name in FORMS:
        if name in query:
            return name
    if "text/html" in accept:
        return "html"
    return "json" if "application/json" in accept else "text" if "text/plain" in accept else "html"


def colour(status: JobStatus) -> str:
    """The colour of a job: its state, or Failed."""
    failed = status.state is JobState.DONE and status.done_code is not DoneCode.OK
    return FAILED if failed else status.state.value


def refusal(form: Form, error: WmsError, unique: str) -> Page:
    """Why there is no page."""
    if form == "json":
        page = json_page(error.record(), error.status)
    elif form == "text":
        page = text_page(error_lines(error), error.status)
    else:
        page = html_page("refusal.html", {"error": error, "unique": unique}, status=error.status)
    return replace(page, error=error.code)


def json_page(record: object, status: int = 200) -> Page:
    """A record for programs."""
    return Page(msgspec.json.encode(record), "application/json", status, _PRIVATE)


def text_page(lines: str, status: int = 200) -> Page:
    """`key=value` lines for scripts."""
    return Page(lines.encode(), "text/plain; charset=utf-8", status, _PRIVATE)


def html_page(template: str, values: Mapping[str, Any], *, live: str | None = None, refresh: bool = False,
              every: int = REFRESH_S, status: int = 200) -> Page:
    """A page. `live` is the address of its news: the page renews itself then and `every` seconds, and if it has
    no JavaScript and is to `refresh`, every seconds too; "" has no news, None is never renewed.
    """
    common = {"live": live, "refresh": refresh, "every": every, "style": _style, "script": _script}
    body = _templates.get_template(template).render(common | dict(values))
    return Page(body.encode(), status=status, headers=_HEADERS)


_templates = Environment(
    loader=PackageLoader("lb.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    auto_reload=False)
_templates.filters.update(clock=clock, duration=duration, iso=iso, number=number, short=short, what=what)


def _constant(template: str) -> Markup:
    """A text of ours that is the same in every page."""
    return Markup(_templates.get_template(template).render(states=COLOURS))


_style, _script = _constant("style.css.html"), _constant("live.js.html")


def _source(text: str) -> str:
    """A text as the policy of a page names it: by its hash."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_PRIVATE = (("Cache-Control", "no-store"),)
_HEADERS = (
    *_PRIVATE,
    ("Content-Security-Policy",
     f"default-src 'none'; style-src {_source(_style)}; script-src {_source(_script)}; img-src data:; "
     "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
