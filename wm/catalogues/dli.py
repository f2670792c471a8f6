"""The Data Location Interface: one SOAP call, `listReplicas(inputDataType, inputData) -> urlList`. Pure.

RPC, encoded, namespace urn:DataLocationInterface, as its WSDL says; replicas are storage URLs or SE names.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from wms.errors import Unavailable

HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
TYPES = ("lfn", "guid", "lds", "query")
MOST_URLS = 1_000
_CALL = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">\
<SOAP-ENV:Body SOAP-ENV:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">\
<ns:listReplicas xmlns:ns="urn:DataLocationInterface">\
<inputDataType xsi:type="xsd:string">{kind}</inputDataType><inputData xsi:type="xsd:string">{name}</inputData>\
</ns:listReplicas></SOAP-ENV:Body></SOAP-ENV:Envelope>
"""


def speaks_of(name: str) -> bool:
    """Has this name a prefix that the interface knows (lfn: guid: lds: query:, or si- and one of them)?"""
    return _plain(name).partition(":")[0] in TYPES


def request(name: str) -> bytes:
    """The call for one logical name; the data goes with its prefix, as the Workload Manager always sent it."""
    plain = _plain(name)
    text = "".join(char if char.isprintable() else "?" for char in plain)
    return _CALL.format(kind=escape(plain.partition(":")[0]), name=escape(text)).encode(errors="replace")


def _plain(name: str) -> str:
    return name.removeprefix("si-")


def answer(status: int, body: bytes) -> tuple[str, ...]:
    """The replicas; Unavailable, with what the server says, for a fault or what is no answer at all."""
    if b"<!DOCTYPE" in body:
        raise Unavailable("the answer is not SOAP")
    try:
        tree = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError):
        raise Unavailable(f"the answer (status {status}) is not SOAP") from None
    fault = next(_called("faultstring", tree), None)
    if fault is not None:
        raise Unavailable(f"fault: {' '.join((fault.text or '').split())[:200]}")
    if status != 200 or next(_called("listReplicasResponse", tree), None) is None:
        raise Unavailable(f"the answer (status {status}) is not one of listReplicas")
    urls = (" ".join((item.text or "").split()) for item in _called("item", tree))
    return tuple(dict.fromkeys(url for url in urls if url))[:MOST_URLS]


def _called(name: str, tree: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return (element for element in tree.iter() if element.tag.rpartition("}")[2] == name)
