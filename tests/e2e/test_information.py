"""`wmsd information` as an administrator types it: no daemon runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed.glue import Queue, glue13
from wms.errors import UnknownResource


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    (tmp_path / "bdii.ldif").write_text(glue13(Queue()))
    (tmp_path / "site.yaml").write_text(f"ces: [{{id: '{Queue().id}', backend: farm, queue: default}}]")
    path = tmp_path / "wms.yaml"
    path.write_text(f"{{state_dir: {tmp_path}, ce: {{farm: {{backend: local}}}}, information: "
                    f"{{files: [{tmp_path}/bdii.ldif, {tmp_path}/site.yaml]}}}}")
    return path


def wmsd(configuration: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "wms.daemon", "--config", configuration, "information", *arguments],
                          text=True, capture_output=True, timeout=60, check=False)


def test_it_says_what_would_be_known(configuration: Path) -> None:
    done = wmsd(configuration)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:5] == [Queue().id, "Production", "3", "2", "farm"]
    assert "no answer: ce farm" in done.stdout


def test_of_one_ce_it_says_where_each_attribute_comes_from(configuration: Path) -> None:
    told = json.loads(wmsd(configuration, Queue().id, "--json").stdout)
    assert {"GlueCEStateStatus": "Production"}.items() <= {one["name"]: one["value"] for one in told}.items()
    assert {one["kind"] for one in told} == {"directory"}


def test_a_ce_that_nobody_knows_is_one_sentence(configuration: Path) -> None:
    done = wmsd(configuration, "nowhere:1/q")
    assert (done.returncode, done.stdout) == (UnknownResource.exit, "")
    assert done.stderr == "wmsd: No source speaks of nowhere:1/q.\n"
