"""Attacks on the logs, by a peer that holds the right keys or by whoever has copies of a log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hotline import limits
from hotline.errors import ProtocolError
from hotline.line.pairing import Pairing
from hotline.model import Decision, Position, Precedence, Receipt, Side
from hotline.wire import entries, frames, heads
from support.line_sessions import pairing
from support.line_world import identity
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from support.line_world import Station


def message(identifier: str, body: str = "hello") -> entries.Message:
    return entries.Message(identifier, Precedence.ROUTINE, 1, None, "lt", "", body)


def signed(rogue: Rogue, *data: bytes) -> frames.Entries:
    """Give a run of raw bytes as the rogue's next entries, under its valid signature."""
    first = rogue.own.number + 1
    end = Position(rogue.own.number + len(data), heads.chain(rogue.own.head, data)[-1])
    return frames.Entries(first, data, rogue.pairing.sign_head(end))


def halted_for(station: Station) -> str:
    """Give why the line halted."""
    assert station.record.halt is not None, "nothing halted it"
    return station.record.halt.code


# --- one line's words in another ------------------------------------------------------------------


def test_an_entry_of_one_line_replayed_into_another() -> None:
    """A signature that north gave south, shown to a third station, must not be north's word to it."""
    north, south = pairing("north", "south"), pairing("south", "north")
    stranger = Pairing(identity("stranger")[0], identity("stranger")[1], identity("north")[1])
    data = entries.encode(message("order-1"))
    for zero in (north.own_zero, stranger.peer_zero):
        end = Position(1, heads.next_head(zero, data))
        signature = north.sign_head(end)
        with pytest.raises(ProtocolError):
            stranger.verify_head(end, signature)
        with pytest.raises(ProtocolError):
            stranger.verify_head(Position(1, heads.next_head(stranger.peer_zero, data)), signature)
    south.verify_head(
        Position(1, heads.next_head(north.own_zero, data)),
        north.sign_head(Position(1, heads.next_head(north.own_zero, data))),
    )


def test_what_was_said_one_way_is_not_said_the_other_way() -> None:
    """North's order to south, reflected, must not become south's order to north."""
    north, south = pairing("north", "south"), pairing("south", "north")
    end = Position(1, heads.next_head(north.own_zero, b"entry"))
    with pytest.raises(ProtocolError):
        north.verify_head(end, north.sign_head(end))
    with pytest.raises(ProtocolError):
        south.verify_own_head(end, north.sign_head(end))


def test_a_head_is_no_receipt_and_a_receipt_no_head() -> None:
    """Were the two texts alike, the writer's own signature would pass for the reader's."""
    north, south = pairing("north", "south"), pairing("south", "north")
    end = Position(1, heads.next_head(north.own_zero, b"entry"))
    with pytest.raises(ProtocolError):
        north.verify_receipt(Receipt(1, end.head, 1, south.sign_head(end)))
    with pytest.raises(ProtocolError):
        south.verify_head(end, north.sign_receipt(end, 1))
    for changed in (
        Receipt(2, end.head, 1, south.sign_receipt(end, 1)),
        Receipt(1, end.head, 2, south.sign_receipt(end, 1)),
        Receipt(1, bytes(64), 1, south.sign_receipt(end, 1)),
    ):
        with pytest.raises(ProtocolError):
            north.verify_receipt(changed)
    north.verify_receipt(Receipt(1, end.head, 1, south.sign_receipt(end, 1)))


# --- under a valid signature ----------------------------------------------------------------------

HONEST = entries.encode(message("m1"))

SPELLINGS: dict[str, bytes] = {
    "trailing byte": HONEST + b"\0",
    "a second entry behind": HONEST + HONEST,
    "a longer array header": b"\xdc\x00\x08" + HONEST[1:],
    "a longer kind": b"\x98\xcc\x01" + HONEST[2:],
    "a longer id": HONEST.replace(b"\xa2m1", b"\xd9\x02m1"),
    "an id as bytes": HONEST.replace(b"\xa2m1", b"\xc4\x02m1"),
    "a float for the time": HONEST.replace(
        b"\x03\x01\xc0", b"\x03\xcb\x3f\xf0" + bytes(6) + b"\xc0"
    ),
    "true for a number": HONEST.replace(b"\x03\x01\xc0", b"\x03\xc3\xc0"),
    "a map": b"\x88" + HONEST[1:],
    "cut short": HONEST[:-1],
}


@pytest.mark.parametrize("data", SPELLINGS.values(), ids=SPELLINGS)
def test_re_encoding_under_a_signature(rogue: Rogue, data: bytes) -> None:
    """Two texts that read the same, one signed and one shown, are two histories for one quarrel."""
    assert data != HONEST
    rogue.call().say(rogue.beat(), signed(rogue, data))
    rogue.world.run(SOON_S)
    assert halted_for(rogue.station) == "peer-broke-rules"
    assert rogue.station.page(Side.PEER) == []
    assert rogue.station.record.peer.number == 0


def test_the_honest_spelling_is_taken(rogue: Rogue) -> None:
    """Or all the refusals above would prove nothing."""
    rogue.call().say(rogue.beat(), signed(rogue, HONEST))
    rogue.world.run(SOON_S)
    assert rogue.station.inbox() == ["m1"]


