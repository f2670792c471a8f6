"""Jobs with data, from submission to the worker node: where they go, what they are told, why they wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.suite.world import World
from wms.operations import ListMatchRequest

NEAR, FAR = "near.example.org:8443/jobmanager-hand-q", "far.example.org:8443/jobmanager-hand-q"
RESOURCES = f"""
ces:
  - id: {NEAR}
    backend: hand
    attributes: {{GlueCEStateStatus: Production, GlueCEStateEstimatedResponseTime: 900,
                 GlueCESEBindGroupSEUniqueID: [se.example.org],
                 CloseStorageElements: [{{name: se.example.org, mount: /data}}]}}
  - id: {FAR}
    backend: hand
    attributes: {{GlueCEStateStatus: Production, GlueCEStateEstimatedResponseTime: 1,
                 GlueCESEBindGroupSEUniqueID: [small.example.org]}}
ses:
  - id: se.example.org
    attributes: {{GlueSEAccessProtocolType: [gsiftp, file], GlueSEAccessProtocolPort: [2811, 0],
                 GlueSAStateAvailableSpace: 5000}}
  - id: small.example.org
    attributes: {{GlueSEAccessProtocolType: [gsiftp], GlueSAStateAvailableSpace: 500}}
"""
READS = 'Executable = "/bin/true"; InputData = {"lfn:/grid/x"}; DataAccessProtocol = {"file", "gsiftp"};'
OURS = 'Requirements = RegExp("hand-q", other.GlueCEUniqueID) && isList(other.GlueCESEBindGroupSEUniqueID);'


@dataclass
class Stocked(World):
    """A world with storage elements and a catalogue in a file."""

    catalogue: str = ""

    def born(self) -> None:
        settings, catalogues = self.settings, {"own": {"kind": "static", "file": self.catalogue}}
        information = msgspec.structs.replace(settings.information, catalogues=catalogues)
        self.settings = msgspec.structs.replace(settings, information=information)
        super().born()

    def going(self, jdl: str) -> str:
        """The CE that a job is sent to."""
        return str(self.status(self.submit(jdl))["destination"])

    def matching(self, jdl: str) -> list[str]:
        return [one.ce for one in self.call("ns.list_match", ListMatchRequest(jdl)).ces]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.yaml"
    path.write_text("lfn:/grid/x: [srm://se.example.org/data/x]")
    return path


@pytest.fixture
def stocked(tmp_path: Path, files: Path) -> Iterator[Stocked]:
    resources = tmp_path / "resources.yaml"
    resources.write_text(RESOURCES)
    world = Stocked(tmp_path, files=(str(resources),), catalogue=str(files))
    yield world
    world.close()


# -- close storage ---------------------------------------------------------------------------------------


def test_requirements_on_close_storage_elements(stocked: Stocked) -> None:
    wants = ('Executable = "/bin/true"; '
             'Requirements = anyMatch(other.storage.CloseSEs, target.GlueSAStateAvailableSpace > 1000);')
    assert stocked.matching(wants) == [NEAR]
    assert stocked.going(wants) == NEAR
    job = stocked.submit(wants.replace("1000", "100000"))
    assert "target.GlueSAStateAvailableSpace > 100000)`" in stocked.status(job)["reason"]


def test_a_job_goes_to_a_ce_bound_to_its_output_se(stocked: Stocked) -> None:
    wants = 'Executable = "/bin/true"; OutputSE = "{}";'
    assert stocked.matching(wants.format("se.example.org")) == [NEAR]
    assert stocked.going(wants.format("se.example.org")) == NEAR
    assert stocked.going(wants.format("small.example.org")) == FAR
    job = stocked.submit(wants.format("unknown.example.org"))
    assert stocked.state(job) == "Waiting"
    assert "output SE" in stocked.status(job)["reason"]


# -- input data ------------------------------------------------------------------------------------------


def test_a_job_goes_where_its_data_is(stocked: Stocked) -> None:
    assert stocked.going('Executable = "/bin/true";' + OURS) == FAR
    assert stocked.matching(READS) == [NEAR]
    assert stocked.going(READS) == NEAR


def test_the_cheapest_access_wins(stocked: Stocked, files: Path) -> None:
    files.write_text("lfn:/grid/x: {urls: [se.example.org], size: 10}\n"
                     "lfn:/grid/y: {urls: [small.example.org], size: 9}")
    both = READS.replace('"lfn:/grid/x"', '"lfn:/grid/x", "lfn:/grid/y"') + "Rank = other.DataAccessCost;"
    assert stocked.matching(both) == [NEAR, FAR]


def test_the_job_is_told_of_its_match(stocked: Stocked) -> None:
    job = stocked.submit(READS)
    script = stocked.ce.jobs[stocked.token(job)].script
    for text in (f'name = "{NEAR}"', '"srm://se.example.org/data/x"', 'mount = "/data"', "wms_broker_info\n"):
        assert text in script


def test_a_job_that_names_its_ce_is_told_nothing(stocked: Stocked) -> None:
    job = stocked.submit(f'Executable = "/bin/true"; SubmitTo = "{FAR}";')
    assert "wms_broker_info" not in stocked.ce.jobs[stocked.token(job)].script


def test_a_file_that_is_known_nowhere_keeps_no_job_waiting(stocked: Stocked) -> None:
    assert stocked.state(stocked.submit(READS.replace("grid/x", "lost"))) == "Scheduled"


def test_a_job_without_access_waits_for_a_replica(stocked: Stocked, files: Path) -> None:
    files.write_text("lfn:/grid/x: [srm://elsewhere.example.org/x]")
    job = stocked.submit(READS)
    assert stocked.state(job) == "Waiting"
    assert "no access to lfn:/grid/x" in stocked.status(job)["reason"]
    files.write_text("lfn:/grid/x: [srm://se.example.org/x]")
    stocked.advance(330)
    assert stocked.status(job)["destination"] == NEAR


def test_a_catalogue_that_fails_is_a_reason_to_wait_and_never_the_end(stocked: Stocked, files: Path) -> None:
    told = files.read_text()
    files.unlink()
    job = stocked.submit(READS)
    assert stocked.state(job) == "Waiting"
    assert "catalogue own: " in stocked.status(job)["reason"]
    assert stocked.matching(READS) == []
    files.write_text(told)
    stocked.advance(60)
    assert stocked.status(job)["destination"] == NEAR


def test_data_is_found_by_the_service_that_follows(stocked: Stocked, files: Path) -> None:
    told = files.read_text()
    files.unlink()
    job = stocked.submit(READS)
    stocked.reborn()
    files.write_text(told)
    stocked.advance(60)
    assert stocked.status(job)["destination"] == NEAR


# -- output data -----------------------------------------------------------------------------------------


def test_output_data_goes_to_the_close_se(stocked: Stocked) -> None:
    job = stocked.submit('Executable = "/bin/true"; OutputSE = "se.example.org"; '
                         'OutputData = [OutputFile = "out.dat"; LogicalFileName = "lfn:/grid/out"];')
    unique = job.rsplit("/", 1)[-1]
    script = stocked.ce.jobs[stocked.token(job)].script
    assert f"'file://se.example.org/data/generated/{unique}/out.dat'" in script
    assert f"DSUpload_{unique}.out" in script
