"""docs/reference/events.md: the event types, their sources and fields, from wms.event and wms.seqcode."""

from __future__ import annotations

from docs.markdown import code, codes, page, table
from wms.event import EVENT_TYPES, LEVELS, MAX_FIELDS, MAX_TEXT, Event, Field
from wms.seqcode import Source

INTRODUCTION = f"""
An event has the members {codes(Event.__struct_fields__)}. `fields` are those of its type, below; those in brackets
may be missing. Times are float epoch seconds to the microsecond. `level` is one of {codes(LEVELS)}. An event has
at most {MAX_FIELDS} fields, a text at most {MAX_TEXT} bytes. What an event does to a job: [states](states.md).
"""


def text() -> str:
    types = [(str(one.code), code(one.name), ", ".join(map(_field, one.fields))) for one in EVENT_TYPES.values()]
    sources = [(str(source.code), code(source.value), source.component or "") for source in Source]
    return page("Events", "wms.event", INTRODUCTION, "## Types", table(("code", "event", "fields"), types),
                "## Sources", "A source with a counter advances it in the job's sequence code.",
                table(("code", "source", "counter"), sources))


def _field(field: Field) -> str:
    kind = "/".join(field.choices) if 0 < len(field.choices) <= 11 else "source" if field.choices else field.kind
    said = code(field.name) + ("" if kind == "string" else f" ({kind})")
    return f"[{said}]" if field.optional else said
