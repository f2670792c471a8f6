"""Jobs with input data go where their files are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name

from tests.examples import examples
from wm.matching.data import Holdings, holdings, named, ranks_by_cost
from wm.matching.matchmaker import MOST_DATA, NO_MATCH, Matches, Tally, match, why
from wm.matching.replicas import NOTHING, Question, Replicas, files_of, questions
from wm.matching.request import Request
from wm.matching.storage import Protocol, close, host_of, protocols
from wm.supply.purchasers import Entry
from wm.supply.supermarket import Snapshot
from wms.jdl.parser import parse_expression
from wms.jdl.values import prepare

GSIFTP = {"GlueSEAccessProtocolType": ["gsiftp"], "GlueSEAccessProtocolPort": [2811]}
SES = tuple(Entry(f"se{n}.org", {**GSIFTP, "GlueSEName": "disk"}) for n in range(3))


def reads(*files: str, requirements: str = "true", rank: str = "0", protocol: str = '"gsiftp"', more: str = "",
          replicas: Replicas = NOTHING, previous: tuple[str, ...] = ()) -> Request:
    listed = ", ".join(f'"{file}"' for file in files)
    text = f"InputData = {{{listed}}}; DataAccessProtocol = {{{protocol}}}; {more}"
    return replace(job(requirements, rank, more=text, previous=previous), replicas=replicas)


def near(id: str, *ses: str, **glue: object) -> Entry:
    return ce(id, GlueCESEBindGroupSEUniqueID=[f"{se}.org" for se in ses], **glue)


def at(**places: tuple[str, ...]) -> Replicas:
    """Files lfn:/NAME, each on these SEs."""
    return Replicas(tuple((f"lfn:/{file}", tuple(f"srm://{se}.org/{file}" for se in ses))
                          for file, ses in places.items()))


def names(matches: Matches) -> list[str]:
    return [one.ce.id.partition(".")[0] for one in matches.ranked]


def matched(request: Request, *ces: Entry) -> list[str]:
    return names(match(request, market(*ces, ses=SES)))


# -- where a job goes ------------------------------------------------------------------------------------


def test_a_job_goes_to_a_ce_that_is_close_to_its_file() -> None:
    request = reads("lfn:/x", replicas=at(x=("se1",)))
    assert matched(request, near("a", "se0"), near("b", "se0", "se1"), near("c")) == ["b"]


def test_case_of_se_names_does_not_matter() -> None:
    here = market(ce("a", GlueCESEBindGroupSEUniqueID=["SE1.Org"]), ses=(Entry("Se1.org", GSIFTP),))
    assert names(match(reads("lfn:/x", replicas=at(x=("SE1",))), here)) == ["a"]


def test_the_ces_with_the_most_files_are_kept_whatever_their_rank() -> None:
    request = reads("lfn:/x", "lfn:/y", rank="other.r", replicas=at(x=("se0",), y=("se1",)))
    one, both, other = near("a", "se0", r=9), near("b", "se0", "se1", r=1), near("c", "se1", "se0", r=2)
    assert matched(request, one, both, other) == ["c", "b"]
    assert matched(request, one) == ["a"]


def test_the_most_files_among_those_that_the_requirements_leave() -> None:
    request = reads("lfn:/x", "lfn:/y", requirements="other.r > 1", replicas=at(x=("se0",), y=("se1",)))
    assert matched(request, near("a", "se0", r=9), near("b", "se0", "se1", r=1)) == ["a"]


def test_files_come_before_the_hosts_of_earlier_attempts() -> None:
    request = reads("lfn:/x", "lfn:/y", replicas=at(x=("se0",), y=("se1",)), previous=("b.org",))
    assert matched(request, near("a", "se0"), near("b", "se0", "se1")) == ["b"]
    assert matched(request, near("a", "se0", "se1"), near("b", "se0", "se1")) == ["a"]


def test_without_any_replica_every_ce_may_run_the_job() -> None:
    assert matched(reads("lfn:/x", replicas=at(x=())), near("a", "se0"), near("b")) == ["a", "b"]


def test_a_replica_at_an_unknown_se_is_out_of_reach() -> None:
    assert matched(reads("lfn:/x", replicas=at(x=("nowhere",))), near("a", "nowhere")) == []


def test_the_se_must_speak_a_protocol_of_the_job() -> None:
    request = reads("lfn:/x", protocol='"rfio", "GSIFTP"', replicas=at(x=("se0",)))
    assert matched(request, near("a", "se0")) == ["a"]
    assert matched(reads("lfn:/x", protocol='"rfio"', replicas=at(x=("se0",))), near("a", "se0")) == []


@pytest.mark.parametrize(("mount", "found"), [("/data", ["a"]), ("", []), (None, []), (7, [])])
def test_a_file_is_read_where_the_se_is_mounted(mount: object, found: list[str]) -> None:
    bound = {"name": "se.org", **({} if mount is None else {"mount": mount})}
    here = market(ce("a", CloseStorageElements=[bound, {"mount": "/x"}, "odd"]),
                  ses=(Entry("se.org", {"GlueSEAccessProtocolType": "file"}),))
    request = reads("lfn:/x", protocol='"file", "gsiftp"', replicas=Replicas((("lfn:/x", ("se.org",)),)))
    assert names(match(request, here)) == found


def test_submit_to_needs_no_data() -> None:
    request = reads("lfn:/x", more=f'SubmitTo = "{name("a")}";', replicas=at(x=("se0",)))
    assert matched(request, near("a")) == ["a"]


def test_a_job_waits_while_a_catalogue_owes_an_answer() -> None:
    owed = Replicas((("lfn:/x", ()), ("lfn:/y", ("srm://se0.org/y",))), (), ("lfn:/x",), ("catalogue lfc: silent",))
    here = market(near("a", "se0"), ses=SES)
    assert why(match(reads("lfn:/x", "lfn:/y", replicas=owed), here)) == (
        f"{NO_MATCH}: data: a catalogue does not answer for lfn:/x: 1 of 1 CEs refuse; catalogue lfc: silent")


# -- the cost of access ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", ["other.DataAccessCost", "-other.DataAccessCost", "other.dataaccesscost"])
def test_by_cost_the_fewest_files_elsewhere_and_of_as_many_the_smallest(rank: str) -> None:
    files = at(x=("se0",), y=("se1",), z=("se0", "se1", "se2"))
    request = reads("lfn:/x", "lfn:/y", "lfn:/z", rank=rank, replicas=replace_sizes(files, x=10, y=1000))
    ces = (near("a", "se0"), near("b", "se1"), near("c", "se0", "se1"), near("d", "se2"))
    assert matched(request, *ces) == ["c", "b", "a", "d"]


def replace_sizes(replicas: Replicas, **sizes: int) -> Replicas:
    return Replicas(replicas.files, tuple((f"lfn:/{file}", size) for file, size in sizes.items()))


@pytest.mark.parametrize(("text", "answer"), [
    ("other.DataAccessCost", True), ("-other.DataAccessCost", True), ("!other.DataAccessCost", False),
    ("other.DataAccessCost + 1", False), ("DataAccessCost", False), ("other.x", False)])
def test_what_ranks_by_cost(text: str, answer: bool) -> None:
    assert ranks_by_cost(parse_expression(text)) is answer


# -- reasons ---------------------------------------------------------------------------------------------


def test_a_refusal_names_the_files() -> None:
    request = reads("lfn:/x", replicas=at(x=("se2",)))
    assert why(match(request, market(near("a", "se0"), near("b", "se1"), ses=SES))) == (
        f"{NO_MATCH}: data: no access to lfn:/x: 2 of 2 CEs refuse")


def test_files_without_replica_and_warnings_are_in_the_reason() -> None:
    request = reads("lfn:/x", "lfn:/y", requirements="other.r == 1",
                    replicas=Replicas((("lfn:/x", ()), ("lfn:/y", ())), warnings=("no catalogue",)))
    assert why(match(request, market(near("a"), ses=SES))).endswith(
        "; no replica is known of lfn:/x, lfn:/y; no catalogue")


def test_fewer_files_than_elsewhere_is_a_check_of_its_own() -> None:
    request = reads("lfn:/x", "lfn:/y", replicas=at(x=("se0",), y=("se1",)))
    matches = match(request, market(near("a", "se0"), near("b", "se0", "se1"), near("c"), ses=SES))
    assert [tally for tally in matches.tallies if tally.refused] == [
        Tally("data: no access to any of lfn:/x, lfn:/y", 3, 1), Tally(MOST_DATA, 2, 1)]


@pytest.mark.parametrize(("files", "text"), [
    (("a",), "a"), (("a", "b", "c"), "a, b, c"), (("a", "b", "c", "d", "e"), "a, b, c and 2 more")])
def test_a_long_list_of_files_is_cut(files: tuple[str, ...], text: str) -> None:
    assert named(files) == text


# -- what a job asks of catalogues -----------------------------------------------------------------------


def test_input_data_is_asked_of_the_catalogue_and_of_the_index() -> None:
    request = reads("lfn:/x", "si-lfn:/y", "guid:1", more='DataCatalog = "http://lfc"; StorageIndex = "http://si";')
    assert questions(request.description) == (
        Question(("lfn:/x", "guid:1"), "http://lfc"), Question(("si-lfn:/y",), "http://si"))
    assert files_of(request.description) == ("lfn:/x", "guid:1", "si-lfn:/y")


def test_data_requirements_are_asked_one_by_one() -> None:
    request = job(more='''DataAccessProtocol = "gsiftp"; DataRequirements = {
        [DataCatalogType = "DLI"; DataCatalog = "http://a:8085/"; InputData = {"lfn:/x", "lfn:/y"}],
        [DataCatalogType = "SI"; InputData = "lfn:/x"]};''')
    assert questions(request.description) == (Question(("lfn:/x", "lfn:/y"), "http://a:8085/"), Question(("lfn:/x",)))
    assert files_of(request.description) == ("lfn:/x", "lfn:/y")


def test_a_single_record_of_data_requirements_is_a_list_of_one() -> None:
    request = job(more='DataAccessProtocol = "gsiftp"; DataRequirements = '
                       '[DataCatalogType = "DLI"; InputData = {"lfn:/x"}];')
    assert questions(request.description) == (Question(("lfn:/x",)),)


def test_a_job_without_data_asks_nothing() -> None:
    assert questions(job().description) == ()
    assert holdings(NOTHING, ("gsiftp",), Snapshot()) is None


# -- storage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "host"), [
    ("srm://SE.org:8446/srm?SFN=/x", "se.org"), ("sfn://se.org/x", "se.org"), ("gsiftp://u@se.org:2811/x", "se.org"),
    ("se.org", "se.org"), ("se.org:8443", "se.org"), ("https://[::1]:443/x", "[::1]"), ("file:///data/x", ""),
    ("", ""), ("/data/x", ""), ("srm:/x", ""), ("://", ""), ("a b", "")])
def test_the_se_of_a_storage_url(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize("attributes", [
    {"GlueSEAccessProtocolType": ["file", "gsiftp"], "GlueSEAccessProtocolPort": [0, 2811]},
    {"GlueSEAccessProtocol": [{"Type": "GSIFTP", "Port": 2811}, {"GlueSEAccessProtocolType": "file"}, "odd", {}]},
    {"AccessProtocols": [{"name": "gsiftp", "port": "2811"}, {"name": "file", "port": "none"}]},
])
def test_access_protocols_however_they_are_nested(attributes: dict[str, object]) -> None:
    assert protocols(prepare(attributes)) == (Protocol("file"), Protocol("gsiftp", 2811))


@pytest.mark.parametrize("port", [True, -1, 70_000, 1.5])
def test_what_is_no_port_is_not_said(port: object) -> None:
    assert protocols(prepare({"GlueSEAccessProtocolType": ["https", 7], "GlueSEAccessProtocolPort": [port]})) == (
        Protocol("https"),)


def test_the_close_ses_of_a_ce() -> None:
    (made,) = market(ce("a", GlueCESEBindGroupSEUniqueID=["A.org", "b.org"],
                        CloseStorageElements=[{"name": "a.org", "mount": "/data"}])).ces.values()
    assert close(made) == {"a.org": "/data", "b.org": ""}


# -- properties ------------------------------------------------------------------------------------------

places = st.lists(st.sampled_from(["se0", "se1", "se2", "se9"]), max_size=3, unique=True).map(tuple)
holdings_of = st.fixed_dictionaries({"x": places, "y": places, "z": places})
ces = st.lists(st.builds(lambda id, ses, r: near(id, *ses, r=r), st.sampled_from("abcde"), places, st.integers(0, 2)),
               max_size=5, unique_by=lambda entry: entry.id)
FILES = ("lfn:/x", "lfn:/y", "lfn:/z")


def seen(snapshot: Snapshot, replicas: Replicas) -> Holdings:
    found = holdings(replicas, ("gsiftp",), snapshot)
    assert found is not None
    return found


@given(holdings_of, ces, st.sampled_from("xyz"), st.sampled_from(["se0", "se1", "se9"]))
@settings(max_examples=examples(60), deadline=None)
def test_one_more_replica_never_takes_a_file_away(
        here: dict[str, tuple[str, ...]], ces: list[Entry], file: str, se: str) -> None:
    snapshot = market(*ces, ses=SES)
    less, more = seen(snapshot, at(**here)), seen(snapshot, at(**{**here, file: (*here[file], se)}))
    for computing in snapshot.ces.values():
        assert less.at_hand(computing) <= more.at_hand(computing)
        assert less.cost(computing) >= more.cost(computing)


@given(holdings_of, ces, st.sampled_from(["other.r > 0", "true"]))
@settings(max_examples=examples(60), deadline=None)
def test_nobody_who_might_run_the_job_has_more_files_at_hand(
        here: dict[str, tuple[str, ...]], ces: list[Entry], wanted: str) -> None:
    snapshot, replicas = market(*ces, ses=SES), at(**here)
    data = seen(snapshot, replicas)
    chosen = match(reads(*FILES, requirements=wanted, replicas=replicas), snapshot).ranked
    free = [one.ce for one in match(job(wanted), snapshot).ranked if data.admits(one.ce)]
    assert bool(chosen) == bool(free)
    assert {len(data.at_hand(one.ce)) for one in chosen} <= {max((len(data.at_hand(one)) for one in free), default=0)}


@given(holdings_of, ces, st.sampled_from(["0", "other.r", "other.DataAccessCost"]), st.sampled_from([(), ("a.org",)]))
@settings(max_examples=examples(60), deadline=None)
def test_the_named_checks_agree_with_the_match(
        here: dict[str, tuple[str, ...]], ces: list[Entry], rank: str, previous: tuple[str, ...]) -> None:
    matches = match(reads(*FILES, rank=rank, previous=previous, replicas=at(**here)), market(*ces, ses=SES))
    assert {one.ce.id for one in matches.ranked} == {one.ce for one in matches.verdicts if not one.refused_by}
    assert {one.refused_by for one in matches.verdicts} & {"the expressions as a whole"} == set()


def test_answers_are_complete_when_all_files_are_known() -> None:
    known = Replicas((("lfn:a", ("srm://se.org/a",)),))
    assert Replicas().complete
    assert known.complete
    assert not Replicas((*known.files, ("lfn:b", ()))).complete
    assert not Replicas(known.files, unanswered=("lfn:b",)).complete
