"""The part of a job wrapper that tells a job where the software of its VO is: CVMFS repositories that a node has.

In the text only when the service knows repositories of the VO. Not here: how they come to be mounted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobadapter.shell import quoted

__all__ = ["directory_variable", "software"]


def directory_variable(vo: str) -> str:
    """The variable with the software directory of a VO, as grids name it: VO_VO_EXAMPLE_ORG_SW_DIR."""
    return f"VO_{re.sub(r'[^A-Z0-9]', '_', vo.upper())}_SW_DIR"


def software(vo: str, repositories: Sequence[str]) -> list[str]:
    """A section that sets the variables for the first repository that is there; empty without any."""
    if not repositories:
        return []
    variable = directory_variable(vo)
    return [f"""
# --- software of the VO --------------------------------------------------------------------------------
for wms_name in {" ".join(map(quoted, repositories))}; do
    if [ -d "${{CVMFS_MOUNT_DIR:-/cvmfs}}/$wms_name/." ]; then
        export CVMFS_MOUNT_DIR="${{CVMFS_MOUNT_DIR:-/cvmfs}}"
        export {variable}="${{{variable}:-$CVMFS_MOUNT_DIR/$wms_name}}"
        break
    fi
done
"""]
