"""Bytes of growing streams: whatever is sent how often and in which portions, what is kept is what was there."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from ns.growth import Piece, Slice, Spot, end, piece, runs, spot, surplus
from tests.examples import examples

many = settings(max_examples=examples(200), deadline=None)
content = st.binary(max_size=60) | st.binary(min_size=60, max_size=60)


def test_pieces_new_repeated_and_beyond_a_gap() -> None:
    assert piece(0, 10, 0, 4) == Piece(0, 4, 4)
    assert piece(4, 10, 2, 4) == Piece(2, 2, 6)
    assert piece(4, 10, 0, 4) == Piece(0, 0, 4)
    assert piece(4, 10, 5, 4) == Piece(0, 0, 4)


def test_what_is_beyond_the_bound_is_cut_once_and_let_go_afterwards() -> None:
    assert piece(8, 10, 8, 4) == Piece(0, 2, 12, True)
    assert piece(10, 10, 10, 1) == Piece(0, 0, 11, True)
    assert piece(25, 10, 12, 4) == Piece(0, 0, 16)


@many
@given(content, st.integers(1, 60), st.lists(st.tuples(st.integers(0, 70), st.integers(0, 30)), max_size=30))
def test_a_stream_is_the_beginning_of_what_was_sent(whole: bytes, limit: int, sent: list[tuple[int, int]]) -> None:
    kept, noted = b"", False
    for offset, length in sent:
        part = whole[offset:offset + length]
        found = piece(len(kept) + 99 * noted, limit, offset, len(part))
        kept += part[found.skip:found.skip + found.take]
        assert not (noted and (found.cut or found.take))
        noted = noted or found.cut
        assert kept == whole[:len(kept)]
        assert len(kept) <= limit
        assert noted or found.have == len(kept)


@many
@given(content, st.integers(1, 60), st.integers(1, 20))
def test_a_sender_that_goes_on_where_it_is_told_comes_to_an_end(whole: bytes, limit: int, portion: int) -> None:
    kept, at, cut = b"", 0, False
    while at < len(whole):
        part = whole[at:at + portion]
        found = piece(len(kept) + 99 * cut, limit, at, len(part))
        kept += part[found.skip:found.skip + found.take]
        cut = cut or found.cut
        assert found.have > at
        at = found.have
    assert (kept, cut) == (whole[:limit], len(whole) > limit)


def test_slices_grow_to_their_size_then_the_next_begins() -> None:
    assert spot([], 4, 0, 2) == Spot(0, 0)
    assert spot([Slice(0, 2)], 4, 0, 2) is None
    assert spot([Slice(0, 2)], 4, 1, 5) == Spot(1, 0)
    assert spot([Slice(0, 4)], 4, 2, 5) == Spot(2, 4)
    assert spot([Slice(0, 2)], 4, 9, 5) == Spot(0, 9)
    assert runs([Slice(0, 2), Slice(2, 3), Slice(9, 1)]) == [(0, 5), (9, 10)]
    assert end([]) == 0


def test_the_oldest_slices_go() -> None:
    kept = [Slice(0, 4), Slice(4, 4), Slice(8, 4)]
    assert [surplus(kept, limit) for limit in (12, 11, 8, 7, 1)] == [0, 1, 1, 2, 2]


@many
@given(content, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=30), st.integers(1, 10),
       st.integers(1, 40))
def test_slices_hold_the_right_bytes_and_are_bounded(
    whole: bytes, sent: list[tuple[int, int]], largest: int, limit: int
) -> None:
    kept: dict[int, bytes] = {}

    def slices() -> list[Slice]:
        return [Slice(start, len(data)) for start, data in sorted(kept.items())]

    for offset, length in sent:
        part = whole[offset:offset + length]
        have = end(slices())
        found = spot(slices(), largest, offset, len(part)) if part else None
        if found is not None:
            kept[found.start] = kept.get(found.start, b"") + part[found.skip:]
        for one in slices()[:surplus(slices(), limit)]:
            del kept[one.start]
        assert end(slices()) == max(have, offset + len(part) if part else 0)
        assert all(whole[start:start + len(data)] == data for start, data in kept.items())
        ordered = slices()
        assert all(before.end <= after.start for before, after in pairwise(ordered))
        assert sum(map(len, kept.values())) <= limit or len(kept) == 1
        assert sum(to - start for start, to in runs(ordered)) == sum(map(len, kept.values()))
