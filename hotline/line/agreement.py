"""Do both stations hold the same two logs? Asked at every hello; the answer no halts the line.

The numbers in a hello were true when the peer sent it. While one session replaces another, entries and
receipts may have come by the old one since; so what must not have gone back is compared with what we
held when we sent our attestation, which the peer had before it wrote its hello.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hotline.errors import HaltError
from hotline.model import Halt, LineRecord, Side
from hotline.wire.frames import Hello

if TYPE_CHECKING:
    from hotline.line.pairing import Pairing
    from hotline.store.interface import Transaction
    from hotline.wire.frames import Heartbeat


PEER_LOG_LOST: Final = "peer-log-lost"


@dataclass(frozen=True, slots=True)
class Floor:
    """What the peer must still have: its receipt over our log, and its own log as we hold it."""

    receipted: int
    peer_number: int


def floor_of(record: LineRecord) -> Floor:
    """Give the floor for a hello that answers what we held at record."""
    return Floor(record.receipt.number if record.receipt else 0, record.peer.number)


def hello_of(record: LineRecord, *, interval_s: float, accepting: bool, choice: int) -> Hello:
    """Give the hello that tells where both logs stand here."""
    return Hello(
        own_number=record.own.number,
        own_head=record.own.head,
        peer_number=record.peer.number,
        peer_head=record.peer.head,
        receipted=record.receipt.number if record.receipt else 0,
        interval_ms=int(interval_s * 1000),
        accepting=accepting,
        choice=choice,
        recovering=record.recovering,
    )


def examine(tx: Transaction, line: int, pairing: Pairing, hello: Hello, floor: Floor) -> LineRecord:
    """Compare both logs with what the peer says of them; raises HaltError where they disagree.

    Who recovers, by its operator's word, may have lost what it had; never may it differ.
    """
    record = tx.line(line)
    if record.halt is not None:
        if not (hello.recovering and record.halt.code == PEER_LOG_LOST):
            raise HaltError(record.halt.code, record.halt.text)
        record = replace(record, halt=None)
        tx.put_line(record)
    compare(tx, record, pairing, hello, floor)
    return record


def compare(
    tx: Transaction, record: LineRecord, pairing: Pairing, hello: Hello, floor: Floor
) -> None:
    """Raise HaltError unless both logs are here what hello says, above floor."""
    _check_own_log(tx, record, pairing, hello, floor)
    _check_peer_log(tx, record, pairing, hello, floor)


def _check_own_log(
    tx: Transaction, record: LineRecord, pairing: Pairing, hello: Hello, floor: Floor
) -> None:
    if record.recovering and hello.peer_number > record.own.number:
        return  # what is returned has to follow our head, under our signature
    if hello.peer_number > record.own.number:
        raise own_log_lost(hello.peer_number, record.own.number)
    if hello.receipted > record.peer.number and not record.recovering:
        raise _receipted_more(hello.receipted, record.peer.number)
    held = _head(tx, record.line, Side.OWN, hello.peer_number, pairing.own_zero)
    if held != hello.peer_head:
        raise _fork(hello.peer_number, "our")
    if hello.peer_number < floor.receipted and not hello.recovering:
        raise HaltError(
            PEER_LOG_LOST,
            f"the peer signed for our log up to entry {floor.receipted}, but now holds it up to "
            f"{hello.peer_number}: its store was restored, wiped or cloned",
        )


def _check_peer_log(
    tx: Transaction, record: LineRecord, pairing: Pairing, hello: Hello, floor: Floor
) -> None:
    if hello.own_number < floor.peer_number and not hello.recovering:
        raise HaltError(
            PEER_LOG_LOST,
            f"the peer's log ends at entry {hello.own_number}, but we hold it up to "
            f"{floor.peer_number}: its store was restored, wiped or cloned",
        )
    if hello.own_number <= record.peer.number:
        held = _head(tx, record.line, Side.PEER, hello.own_number, pairing.peer_zero)
        if held != hello.own_head:
            raise _fork(hello.own_number, "the peer's")


def _head(tx: Transaction, line: int, side: Side, number: int, zero: bytes) -> bytes | None:
    return tx.head(line, side, number) if number else zero


def _receipted_more(receipted: int, we_hold: int) -> HaltError:
    return HaltError(
        "own-log-lost",
        f"the peer holds our receipt up to entry {receipted} of its log, but our copy ends "
        f"at {we_hold}: this station's store was restored, wiped or cloned",
    )


def _fork(number: int, whose: str) -> HaltError:
    return HaltError(
        "fork",
        f"{whose} log has two histories at entry {number}: "
        "one of the two stores was restored or cloned and written to since",
    )


def still_agree(record: LineRecord, heartbeat: Heartbeat) -> None:
    """Raise HaltError if a heartbeat shows that the stations no longer hold the same two logs.

    A hello can miss a loss: a floor taken before the peer's last receipt came by an older session, or
    entries on their way to its disk. Nothing is sent before its first heartbeat, so this is in time.
    """
    if not record.recovering:
        if heartbeat.peer_number > record.own.number:
            raise own_log_lost(heartbeat.peer_number, record.own.number)
        if heartbeat.receipted > record.peer.number:
            raise _receipted_more(heartbeat.receipted, record.peer.number)
    same_own = heartbeat.peer_number == record.own.number
    if same_own and heartbeat.peer_head != record.own.head:
        raise _fork(heartbeat.peer_number, "our")
    same_peer = heartbeat.own_number == record.peer.number
    if same_peer and heartbeat.own_head != record.peer.head:
        raise _fork(heartbeat.own_number, "the peer's")


def put_halt(tx: Transaction, line: int, halt: Halt | None) -> LineRecord:
    """Stop a line until an operator acts, or let it go on; remembered over restarts."""
    record = replace(tx.line(line), halt=halt)
    tx.put_line(record)
    return record


def own_log_lost(peer_holds: int, we_hold: int) -> HaltError:
    """Say that the peer has more of our log than we do."""
    return HaltError(
        "own-log-lost",
        f"the peer holds our log up to entry {peer_holds}, but it ends here at {we_hold}: "
        "this station's store was restored, wiped or cloned",
    )
