"""Why a job is not running, as a user asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import Deployment
from people import Person, owner

NOWHERE = 'Executable = "/bin/true"; Requirements = other.GlueCEInfoTotalCPUs > 100000;'
SENTENCE = "No match among 1 CE: without `other.GlueCEInfoTotalCPUs > 100000`: 1 more CE."


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("reasons") / "wms") as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    return owner(service, service.directory / "home")


def test_status_says_it_and_json_has_the_figures(user: Person) -> None:
    job = user.submits(NOWHERE)
    assert f"\nWhy not running:    {SENTENCE}\n" in user.sees("job-status", job).out
    assert "Why not" not in user.sees("job-status", "-v", "0", job).out
    detail = user.sees("job-status", "--json", job).document["jobs"][job]["reason_detail"]
    assert (detail["code"], detail["job"], detail["sentence"]) == ("no_match", job, SENTENCE)
    user.sees("job-cancel", "--noint", job)
    user.sees("job-status", "--watch", job)
    assert "Why not" not in user.sees("job-status", job).out


def test_list_match_explains_by_the_same_function(user: Person) -> None:
    (user.home / "nowhere.jdl").write_text(NOWHERE)
    out = user.sees("job-list-match", "--explain", "nowhere.jdl").out
    assert "       1        0  `other.GlueCEInfoTotalCPUs > 100000`\n" in out
    assert "Without `other.GlueCEInfoTotalCPUs > 100000`: 1 more CE.\n" in out
    assert "Without" not in user.sees("job-list-match", "nowhere.jdl").out


def test_what_is_impossible_is_said_at_submission(user: Person) -> None:
    (user.home / "never.jdl").write_text('Executable = "/bin/true"; Requirements = other.GlueCEStateFreeCPU > 3;')
    told = user.sees("job-submit", "never.jdl")
    assert "did you mean GlueCEStateFreeCPUs?" in told.err
