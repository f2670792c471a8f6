"""`python -m docs [DIR]`: write all references and manual pages below DIR (default: this folder)."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from docs import attributes, commands, errors, events, faults, operations, reasons, refusals, settings, states
from wms.openapi import document

REFERENCES = {
    "settings": settings.text, "operations": operations.text, "errors": errors.text, "events": events.text,
    "states": states.text, "jdl-attributes": attributes.text, "commands": commands.text, "faults": faults.text,
    "reasons": reasons.text, "refusals": refusals.text,
}


def texts() -> dict[str, str]:
    """Every generated file by its path below the folder of documentation."""
    found = {f"reference/{name}.md": text() for name, text in REFERENCES.items()}
    found["reference/openapi.json"] = msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"
    return found | {f"man/{path}": text for path, text in commands.manuals().items()}


def write(directory: Path) -> list[Path]:
    """Write them; the paths written."""
    written = []
    for name, text in texts().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent):
        print(path)
