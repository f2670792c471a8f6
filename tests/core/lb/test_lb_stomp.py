"""STOMP frames: what is written is read again, however it is cut; nonsense ends in Unavailable."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lb.notices.stomp import BEAT, MAX_FRAME, Frame, beats, decode, encode
from tests.examples import examples
from wms.errors import Unavailable

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
names = texts.filter(lambda name: name not in ("", "content-length"))
frames = st.builds(Frame, st.sampled_from(["SEND", "RECEIPT", "ERROR", "MESSAGE"]),
                   st.dictionaries(names, texts, max_size=4), st.binary(max_size=20))


def plain(frame: Frame) -> Frame:
    """Without the length of its body."""
    return frame._replace(headers={name: value for name, value in frame.headers.items() if name != "content-length"})


@settings(max_examples=examples(120), deadline=None)
@given(st.lists(frames, max_size=4), st.lists(st.integers(0, 400), max_size=6), st.integers(0, 3))
def test_frames_are_read_as_they_were_written(sent: list[Frame], cuts: list[int], beats: int) -> None:
    data = BEAT * beats + b"".join(encode(frame) + BEAT * beats for frame in sent)
    at = sorted(min(cut, len(data)) for cut in cuts)
    read: list[Frame] = []
    rest = b""
    for begin, end in zip([0, *at], [*at, len(data)], strict=True):
        found, rest = decode(rest + data[begin:end])
        read += found
    assert [plain(frame) for frame in read] == sent
    assert rest == b""


@settings(max_examples=examples(120), deadline=None)
@given(st.binary(max_size=60))
@example(b"A\nb\n\n\0")
@example(b"A\ncontent-length:x\n\n\0")
@example(b"A\ncontent-length:1\n\nab\0")
@example(b"A\n\xff:x\n\n\0")
def test_nonsense_is_refused_or_waited_for(data: bytes) -> None:
    try:
        decode(data)
    except Unavailable:
        return


@pytest.mark.parametrize("data", [
    b"A\nb\n\n\0", b"A\ncontent-length:x\n\n\0", b"A\ncontent-length:1\n\nab\0", b"A\n\xff:x\n\n\0",
    b"A\n\n" + b"x" * (MAX_FRAME + 1)])
def test_nonsense(data: bytes) -> None:
    with pytest.raises(Unavailable):
        decode(data)


def test_brokers_of_other_habits() -> None:
    data = b"\r\nMESSAGE\r\na:1\r\na:2\r\nb:x\\q\\\\n\\\r\n\r\nbody\0"
    assert decode(data) == ([Frame("MESSAGE", {"a": "1", "b": "x\\n\\"}, b"body")], b"")
    assert decode(b"CONNECTED\nserver:a\\n:b\n\n\0A") == ([Frame("CONNECTED", {"server": "a\\n:b"})], b"A")


def test_a_greeting_is_not_escaped() -> None:
    assert encode(Frame("CONNECT", {"passcode": "a:b"})) == b"CONNECT\npasscode:a:b\n\n\0"
    assert encode(Frame("SEND", {"a": "b:c\n"}, b"x")) == b"SEND\na:b\\cc\\n\ncontent-length:1\n\nx\0"


@pytest.mark.parametrize(("theirs", "expected"), [
    ("0,0", (0, 0)), ("", (0, 0)), ("x,y", (0, 0)), ("5000,20000", (20, 10)), ("30000,1", (10, 30)), ("1000", (0, 10))])
def test_beats_are_what_both_can_and_want(theirs: str, expected: tuple[float, float]) -> None:
    assert beats((10_000, 10_000), theirs) == expected
    assert beats((0, 0), theirs) == (0, 0)
