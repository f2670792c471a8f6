"""What a VOMS server is asked and what it answers, as bytes: its HTTP interface and its older commands.

Sending and receiving is `wms.voms_asking`. Requests hold nothing but checked names, answers are searched, not parsed:
old servers put raw text into their XML.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Sequence

from wms.errors import AttributesRefused, BadAttributes, Unavailable
from wms.voms import certificate, fqans
from wms.voms.vomses import VomsServer

_AC = re.compile(rb"<ac>([A-Za-z0-9+/=\s]*)</ac>")
_MESSAGE = re.compile(rb"<message>(.*?)</message>", re.DOTALL)
_LONGEST_MESSAGE = 500


def http_request(server: VomsServer, wanted: Sequence[str], lifetime_s: float) -> bytes:
    """The GET of voms-server from 2.0 on and of INDIGO IAM; nothing is escaped, as servers do not undo it."""
    names = ",".join(fqans.normal(text) for text in wanted)
    asked = f"lifetime={lifetime_s:.0f}" + (f"&fqans={names}" if names else "")
    return (f"GET /generate-ac?{asked} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nUser-Agent: wms\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n").encode()


def command_request(server: VomsServer, wanted: Sequence[str], lifetime_s: float) -> bytes:
    """The commands that every voms-server understands; they follow a single `0`, which declines a delegation."""
    commands = [_command(fqans.parse(text)) for text in wanted] or [_command(fqans.Fqan(f"/{server.vo}"))]
    return ('<?xml version="1.0" encoding = "US-ASCII"?><voms>'
            + "".join(f"<command>{command}</command>" for command in commands)
            + f"<lifetime>{lifetime_s:.0f}</lifetime><base64>1</base64><version>4</version></voms>").encode()


def _command(fqan: fqans.Fqan) -> str:
    """G for a group, B for a group with a role."""
    return f"B{fqan.group}:{fqan.role}" if fqan.role else f"G{fqan.group}"


def answered(server: VomsServer, body: bytes) -> bytes:
    """The attribute certificate (DER) of an answer of either kind.

    AttributesRefused has the server's words; Unavailable when it says nothing that can be understood.
    """
    found = _AC.search(body)
    blob = _decoded(found[1]) if found else b""
    if blob[:1] == b"\x30":
        return _of_the_vo(server, blob)
    words = [html.unescape(text.decode("utf-8", "replace")) for text in _MESSAGE.findall(body)]
    said = "; ".join(" ".join(word.split()) for word in words)[:_LONGEST_MESSAGE]
    if not said:
        raise Unavailable(f"the VOMS server {server.host}:{server.port} gives an answer that cannot be understood")
    raise AttributesRefused(f"The VOMS server {server.host}:{server.port} refuses: {said}", vo=server.vo, said=said)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""


def _of_the_vo(server: VomsServer, blob: bytes) -> bytes:
    try:
        vo = certificate.read(blob).vo
    except BadAttributes as error:
        raise Unavailable(f"the VOMS server {server.host}:{server.port}: {error.message}") from error
    if vo != server.vo:
        raise Unavailable(f"the server {server.host}:{server.port} speaks for the VO {vo}, not for {server.vo}")
    return blob
