"""Storage for a suite of one's own: a directory as storage element, mounted by its CE, and a catalogue of one file.

It makes `examples/data.jdl` run. A site names its storage in the information system and its catalogues itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

CE = "{host}:2119/jobmanager-{kind}-{queue}"
FILE = "lfn:/local/points.txt"
POINTS = "".join(f"{number} {number * number}\n" for number in range(1, 11))


def settings(root: Path, host: str, kind: str, queue: str) -> Mapping[str, object]:
    """Writes the files below `root`; the section `information` of the configuration, for a CE's `kind` and `queue`."""
    data, resources, catalogue = root / "storage", root / "storage.yaml", root / "catalogue.yaml"
    data.mkdir(mode=0o700, exist_ok=True)
    (data / "points.txt").write_text(POINTS)
    ce = CE.format(host=host, kind=kind, queue=queue)
    resources.write_bytes(msgspec.yaml.encode(_resources(ce, host, str(data))))
    catalogue.write_bytes(msgspec.yaml.encode({FILE: [f"file://{host}/points.txt"]}))
    return {"files": [str(resources)], "catalogues": {"demo": {"kind": "static", "file": str(catalogue)}}}


def _resources(ce: str, se: str, mount: str) -> Mapping[str, object]:
    bound = {"GlueCESEBindGroupSEUniqueID": [se], "CloseStorageElements": [{"name": se, "mount": mount}]}
    return {"ces": [{"id": ce, "attributes": bound}],
            "ses": [{"id": se, "attributes": {"GlueSEAccessProtocolType": ["file"]}}]}