@pytest.mark.parametrize(
    "changed",
    [{"first": 2}, {"first": 3}, {"signature": bytes(64)}, {"entries": (HONEST, HONEST)}],
    ids=["gap", "far gap", "no signature", "one more than signed"],
)
def test_entries_that_lie_about_count_or_order(rogue: Rogue, changed: dict[str, object]) -> None:
    """A gap that is taken is a message that nobody misses."""
    rogue.call().say(rogue.beat(), replace(signed(rogue, HONEST), **changed))  # type: ignore[arg-type]
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert rogue.station.record.peer.number == 0
    assert rogue.station.record.halt is None, "anyone on a replaced session could halt the line"


# --- two histories --------------------------------------------------------------------------------


def test_two_histories_under_one_number(rogue: Rogue) -> None:
    """Whoever can sign two entries under one number can deny either; the first one must stand."""
    rogue.call().say(rogue.beat())
    was = rogue.own
    rogue.say(rogue.run(message("m1", "withdraw")))
    rogue.world.run(SOON_S)
    rogue.own = was
    rogue.say(rogue.run(message("m1", "attack"), message("m2")))
    rogue.world.run(SOON_S)
    assert not rogue.stands()
    assert rogue.station.inbox() == ["m1"]
    assert rogue.station.view("m1", Side.PEER).body == "withdraw"


def test_a_second_history_in_a_heartbeat_halts(rogue: Rogue) -> None:
    """Two histories of one log are proof against the peer; a person has to see it."""
    rogue.call().say(rogue.beat())
    was = rogue.own
    rogue.say(rogue.run(message("m1", "withdraw")))
    rogue.world.run(SOON_S)
    rogue.own = was
    rogue.run(message("m1", "attack"))
    rogue.say(rogue.beat())
    rogue.world.run(SOON_S)
    assert halted_for(rogue.station) == "fork"
    assert rogue.all(frames.Close)[-1].code == "halted"


@pytest.mark.parametrize("side", ["own", "peer"])
def test_a_second_history_in_a_hello_halts(rogue: Rogue, side: str) -> None:
    """A forged history that is found only after entries have gone by it has already been signed."""
    rogue.call().say(rogue.beat(), rogue.run(message("m1")))
    rogue.station.send("ours")
    rogue.world.run(SOON_S)
    again = Rogue(rogue.world, rogue.station)
    [got] = rogue.all(frames.Entries)
    again.own = rogue.own
    again.peer = Position(1, heads.next_head(rogue.pairing.peer_zero, got.entries[0]))
    again.knock()
    again.say(replace(again.hello(), **{f"{side}_head": bytes(64)}))  # type: ignore[arg-type]
    rogue.world.run(SOON_S)
    assert halted_for(rogue.station) == "fork"


def test_a_receipt_for_another_history_halts(rogue: Rogue) -> None:
    """A peer that signs for what was never said has a second history of our log."""
    rogue.call().say(rogue.beat())
    rogue.station.send("ours")
    rogue.world.run(SOON_S)
    other = Position(1, bytes(64))
    rogue.say(frames.ReceiptFrame(1, other.head, 1, rogue.pairing.sign_receipt(other, 1)))
    rogue.world.run(SOON_S)
    assert halted_for(rogue.station) == "fork"
    assert str(rogue.station.view("ours").state) == "sent"


def test_a_receipt_for_what_was_never_sent_halts(rogue: Rogue) -> None:
    """It proves that this station once held more: a restored backup, or a clone elsewhere."""
    rogue.call().say(rogue.beat())
    beyond = Position(7, bytes(64))
    rogue.say(frames.ReceiptFrame(7, beyond.head, 1, rogue.pairing.sign_receipt(beyond, 1)))
    rogue.world.run(SOON_S)
    assert halted_for(rogue.station) == "own-log-lost"


@pytest.mark.parametrize("time_ns", [0, 2**63 - 1, 2**63, 2**64 - 1])
def test_times_that_no_clock_shows(rogue: Rogue, time_ns: int) -> None:
    """A time that a column or a calendar cannot hold must not end the daemon of whoever hears it."""
    rogue.call().say(rogue.beat(time_ns=min(time_ns, 2**63 - 1), held_us=2**64 - 1))
    rogue.station.send("ours")
    rogue.world.run(SOON_S)
    receipt = rogue.receipt(1)
    signature = rogue.pairing.sign_receipt(Position(1, receipt.head), time_ns)
    answer = entries.Acknowledgement(*("ack.1.read", "ours", 1, Decision.READ, time_ns, "lt", ""))
    far = message("far")._replace(composed_ns=time_ns, ack_by_ns=time_ns)
    rogue.say(
        frames.ReceiptFrame(1, receipt.head, time_ns, signature),
        rogue.run(far, answer, entries.Test("t1", time_ns, "lt")),
    )
    rogue.world.run(SOON_S)
    assert rogue.stands()
    assert rogue.station.inbox() == ["far"]
    assert rogue.station.view("far", Side.PEER).composed_ns == time_ns
    assert str(rogue.station.view("ours").state) == "acknowledged"
    assert len(rogue.all(frames.ReceiptFrame)[-1].signature) == limits.ED25519_SIGNATURE_BYTES
