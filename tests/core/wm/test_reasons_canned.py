"""Canned cases: a market, a job and what the broker found give this sentence, word for word."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Any

import pytest
from market_builders import ce, job, market
from test_data import at, near, reads

from wm.compounds.store import CANCELLING, OPEN, OVER, UNFOLDING, Compound
from wm.explaining.nodes import of_compound, of_node
from wm.explaining.waiting import Told, asking, caused, queued, set_aside
from wm.matching.cycle import Cause, Why
from wm.matching.explain import clauses, no_match
from wm.matching.matchmaker import match
from wm.matching.replicas import Replicas
from wm.matching.request import Request
from wm.supply.purchasers import Entry
from wms.reasons import REASONS, TABLE, counted, listed, reason, span

TAGS = "GlueHostApplicationSoftwareRunTimeEnvironment"
FREE = "GlueCEStateFreeCPUs"
RULES = "GlueCEAccessControlBaseRule"
TEN = tuple(ce(f"c{n}", GlueCEStateFreeCPUs=n, **{TAGS: ["X"] if n < 3 else ["Y"]}) for n in range(10))
SES = (Entry("se0.org", {"GlueSEAccessProtocolType": ["gsiftp"], "GlueSEAccessProtocolPort": [2811]}),)
HAS_X = f'member("X", other.{TAGS})'

NO_MATCH: dict[str, tuple[Request, tuple[Entry, ...], str]] = {
    "one clause is to blame":
        (job(f"{HAS_X} && other.{FREE} < 100 && other.GlueCEUniqueID != \"\""), TEN[3:],
         f"No match among 7 CEs: without `{HAS_X}`: 7 more CEs."),
    "either of two clauses":
        (job(f"{HAS_X} && other.{FREE} > 5"), TEN,
         f"No match among 10 CEs: without `{HAS_X}`: 4 more CEs; without `other.{FREE} > 5`: 3 more CEs."),
    "one more CE":
        (job(f"other.{FREE} > 9"), TEN[9:], f"No match among 1 CE: without `other.{FREE} > 9`: 1 more CE."),
    "an attribute that nobody publishes":
        (job("other.Foo > 3"), TEN, "No match among 10 CEs: without `other.Foo > 3` (undefined there): 10 more CEs."),
    "a type that does not fit":
        (job('other.GlueCEStateStatus > 3'), TEN,
         "No match among 10 CEs: without `other.GlueCEStateStatus > 3` (an error there): 10 more CEs."),
    "no single clause":
        (job(f"other.{FREE} > 50 && other.Foo == 1 && {HAS_X}"), TEN,
         f"No match among 10 CEs: no single clause is to blame, each leaves few: `other.{FREE} > 50` none of 10, "
         f"`other.Foo == 1` none of 10 and `{HAS_X}` 3 of 10."),
    "clauses that leave many each, but not the same":
        (job(" && ".join(f"!(other.{FREE} == {n} || other.{FREE} == {(n + 1) % 5})" for n in range(5))), TEN[:5],
         "No match among 5 CEs: no single clause is to blame, each leaves few: "
         f"`!(other.{FREE} == 0 || other.{FREE} == 1)` 3 of 5, `!(other.{FREE} == 1 || other.{FREE} == 2)` 3 of 5 and "
         f"`!(other.{FREE} == 2 || other.{FREE} == 3)` 3 of 5."),
    "constant false":
        (job("false"), TEN, "No match among 10 CEs: without `false`: 10 more CEs."),
    "chance":
        (job("random() < 2.0"), TEN[:1],
         "No match among 1 CE: without `random() < 2.0` (an error there): 1 more CE."),
    "the site's capacity":
        (job(), (ce(GlueCEPolicyMaxTotalJobs=5, GlueCEStateTotalJobs=5),),
         "No match among 1 CE: without the site's requirement capacity: 1 more CE."),
    "a short deadline":
        (job(more="ShortDeadlineJob = true;"), TEN,
         "No match among 10 CEs: without the site's requirement short deadline: 10 more CEs."),
    "an output SE":
        (job(more='OutputSE = "se.org";'), TEN,
         "No match among 10 CEs: without the site's requirement output SE (undefined there): 10 more CEs."),
    "the VO is not admitted":
        (job(vo="cms", fqans=("/cms",)), (ce(**{RULES: ["VO:atlas"]}), ce("b", **{RULES: ["VO:lhcb"]})),
         "None of 2 CEs admits you (VO cms)."),
    "nobody is admitted without a VO":
        (job(vo="", fqans=()), (ce(**{RULES: ["VO:atlas"]}),), "None of 1 CE admits you."),
    "a pinned CE that is full":
        (job(more='SubmitTo = "a.org:8443/jobmanager-local-q";'),
         (ce(GlueCEPolicyMaxTotalJobs=5, GlueCEStateTotalJobs=5),),
         "No match among 1 CE: without the site's requirement capacity: 1 more CE."),
    "a pinned CE that is gone":
        (job(more='SubmitTo = "gone.org:8443/jobmanager-local-q";'), TEN,
         "No match among 10 CEs: without SubmitTo: 10 more CEs."),
    "a state that is not published":
        (job(), (ce(GlueCEStateStatus=None),),
         "No match among 1 CE: without the state they do not publish: 1 more CE."),
    "a rank that is no number":
        (job(rank="other.Foo"), TEN, "10 CEs would match, but Rank is not a number on any of them."),
    "no resources":
        (job(), (), "No CE is known now: the information system has no usable entry."),
    "no access to a file":
        (reads("lfn:/x", replicas=at(x=("se0",))), (near("a", "se9"), near("b")),
         "No match among 2 CEs: no CE that is left has access to lfn:/x."),
    "no access to several files":
        (reads("lfn:/x", "lfn:/y", replicas=at(x=("se0",), y=("se0",))), (near("a"),),
         "No match among 1 CE: no CE that is left has access to any of lfn:/x, lfn:/y."),
    "a catalogue that is away":
        (reads("lfn:/x", replicas=Replicas((("lfn:/x", ()),), (), ("lfn:/x",), ("catalogue own: connection refused",))),
         (near("a"),), "A data catalogue does not say where lfn:/x is: catalogue own: connection refused."),
    "a catalogue that says nothing":
        (reads("lfn:/x", "lfn:/y", replicas=Replicas((("lfn:/x", ()), ("lfn:/y", ())), (), ("lfn:/x", "lfn:/y"))),
         (near("a"),), "A data catalogue does not say where lfn:/x, lfn:/y are: it does not answer."),
    "data here, software there":
        (reads("lfn:/x", requirements=HAS_X, replicas=at(x=("se0",))),
         (near("a", "se0", **{TAGS: ["Y"]}), near("b", **{TAGS: ["X"]})),
         f"No match among 2 CEs: without the input data: 1 more CE; without `{HAS_X}`: 1 more CE."),
}


@pytest.mark.parametrize("case", NO_MATCH)
def test_nothing_matches(case: str) -> None:
    request, ces, sentence = NO_MATCH[case]
    matches = match(request, market(*ces, ses=SES))
    assert not matches.ranked
    found = no_match(matches, clauses(matches))
    assert said(Told(*found)) == sentence


def said(told: Told) -> str:
    return reason("job", told.code, 0.0, details=told.details, **told.words).sentence


HERE = market(ce("a", GlueCEStateWaitingJobs=12, GlueCEStateEstimatedResponseTime=900)).ces
A = next(iter(HERE.values()))
LIMITS = {"vo:atlas": 100, "user:*": 5, "ce:*": 1}
WAITING: dict[str, tuple[Told, str]] = {
    "no slot": (caused(Cause(Why.SLOT, 3), "atlas", {}), "3 CEs would match, but none has a free slot."),
    "the VO's quota": (caused(Cause(Why.QUOTA, 3, "vo:atlas"), "atlas", LIMITS),
                       "3 CEs would match, but VO atlas has as many jobs placed as its quota allows: 100."),
    "the user's quota": (caused(Cause(Why.QUOTA, 1, "user:*"), "atlas", LIMITS),
                         "1 CE would match, but you have as many jobs placed as your quota allows: 5."),
    "quotas of CEs": (caused(Cause(Why.QUOTA, 2, "ce:*"), "atlas", LIMITS),
                      "2 CEs would match, but each has as many jobs as its quota allows."),
    "its turn": (caused(Cause(Why.TURN, 2), "atlas", {}),
                 "2 CEs would match; the job has its turn with the next ones."),
    "not looked at yet": (caused(Cause(Why.TURN), "atlas", {}), "The Workload Manager is looking for a CE."),
    "set aside": (set_aside(Cause(Why.ASIDE, 2), ["b", "a"], 700.0, 100.0),
                  "2 CEs would match, but such jobs failed there again and again; one tries again in 10 min."),
    "about to be tried": (set_aside(Cause(Why.ASIDE, 1), ["a"], None, 100.0),
                          "1 CE would match, but such jobs failed there again and again; one tries again in 0 s."),
    "asking catalogues": (asking(reads("lfn:/x")), "Catalogues are being asked where lfn:/x is."),
    "asking for more": (asking(reads("lfn:/x", "lfn:/y")), "Catalogues are being asked where lfn:/x, lfn:/y are."),
    "in a queue": (queued("a.org", A, 0.0, 7200.0),
                   "The job has been at a.org for 2 h, with 12 jobs waiting in its queue and about 15 min before a new "
                   "one would start."),
    "in a queue nobody tells of": (queued("a.org", replace(A, attributes={}), 0.0, 90.0),
                                   "The job has been at a.org for 90 s."),
    "at a CE that is gone": (queued("a.org", None, 0.0, 259200.0),
                             "The job has been at a.org for 3 days, which does not answer now: how the job stands "
                             "there is not known."),
}


@pytest.mark.parametrize("case", WAITING)
def test_something_matches_or_will(case: str) -> None:
    told, sentence = WAITING[case]
    assert said(told) == sentence


def compound(kind: str = "collection", **more: Any) -> Compound:
    values = {"id": "x", "phase": OPEN, "submit": b"", "kind": kind, "number": 10, "next": 0, "released": 0, "done": 0,
              "failed": 0, "cancelled": 0, "most_running": 0, "sequence_code": "", "reason": "", "due": 0.0}
    return Compound(**{**values, **more})


NODES: dict[str, tuple[Told, str]] = {
    "not here yet": (of_node(None, 1, "", [], 0, 5), "The job is on its way to the Workload Manager."),
    "unfolding": (of_node(compound(phase=UNFOLDING), 1, "", [], 0, 5),
                  "The compound is being unfolded into its 10 nodes."),
    "cancelling": (of_node(compound(phase=CANCELLING), 1, "", [], 0, 5), "The job is being cancelled."),
    "over": (of_node(compound(phase=OVER), 1, "", [], 0, 5), "The job is over: all nodes have ended."),
    "expired": (of_node(compound(reason="request expired"), 1, "", [], 0, 5), "The job is over: request expired."),
    "a parent": (of_node(compound("dag"), 3, "white", [1], 0, 5), "The node waits for node 1, which is not done."),
    "parents": (of_node(compound("dag"), 9, "white", [1, 2, 3, 4, 5], 0, 5),
                "The node waits for nodes 1, 2, 3 and 2 more, which are not done."),
    "a parent failed": (of_node(compound("dag"), 9, "doomed", [], 0, 5),
                        "The node will not run, as a node that it depends on failed."),
    "grey": (of_node(compound("dag"), 9, "grey", [], 0, 5), "The node is about to become a job."),
    "released": (of_node(compound(next=3), 2, "", [], 0, 5), "The node is about to become a job."),
    "about to be released": (of_node(compound(next=3, released=3), 3, "", [], 0, 5),
                             "The node is about to become a job."),
    "its own throttle": (of_node(compound(next=3, released=3, done=2, most_running=1), 4, "", [], 0, 5),
                         "As many nodes of the compound are on their way as its max_running_nodes allows: 1."),
    "the site's throttle": (of_node(compound(next=6, released=4), 7, "", [], 3, 5),
                            "As many nodes of the compound wait for a CE as the site lets wait at once: 5."),
    "as a whole": (of_compound(compound(next=6, released=6, done=1)),
                   "Of 10 nodes, 1 is over, 5 are on the way and 4 still to be released."),
    "a whole that ends": (of_compound(compound(phase=CANCELLING)), "The job is being cancelled."),
}


@pytest.mark.parametrize("case", NODES)
def test_nodes(case: str) -> None:
    told, sentence = NODES[case]
    assert said(told) == sentence


# -- the table -------------------------------------------------------------------------------------------


def test_codes_are_each_once_and_rows_complete() -> None:
    assert len(REASONS) == len(TABLE)
    for row in TABLE:
        words = {name: "0" for _, name, _, _ in string.Formatter().parse(row.sentence) if name}
        sentence = reason("job", row.code, 1.0, next_try=2.0, **words).sentence
        assert sentence.endswith(".")
        assert row.when.endswith(".")


@pytest.mark.parametrize(("seconds", "text"), [
    (-1, "0 s"), (0, "0 s"), (119.4, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 days")])
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_counts_and_lists() -> None:
    assert (counted(1, "CE"), counted(0, "CE"), counted(2, "CE")) == ("1 CE", "0 CEs", "2 CEs")
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(list("abcde")) == "a, b, c and 2 more"
