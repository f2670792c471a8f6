"""What `wms ce list --ldif` prints goes into a real directory with the GLUE 2.0 schema, and comes back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.core.test_glue2 import SHORT, record
from wm.supply import directory
from wm.supply.purchasers import files
from wms.ce.glue2 import entities, ldif


def test_a_directory_takes_it_and_gives_it_back(start: Callable[..., dict[str, str]], free_port: int,
                                                tmp_path: Path) -> None:
    bdii = start("bdii", BDII_PORT=str(free_port))
    told = [record(GlueHostApplicationSoftwareRunTimeEnvironment=["MPICH", 'a, "b" + c=<d>; e\\f #ü'],
                   GlueCEPolicyPreemption=1, WmsSuccessRate=0.98, GlueCECapability=["CPUScalingReferenceSI00=2000"]),
            {"GlueCEUniqueID": "bare.example.org:2119/jobmanager-fork-q"}, record(SHORT, GlueCEName="other")]
    path = tmp_path / "glue2.ldif"
    path.write_text(ldif(entities(told)))
    added = subprocess.run(["ldapadd", "-x", "-H", bdii["BDII_URL"], "-D", "o=glue", "-w", bdii["BDII_PASSWORD"], "-f",
                            path], capture_output=True, text=True, timeout=60, check=False)
    assert (added.returncode, added.stderr) == (0, "")
    back = files.directory(directory.ask(bdii["BDII_GLUE2"], 20), "x")
    (one,) = back.purchase.ces
    assert one.id == told[0]["GlueCEUniqueID"]
    assert one.attributes["GlueCEStateFreeJobSlots"] == 3
    assert {tag for ce in told for tag in ce.get("GlueHostApplicationSoftwareRunTimeEnvironment", ())} == set(
        one.attributes["GlueHostApplicationSoftwareRunTimeEnvironment"])
