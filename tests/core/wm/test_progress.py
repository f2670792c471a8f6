"""Compounds by their rules alone: random graphs, random failures, any order of ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.compounds.progress import (
    DAG,
    Change,
    Colour,
    Counts,
    End,
    Room,
    Throttles,
    ahead,
    end,
    ended,
    room,
    tally,
    waits,
)

OVER = {Colour.GREEN, Colour.RED, Colour.CANCELLED}
GRAPHS = st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(
    st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda edge: edge[0] < edge[1]), max_size=20)))
OUTCOMES = st.sampled_from(["Done", "Done", "Done", "Aborted", "Cancelled"])


@dataclass
class Run:
    """A compound that goes on by the rules; `ran` are the nodes that were released."""

    number: int
    edges: list[tuple[int, int]]
    throttles: Throttles
    colours: list[Colour] = field(init=False)
    waits: list[int] = field(init=False)
    counts: Counts = field(init=False)
    ran: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.colours = [Colour.WHITE] * self.number
        self.waits = waits(self.number, self.edges)
        self.counts = Counts(self.number)

    def release(self) -> None:
        """Half of what is on its way has a place, none is in the mail."""
        waiting = self.counts.on_their_way // 2
        here = room(self.counts, waiting, self.throttles, 5)
        free = [k for k in range(self.number) if self.colours[k] is Colour.WHITE and not self.waits[k]][:here.nodes]
        for node in free:
            self.colours[node] = Colour.GREY
        self.ran += free
        self.counts = self.counts._replace(sent=self.counts.sent + len(free), arrived=self.counts.arrived + len(free))

    def end(self, outcomes: dict[int, str]) -> None:
        self._count(tally(outcomes.values()))
        self._apply(ended(outcomes, [edge for edge in self.edges if edge[0] in outcomes]))
        while doomed := [k for k in range(self.number) if self.colours[k] is Colour.DOOMED]:
            self.counts = self.counts._replace(sent=self.counts.sent + len(doomed),
                                               arrived=self.counts.arrived + len(doomed))
            self._count(tally(["Aborted"] * len(doomed)))
            self._apply(ended(dict.fromkeys(doomed, "Aborted"), [edge for edge in self.edges if edge[0] in doomed]))

    def _count(self, more: Counts) -> None:
        now = self.counts
        self.counts = now._replace(done=now.done + more.done, failed=now.failed + more.failed,
                                   cancelled=now.cancelled + more.cancelled)

    def _apply(self, change: Change) -> None:
        for node, colour in change.colours.items():
            assert self.colours[node] not in OVER, "a node ends once"
            self.colours[node] = colour
        for node, times in change.satisfied.items():
            self.waits[node] -= times
        for node in change.doomed:
            if self.colours[node] is Colour.WHITE:
                self.colours[node] = Colour.DOOMED


@given(GRAPHS, st.data(), st.integers(0, 4), st.integers(1, 6))
@settings(max_examples=examples(70), deadline=None)
def test_a_node_runs_if_and_only_if_its_parents_are_done(graph: tuple[int, set[tuple[int, int]]], data: st.DataObject,
                                                         running: int, idle: int) -> None:
    number, edges = graph
    run = Run(number, sorted(edges), Throttles(running, idle))
    for _ in range(number + 1):
        run.release()
        grey = [k for k in range(number) if run.colours[k] is Colour.GREY]
        assert not running or len(grey) <= running
        assert run.counts.on_their_way == len(grey)
        if not grey:
            break
        chosen = data.draw(st.sets(st.sampled_from(grey), min_size=1))
        run.end({node: data.draw(OUTCOMES) for node in sorted(chosen)})
    parents = {k: [parent for parent, child in edges if child == k] for k in range(number)}
    assert set(run.colours) <= OVER
    assert run.counts.complete
    assert (run.counts.over, run.counts.on_their_way) == (number, 0)
    for k in range(number):
        assert (k in run.ran) == all(run.colours[parent] is Colour.GREEN for parent in parents[k])
    green = run.colours.count(Colour.GREEN)
    assert (end(DAG, run.counts, cancelled=False).outcome == "Done") == (green == number)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 9),
       st.integers(0, 30), st.integers(1, 20))
@settings(max_examples=examples(100), deadline=None)
def test_throttles_are_never_exceeded(sent: int, in_mail: int, over: int, unsent: int, running: int, idle: int,
                                      most: int) -> None:
    over, in_mail = min(over, sent), min(in_mail, max(0, sent - over))
    counts = Counts(sent + unsent, sent, sent - in_mail, done=over)
    waiting = max(0, counts.on_their_way - in_mail) // 2
    found = room(counts, waiting, Throttles(running, idle), most)
    assert 0 <= found.nodes <= min(most, unsent)
    assert not found.nodes or waiting + in_mail + found.nodes <= idle
    assert not found.nodes or not running or counts.on_their_way + found.nodes <= running


def test_what_keeps_nodes_back() -> None:
    assert room(Counts(100, 10, 10), 10, Throttles(0, 12), 50) == Room(2, True)
    assert room(Counts(100, 10, 10), 10, Throttles(11, 50), 50) == Room(1, False)
    assert room(Counts(100, 10, 4), 4, Throttles(0, 10), 50) == Room(0, True)
    assert room(Counts(10, 10, 10), 10, Throttles(0, 3), 50) == Room(0, True)


def test_who_goes_ahead_of_nodes_for_one_place() -> None:
    assert ahead(Room(50, False), Counts(100)) == Room(1, True)
    assert ahead(Room(50, False), Counts(100, 1)) == Room(0, True)
    assert ahead(Room(50, False), Counts(100, 1, 1, failed=1)) == Room(1, True)
    assert ahead(Room(0, False), Counts(100)) == Room(0, True)


def test_the_end_of_a_compound() -> None:
    def of(kind: str, done: int, failed: int, gone: int, *, cancelled: bool = False, reason: str = "") -> End:
        return end(kind, Counts(3, 3, 3, done, failed, gone), cancelled=cancelled, reason=reason)

    good = End("Done", "DAG successfully completed")
    given_up = End("Cancelled", "Cancelled by user")
    assert of(DAG, 3, 0, 0) == of("collection", 3, 0, 0) == of(DAG, 3, 0, 0, cancelled=True) == good
    assert of(DAG, 2, 1, 0) == of(DAG, 2, 0, 1) == End("Aborted", "DAG completed with failed jobs")
    assert of(DAG, 2, 1, 0, reason="request expired") == End("Aborted", "request expired")
    assert of(DAG, 1, 1, 1, cancelled=True) == of("collection", 1, 0, 2, cancelled=True) == given_up
    assert of("collection", 0, 0, 3) == given_up
    assert of("collection", 1, 0, 2) == End("Done", "2 of 3 jobs were cancelled")
    assert of("collection", 1, 1, 1) == End("Aborted", "1 of 3 jobs failed")
    assert of("collection", 1, 1, 1, reason="request expired") == End("Aborted", "request expired")
