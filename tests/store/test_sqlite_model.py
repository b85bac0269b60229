"""The store beside the simplest thing that could be right: a dictionary of messages."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store import acts
from store.acts import OWN_ID, PEER_ID, do, outgoing

from hotline.errors import RefusedError
from hotline.model import Precedence, Queueing, Side, State
from hotline.store.interface import Transaction
from hotline.store.sqlite import SqliteStore

LONG = "long " * 2000


@dataclass
class Said:
    """What must be true of one message of ours."""

    id: str
    precedence: Precedence
    body: str
    expires_ns: int | None
    state: State = State.QUEUED
    number: int | None = None


class StoreBesideModel(RuleBasedStateMachine):
    """Any order of what the line does; after each step both tell the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "station.db"
        self.said: list[Said] = []
        self.log = 0
        self.receipted = 0
        self.received: list[str] = []
        self.begun: set[str] = set()
        self.open()

    def open(self) -> None:
        self.store = SqliteStore.open(self.path, station_id=OWN_ID)
        self.line = self.store.add_line("south", PEER_ID)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def queue(self) -> list[Said]:
        """Give what is to be sealed, in order; a half sealed message keeps its place."""
        waiting = [m for m in self.said if m.state is State.QUEUED or m.id in self.begun]
        return sorted(waiting, key=lambda m: m.precedence)

    @rule(
        precedence=st.sampled_from(Precedence),
        long=st.booleans(),
        expires_ns=st.none() | st.integers(1, 5),
        repeated=st.integers(1, 3),
    )
    def enqueue(
        self, precedence: Precedence, long: bool, expires_ns: int | None, repeated: int
    ) -> None:
        new = [
            Said(f"m{len(self.said) + n}", precedence, LONG if long else "short", expires_ns)
            for n in range(repeated)
        ]
        acts.enqueue(
            self.store, self.line, *(outgoing(m.id, m.body, precedence, expires_ns) for m in new)
        )
        self.said += new

    @rule(precedence=st.sampled_from(Precedence), expires_ns=st.none() | st.integers(1, 5))
    def send(self, precedence: Precedence, expires_ns: int | None) -> None:
        new = Said(f"m{len(self.said)}", precedence, "short", expires_ns, State.SENT, self.log + 1)
        acts.send(self.store, self.line, outgoing(new.id, new.body, precedence, expires_ns))
        self.said.append(new)
        self.log += 1

    @precondition(lambda self: self.queue())
    @rule()
    def seal_next(self) -> None:
        first = self.queue()[0]
        first.state = State.SENT
        self.log += 1
        if first.body is LONG:
            self.begun.add(first.id)
            completed = acts.seal_part(self.store, self.line)
        else:
            completed = acts.seal(self.store, self.line, most=1) == [first.id]
        if completed:
            first.number = self.log
            self.begun.discard(first.id)

    @precondition(lambda self: self.log > self.receipted)
    @rule(data=st.data())
    def take_receipt(self, data: st.DataObject) -> None:
        self.receipted = data.draw(st.integers(self.receipted + 1, self.log))
        acts.take_receipt(self.store, self.line, self.receipted)
        for message in self.said:
            if message.number is not None and message.number <= self.receipted:
                message.state = State.DELIVERED

    @rule(now_ns=st.integers(0, 6))
    def expire(self, now_ns: int) -> None:
        due = {
            m.id: m
            for m in self.said
            if m.state is State.QUEUED and m.expires_ns is not None and m.expires_ns <= now_ns
        }

        def work(tx: Transaction) -> set[str]:
            rows = tx.due(self.line, now_ns, 1000)
            tx.set_queueing([row.row for row in rows], Queueing.EXPIRED)
            return {row.id for row in rows}

        assert do(self.store, work) == set(due)
        for message in due.values():
            message.state = State.EXPIRED

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.said))
        row = do(self.store, lambda tx: tx.waiting(self.line, message.id))
        assert (row is not None) == (message.state is State.QUEUED)
        if row is not None:
            do(self.store, lambda tx: tx.set_queueing([row.row], Queueing.CANCELLED))
            message.state = State.CANCELLED

    @rule()
    def receive(self) -> None:
        self.received.append(f"p{len(self.received)}")
        acts.receive(self.store, self.line, self.received[-1])

    @precondition(lambda self: self.queue())
    @rule()
    def refuse_after_work(self) -> None:
        def work(tx: Transaction) -> None:
            acts.append(tx, self.line, Side.OWN, [b"never"])
            tx.enqueue(self.line, [outgoing("never")])
            raise RefusedError("no", "no")

        [result] = self.store.transact([work])
        assert isinstance(result, RefusedError)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def both_tell_the_same(self) -> None:
        assert [row.id for row in acts.queued(self.store, self.line, most=1000)] == [
            message.id for message in self.queue()
        ]
        page = self.store.read(lambda r: r.page(Side.OWN, most=10_000))
        assert [(v.id, v.state, v.number, v.body) for v in page] == [
            (m.id, m.state, m.number, m.body) for m in self.said
        ]
        inbox = self.store.read(lambda r: r.page(Side.PEER, most=10_000))
        assert [view.id for view in inbox] == self.received


TestStoreBesideModel = StoreBesideModel.TestCase
TestStoreBesideModel.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
