"""The reader of job event logs: recorded logs, records written and read again, damage, and HTCondor's own reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.standins.condor_log import WRITTEN, record
from tests.examples import examples
from wms.ce.condor.events import LONGEST, Event, Kind, Reader, read

CORPUS = Path(__file__).parent / "corpus"
LOGS = sorted(path.name for path in CORPUS.glob("*.log"))


def events(data: bytes) -> list[Event]:
    return Reader().feed(data, 2012)


def recorded(name: str) -> list[Event]:
    return events((CORPUS / name).read_bytes())


def of_kind(name: str, kind: Kind) -> Event:
    return next(event for event in recorded(name) if event.kind is kind)


# -- recorded ----------------------------------------------------------------------------------------------


def test_an_end_tells_status_cpu_time_and_bytes() -> None:
    assert of_kind("old.log", Kind.TERMINATED) == Event(
        kind=Kind.TERMINATED, cluster=85, proc=0, seconds=1346229980.0, exit_code=3, cpu_s=65.0, sent=2681743,
        received=16470)


def test_an_end_by_a_signal() -> None:
    end = of_kind("new.log", Kind.TERMINATED)
    assert (end.exit_code, end.signal, end.cpu_s) == (None, 11, 86400 + 7200 + 180 + 4 + 10)


def test_a_job_runs_in_a_slot_or_on_a_host() -> None:
    assert [event.node for event in recorded("new.log") if event.kind is Kind.EXECUTE] == [
        "slot1_1@wn046.example.org", "<192.0.2.47:9618>"]
    assert of_kind("grid.log", Kind.EXECUTE).node == "condor ce.example.org ce.example.org:9619"


def test_a_held_job_has_reason_and_codes() -> None:
    held = of_kind("old.log", Kind.HELD)
    assert (held.code, held.subcode, held.reason[:33]) == (7, 13, "Error from slot2@wn046.example.or")
    assert of_kind("grid.log", Kind.HELD) == Event(kind=Kind.HELD, cluster=42, proc=0, seconds=1717749180.0)


def test_evictions() -> None:
    drained, requeued = [event for event in recorded("new.log") if event.kind is Kind.EVICTED]
    assert drained.reason == "The startd vacated the job to drain the machine"
    assert (drained.code, drained.cpu_s) == (1009, 43)
    assert (drained.requeued, requeued.requeued, requeued.signal) == (False, True, 9)


def test_what_others_tell() -> None:
    assert of_kind("new.log", Kind.REMOTE_ERROR).reason == "Something went wrong; twice"
    assert (of_kind("new.log", Kind.REMOTE_ERROR).code, of_kind("new.log", Kind.REMOTE_ERROR).subcode) == (6, 2)
    assert of_kind("new.log", Kind.DISCONNECTED).node == "slot1_1@wn046.example.org"
    assert of_kind("new.log", Kind.RECONNECTED).node == "slot1_1@wn046.example.org"
    assert of_kind("new.log", Kind.IMAGE_SIZE).rss_kb == 71784
    assert of_kind("grid.log", Kind.GRID_SUBMIT).resource == "condor ce.example.org ce.example.org:9619 815.0"
    assert of_kind("grid.log", Kind.EXECUTABLE_ERROR).reason == "(0) Job file not executable."
    assert of_kind("grid.log", Kind.RECONNECT_FAILED).reason.startswith("Job disconnected too long")


def test_parts_of_seconds() -> None:
    assert [event.seconds % 60 for event in recorded("new.log") if event.cluster == 10417][1:3] == [0.125, 10.25]


# -- written and read --------------------------------------------------------------------------------------

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=40)
numbers = st.integers(0, 10**9)


@st.composite
def made(draw: st.DrawFn) -> Event:
    """An event with all that its kind can tell."""
    kind = draw(st.sampled_from(sorted(WRITTEN)))
    tells = {
        Kind.EXECUTE: {"node": words.map(lambda w: w.replace('"', ""))},
        Kind.TERMINATED: {"exit_code": st.integers(0, 255), "cpu_s": st.integers(0, 10**7).map(float), "sent": numbers,
                          "received": numbers},
        Kind.EVICTED: {"reason": words, "code": st.integers(1, 2000), "subcode": st.integers(-5, 5), "sent": numbers},
        Kind.HELD: {"reason": words, "code": st.integers(0, 50), "subcode": st.integers(-999, 999)},
        Kind.SHADOW_EXCEPTION: {"reason": words, "sent": numbers, "received": numbers},
        Kind.ABORTED: {"reason": words}, Kind.RELEASED: {"reason": words}, Kind.RECONNECT_FAILED: {"reason": words},
        Kind.DISCONNECTED: {"reason": words, "node": words}, Kind.RECONNECTED: {"node": words},
        Kind.IMAGE_SIZE: {"rss_kb": numbers}, Kind.GRID_SUBMIT: {"resource": words},
        Kind.GRID_RESOURCE_UP: {"resource": words}, Kind.GRID_RESOURCE_DOWN: {"resource": words},
    }.get(kind, {})
    told = {name: draw(values) for name, values in tells.items()}
    return Event(kind=kind, cluster=draw(st.integers(1, 10**6)), proc=draw(st.integers(0, 10**5)),
                 seconds=float(draw(st.integers(1_325_376_000, 1_356_998_399))), **told)


@settings(max_examples=examples(200), deadline=None)
@given(event=made(), old=st.booleans())
def test_what_is_written_is_read(event: Event, old: bool) -> None:
    assert events(record(event, old=old).encode()) == [event]


@settings(max_examples=examples(50), deadline=None)
@given(log=st.lists(made(), max_size=6), data=st.data())
def test_it_does_not_matter_where_a_log_is_cut(log: list[Event], data: st.DataObject) -> None:
    text = "".join(map(record, log)).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    reader = Reader()
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert [event for piece in pieces for event in reader.feed(piece, 2012)] == log


@settings(max_examples=examples(100), deadline=None)
@given(noise=st.binary(max_size=300), event=made())
def test_garbage_is_survived(noise: bytes, event: Event) -> None:
    assert events(noise + b"\n...\n" + record(event).encode())[-1] == event
    assert events(noise.replace(b"\n", b" ") + b"\n" + record(event).encode())[-1] == event


def test_a_record_that_was_broken_off_is_passed_over() -> None:
    end = Event(kind=Kind.TERMINATED, cluster=1, proc=0, seconds=1.0, exit_code=0)
    broken = "005 (001.000.000) 1970-01-01 00:00:01 Job termin\n"
    assert events((broken + record(end)).encode()) == [end]


@pytest.mark.parametrize("filler", [b"x" * (LONGEST + 10), b"\ty\n" * LONGEST])
def test_a_huge_record_is_passed_over_and_takes_no_memory(filler: bytes) -> None:
    next_one = Event(kind=Kind.UNSUSPENDED, cluster=2, proc=0, seconds=1.0)
    reader = Reader()
    found = reader.feed(b"012 (001.000.000) 1970-01-01 00:00:01 Job was held.\n" + filler, 2012)
    assert found == []
    found = reader.feed(b"...", 2012) + reader.feed(b"\n...\n" + record(next_one).encode(), 2012)
    assert found == [next_one]


@pytest.mark.parametrize("line", [
    b"", b"...", b"005 (1.0.0)", b"999 (001.000.000) 2020-01-01 00:00:00 What", b"005 (1.0.0) 13/01 00:00:00 x",
    b"005 (1.0.0) 2020-02-32 00:00:00 x", b"005 (1.0.0) 2020-01-01 25:00:00 x", b"005 (001.0) 2020-01-01 00:00:00 x",
    b"39 (1.0.0) 2020-01-01 00:00:00 x", b"\xff\xfe\x00",
])
def test_what_is_no_event(line: bytes) -> None:
    assert read([line], 2012) is None


@pytest.mark.parametrize(
    "kind", [Kind.TERMINATED, Kind.HELD, Kind.ABORTED, Kind.EVICTED, Kind.IMAGE_SIZE, Kind.EXECUTE])
def test_an_event_without_its_lines_tells_only_itself(kind: Kind) -> None:
    line = b"%03d (001.000.000) 1970-01-01 00:00:00 Short" % kind
    assert read([line], 2012) == Event(kind=kind, cluster=1, proc=0)


def test_not_all_is_unicode() -> None:
    line = b"012 (001.000.000) 1970-01-01T00:00:00Z Job was held."
    found = read([line, b"\t\xff is no letter", b"\tCode 1 Subcode 0"], 2012)
    assert found is not None
    assert found.reason == "� is no letter"


# -- HTCondor's own reader ---------------------------------------------------------------------------------


def theirs(path: Path) -> list[dict[str, object]]:
    import htcondor2

    with htcondor2.JobEventLog(str(path)) as log:
        return [{"kind": int(event.type), "cluster": event.cluster, "proc": event.proc, **event}
                for event in log.events(stop_after=0)]


TOLD = {"reason": ("HoldReason", "Reason", "Message", "ErrorMsg", "DisconnectReason"),
        "code": ("HoldReasonCode", "ReasonCode"),
        "subcode": ("HoldReasonSubCode", "ReasonSubCode"), "exit_code": ("ReturnValue",),
        "signal": ("TerminatedBySignal",), "sent": ("SentBytes",), "received": ("ReceivedBytes",),
        "rss_kb": ("ResidentSetSize",)}


def agrees(ours: Event, reference: dict[str, object]) -> None:
    assert (ours.kind, ours.cluster, ours.proc) == (reference["kind"], reference["cluster"], reference["proc"])
    for name, attributes in TOLD.items():
        value = next((reference[attribute] for attribute in attributes if attribute in reference), None)
        mine = getattr(ours, name)
        if value is not None and not (ours.requeued and name == "reason"):
            if isinstance(value, float):  # it reads bytes with seven digits
                assert mine == pytest.approx(value, rel=1e-6)
            else:
                assert mine == (value.replace("\n", "; ") if isinstance(value, str) else value), (ours, name)


@pytest.mark.parametrize("name", LOGS)
def test_the_recorded_logs_are_read_as_htcondor_reads_them(name: str) -> None:
    reference = [event for event in theirs(CORPUS / name)
                 if event["kind"] in set(Kind) and int(str(event["proc"])) >= 0]
    ours = recorded(name)
    assert len(ours) == len(reference)
    for mine, their in zip(ours, reference, strict=True):
        agrees(mine, their)


@settings(max_examples=examples(60), deadline=None)
@given(log=st.lists(made(), min_size=1, max_size=5))
def test_what_our_stand_in_writes_is_read_by_htcondor_as_by_us(
    log: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / "events.log"
    path.write_text("".join(map(record, log)))
    for mine, their in zip(events(path.read_bytes()), theirs(path), strict=True):
        agrees(mine, their)
