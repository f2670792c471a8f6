"""What an A-REX is told of a job says what the job says, whatever its strings hold."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from tests.examples import examples
from wms.ce import CeJob
from wms.ce.arc import description
from wms.ce.arc.description import OUTPUT, PROXY, TOKEN, WRAPPER, described, mark, name_of, problem, token_of

MARK = mark("wms.example.org", "/var/lib/wms/ce/arc")


def job(token: str = "one-1", **more: object) -> CeJob:
    fields = {"queue": "long", "script": "#!/bin/sh\ntrue\n", **more}
    return CeJob(token=token, job="https://wms.example.org:9000/x", **fields)  # type: ignore[arg-type]


class Reader:
    """xRSL as its reference describes it: relations in parentheses, strings in quotation marks, doubled inside."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def jobs(self) -> list[dict[str, list[object]]]:
        if self.text.startswith("&"):
            found = [self.relations()]
        else:
            self.take("+")
            found = []
            while self.place < len(self.text):
                self.take("(")
                found.append(self.relations())
                self.take(")")
        assert self.place == len(self.text)
        return found

    def relations(self) -> dict[str, list[object]]:
        self.take("&")
        found: dict[str, list[object]] = {}
        while self.text[self.place : self.place + 1] == "(":
            self.take("(")
            end = self.text.index("=", self.place)
            name, self.place = self.text[self.place : end], end + 1
            assert name not in found
            found[name] = self.values()
            self.take(")")
        return found

    def values(self) -> list[object]:
        found: list[object] = []
        while (sign := self.text[self.place]) != ")":
            if sign == "(":
                self.take("(")
                found.append(tuple(self.values()))
                self.take(")")
            elif sign == " ":
                self.take(" ")
            else:
                found.append(self.string())
        return found

    def string(self) -> str:
        self.take('"')
        found = ""
        while True:
            end = self.text.index('"', self.place)
            found, self.place = found + self.text[self.place : end], end + 1
            if self.text[self.place : self.place + 1] != '"':
                return found
            found, self.place = found + '"', self.place + 1

    def take(self, sign: str) -> None:
        assert self.text[self.place] == sign, (self.text, self.place)
        self.place += 1


def test_a_description_has_all_that_the_job_asks_for() -> None:
    wanted = job(wall_s=3600, cpu_s=1800, memory_mb=4001, cpus=4, hosts=2, whole_nodes=True, proxy=b"p", bearer=b"t")
    (found,) = Reader(described([wanted], MARK, "0b1c6e4a4567", ["ENV/PROXY"])).jobs()
    assert found == {
        "executable": [WRAPPER], "stdout": [OUTPUT], "join": ["yes"], "jobname": [name_of(MARK, "one-1")],
        "queue": ["long"], "walltime": ["3600"], "cputime": ["1800"], "memory": ["1001"], "count": ["4"],
        "countpernode": ["2"], "exclusiveexecution": ["yes"], "delegationid": ["0b1c6e4a4567"],
        "runtimeenvironment": ["ENV/PROXY"], "inputfiles": [(PROXY, ""), (TOKEN, ""), (WRAPPER, "")],
        "outputfiles": [(OUTPUT, "")]}


def test_what_is_not_asked_for_is_not_told() -> None:
    (found,) = Reader(described([job()], MARK, "", [])).jobs()
    assert sorted(found) == ["executable", "inputfiles", "jobname", "join", "outputfiles", "queue", "stdout"]
    (found,) = Reader(described([job(smp=2)], MARK, "", [])).jobs()
    assert (found["count"], found["countpernode"]) == (["2"], ["2"])


texts = st.text(alphabet=st.one_of(st.sampled_from('"\'()&+=\\\n$`;% '), st.characters(codec="utf-8")), max_size=30)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4), texts, texts)
def test_no_string_leaves_its_place(given_jobs: list[tuple[str, str]], delegation: str, environment: str) -> None:
    jobs = [job(token, queue=queue) for token, queue in given_jobs]
    found = Reader(described(jobs, MARK, delegation, [environment])).jobs()
    assert [(one["jobname"], one["queue"]) for one in found] == [([name_of(MARK, t)], [q]) for t, q in given_jobs]
    assert all(one["runtimeenvironment"] == [environment] for one in found)
    assert all(one.get("delegationid", [""]) == [delegation] for one in found)


@settings(max_examples=examples(200), deadline=None)
@given(texts, texts)
def test_only_plain_tokens_and_queues_are_described(token: str, queue: str) -> None:
    if not problem(job(token, queue=queue)):
        assert not set(token + queue) & set('"()&+= \n/\'\\')
    assert all(problem(wrong) for wrong in (job("../x"), job(queue="a b"), job(queue="")))


@settings(max_examples=examples(100), deadline=None)
@given(st.from_regex(r"[A-Za-z0-9_-]{1,200}", fullmatch=True), texts)
def test_a_job_is_known_by_its_name_and_nobody_elses_is(token: str, other: str) -> None:
    assert token_of(MARK, name_of(MARK, token)) == token
    assert token_of(mark("wms.example.org", "/elsewhere"), name_of(MARK, token)) is None
    assert token_of(MARK, other) is None


def test_the_wrapper_goes_last_and_whole() -> None:
    names = [name for name, _ in description.uploads(job(proxy=b"p", bearer=b"t"))]
    assert names == [PROXY, TOKEN, WRAPPER]
    assert description.script(job()).endswith(b"#!/bin/sh\ntrue\n")
    assert description.script(job()).startswith(b"#!/bin/sh\n")


def test_fresh_credentials_sort_by_time_and_end_with_a_mark() -> None:
    early, late = (description.renewal(PROXY, content, stamp) for content, stamp in ((b"a", 9), (b"b\n", 10)))
    assert early == ("wms.proxy.00000000000000000009", b"a\n#wms-whole\n")
    assert late[1] == b"b\n#wms-whole\n"
    assert early < late
