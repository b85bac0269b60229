"""Big stores, made quickly: through the store's own interface, in large transactions.

What comes out is what the daemons themselves would have left: the same rows, heads and signatures. It
takes two steps of ``accepting`` and ``sealing`` out of Python's hands and leaves the rest to them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from bench.world import BODY

from hotline.identity import read_card, read_secret_keys
from hotline.line import accepting, applying, sealing
from hotline.line.pairing import Pairing
from hotline.model import Outgoing, Position, Precedence, Receipt
from hotline.store.interface import Transaction
from hotline.store.sqlite import SqliteStore
from hotline.wire.frames import Entries
from support.stations import Station

_CHUNK: Final = 8192
UNBOUND: Final = accepting.QueueLimits(10**9, 10**15)


def pairing(station: Station, peer: Station) -> Pairing:
    """Give the identities of the line from station to peer."""
    return Pairing(
        read_secret_keys(station.folder / f"{station.name}.key"),
        read_card(station.card),
        read_card(peer.card),
    )


@contextmanager
def opened(station: Station, peer: Station) -> Iterator[tuple[SqliteStore, int]]:
    """Open the store of a station whose daemon does not run, and give the number of its line."""
    station.state.mkdir(mode=0o700, exist_ok=True)
    path = station.state / "store.db"
    store = SqliteStore.open(path, station_id=read_card(station.card).id)
    try:
        yield store, store.add_line(peer.name, read_card(peer.card).id)
    finally:
        store.close()


def composed(first: int, count: int) -> list[Outgoing]:
    """Give messages as the daemon composes them."""
    now_ns = time.time_ns()
    return [
        accepting.compose(
            accepting.Draft(f"bulk-{number}", Precedence.ROUTINE, "", BODY, "bench"), now_ns
        )
        for number in range(first, first + count)
    ]


def queue(station: Station, peer: Station, count: int, first: int = 0) -> None:
    """Queue count messages in a store at rest."""
    with opened(station, peer) as (store, line):
        for start in range(first, first + count, _CHUNK):
            some = composed(start, min(_CHUNK, first + count - start))
            [outcome] = store.transact(
                [lambda tx, some=some: accepting.accept(tx, line, some, UNBOUND)]  # type: ignore[misc]
            )
            assert not isinstance(outcome, Exception), outcome
            store.move_wal()


def deliver(alpha: Station, bravo: Station, count: int, first: int = 0) -> None:
    """Bring count messages from alpha to bravo, receipted, in two stores at rest."""
    near, far = pairing(alpha, bravo), pairing(bravo, alpha)
    with opened(alpha, bravo) as (ours, our_line), opened(bravo, alpha) as (theirs, their_line):
        for start in range(first, first + count, _CHUNK):
            some = composed(start, min(_CHUNK, first + count - start))
            [_] = ours.transact(
                [lambda tx, some=some: accepting.accept(tx, our_line, some, UNBOUND)]  # type: ignore[misc]
            )
            runs = _sealed(ours, our_line, near)
            [applied] = theirs.transact(
                [lambda tx, runs=runs: applying.apply(tx, their_line, far, runs, time.time_ns())]  # type: ignore[misc]
            )
            assert isinstance(applied, applying.Applied), applied
            answer = receipt(far, applied.record.peer)
            [taken] = ours.transact(
                [
                    lambda tx, answer=answer: sealing.take_receipt(  # type: ignore[misc]
                        tx, our_line, near, answer, time.time_ns()
                    )
                ]
            )
            assert not isinstance(taken, Exception), taken
            ours.move_wal()
            theirs.move_wal()


def _sealed(store: SqliteStore, line: int, near: Pairing) -> list[Entries]:
    """Seal all that is queued, in one transaction, and give the runs."""
    runs: list[Entries] = []

    def work(tx: Transaction) -> None:
        while True:
            run = next_run(tx, line, near, 2**20)
            if run.frame is None:
                return
            runs.append(run.frame)

    [outcome] = store.transact([work])
    assert outcome is None, outcome
    return runs


def next_run(tx: Transaction, line: int, near: Pairing, room_bytes: int) -> sealing.Run:
    """Seal the next run of what is queued."""
    return sealing.next_run(
        tx,
        line,
        near,
        after=tx.line(line).own.number,
        room_bytes=room_bytes,
        chunk_bytes=8000,
        wall_ns=time.time_ns(),
    )


def receipt(far: Pairing, position: Position) -> Receipt:
    """Sign for a log up to position."""
    made = Receipt(position.number, position.head, time.time_ns(), b"")
    return replace(made, signature=far.sign_receipt(position, made.time_ns))
