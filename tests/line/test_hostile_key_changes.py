"""A peer that announces keys which it may not announce has broken the rules: the line halts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotline import limits
from hotline.errors import ProtocolError
from hotline.identity import Card, SecretKeys
from hotline.identity.succession import Succession
from hotline.line import applying, key_changes
from hotline.line.lineage import Generation, Lineage
from hotline.line.pairing import Pairing
from hotline.line.sealing import _Batch
from hotline.line.session import Session
from hotline.model import (
    Checkpoint,
    KeyChange,
    Kind,
    Mark,
    Outgoing,
    Position,
    Precedence,
    Side,
)
from hotline.wire import entries, heads
from support.line_stores import codes, until_halted
from support.line_world import EPHEMERALS, identity, successor
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station

TIME_NS = 1_650_000_000 * 10**9


def announce(world: LineWorld, card: Card, keys: SecretKeys, encoded: bytes) -> None:
    """Have the second station say that these are its new keys."""
    station, wall_ns = world.second, world.second.moment().wall_ns
    station.line.key_changes.prepare(card, keys)
    said = Succession(station.card.id, card, TIME_NS, encoded)
    station.ask(
        lambda tx, n: (key_changes.begin(tx, n, said, wall_ns),), lambda o: o[0], fetch=True
    )


def refused(world: LineWorld, why: str) -> None:
    """The reader halts, says why, and has taken nothing in."""
    until_halted(world, world.arbiter)
    assert codes(world)[world.arbiter.name] == "peer-broke-rules"
    halt = world.arbiter.record.halt
    assert halt is not None
    assert why in halt.text
    line = world.arbiter.record.line
    assert world.arbiter.store.read(lambda r: r.key_changes(line, Side.PEER)) == []
    assert len(world.arbiter.line.pairing.peers) == 1


def of_another_station(_second: Station) -> tuple[Card, SecretKeys, bytes]:
    """Good in itself, but a stranger's: replayed from another line."""
    keys, card = identity("stranger")
    succession, new = successor("stranger", card, keys, 1)
    return succession.card, new, succession.encoded


def with_a_changed_byte(second: Station) -> tuple[Card, SecretKeys, bytes]:
    """Damaged before it was entered into the log."""
    succession, new = successor(second.name, second.card, second.keys, 1)
    middle = len(succession.encoded) // 2
    data = succession.encoded
    return succession.card, new, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def with_keys_of_ours(second: Station) -> tuple[Card, SecretKeys, bytes]:
    """Under the reader's own X25519 key, a session would be with itself."""
    mine = second.world.arbiter.keys
    _, new = successor(second.name, second.card, second.keys, 1)
    mixed = SecretKeys(mine.x25519, new.ed25519, new.mldsa87)
    card = Card.make(second.name, mixed, TIME_NS)
    return card, mixed, Succession.make(second.card, second.keys, card, mixed, TIME_NS).encoded


def not_the_next(second: Station) -> tuple[Card, SecretKeys, bytes]:
    """The one after the next: the next is left out."""
    first, first_keys = successor(second.name, second.card, second.keys, 1)
    succession, new = successor(second.name, first.card, first_keys, 2)
    return succession.card, new, succession.encoded


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (of_another_station, "follows another card"),
        (with_a_changed_byte, "damaged"),
        (with_keys_of_ours, "x25519 key"),
        (not_the_next, "follows another card"),
    ],
)
def test_a_bad_succession_halts_the_line(
    world: LineWorld, forge: Callable[[Station], tuple[Card, SecretKeys, bytes]], why: str
) -> None:
    """It stands in the log under a valid signature: it can neither be skipped nor taken in."""
    announce(world, *forge(world.second))
    refused(world, why)


def test_a_revoked_card_comes_back_by_no_succession(world: LineWorld) -> None:
    """A revoked station that gets hold of an older card's line must not return under its own keys."""
    succession, keys = successor(world.second.name, world.second.card, world.second.keys, 1)
    mark = Mark("anna", TIME_NS)
    world.arbiter.store.transact([lambda tx: tx.put_revocation(succession.card.id, mark)])
    announce(world, succession.card, keys, succession.encoded)
    refused(world, "revoked here")


def test_the_id_must_be_that_of_the_card(world: LineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The id tells a repeated change from another one."""
    succession, keys = successor(world.second.name, world.second.card, world.second.keys, 1)
    world.second.line.key_changes.prepare(succession.card, keys)
    monkeypatch.setattr(
        "hotline.line.sealing.own_change",
        lambda _p, entry, number: KeyChange(number, succession.card.id, entry.succession),
    )
    entry = entries.KeyChange(entries.key_change_id(bytes(32)), succession.encoded)
    content = entries.encode(entry)
    outgoing = Outgoing(entry.id, Kind.KEY_CHANGE, key_changes.URGENCY, content, bytes(16), TIME_NS)

    def enqueue(tx: Any, line: int) -> tuple[Any]:
        tx.enqueue(line, [outgoing])
        record = replace(tx.line(line), queued_bytes=len(content))
        tx.put_line(record)
        return (record,)

    world.second.ask(enqueue, lambda outcome: outcome[0], fetch=True)
    refused(world, "its id")


@pytest.mark.parametrize("read_at_once", [1, 2, 3, 64])
def test_a_run_that_goes_on_behind_a_change_is_refused(
    world: LineWorld, monkeypatch: pytest.MonkeyPatch, read_at_once: int
) -> None:
    """Otherwise the old key would have signed for entries that the new one has to sign."""
    monkeypatch.setattr(applying, "_READ_AT_ONCE", read_at_once)
    monkeypatch.setattr(_Batch, "fits", lambda self, size_bytes: size_bytes + 3 <= self.room_bytes)
    world.clog()
    world.second.rotate()
    for number in range(3):
        world.second.send(f"behind-{number}")
    world.heal()
    line = world.second.record.line
    refused(world, "run goes on")
    [change] = world.second.store.read(lambda r: r.key_changes(line, Side.OWN))
    refused(world, f"entry {change.number - 3} of")  # where the change ends, not the run


def test_the_old_key_cannot_sign_what_comes_after_the_change(
    world: LineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thief of the old key could otherwise go on writing the log."""
    honest = Lineage.signing_keys
    monkeypatch.setattr(
        Lineage,
        "signing_keys",
        lambda self, changes, number: (
            self[0].keys if len(self) > 1 else honest(self, changes, number)
        ),
    )
    world.second.rotate()
    world.until(lambda: bool(world.arbiter.events("peer_keys_changed")))
    world.second.send("forged")
    world.run(30)
    assert world.arbiter.events("session_failed")
    assert "forged" not in world.arbiter.inbox()


def test_the_old_key_signs_no_checkpoint_over_what_comes_after_the_change(
    world: LineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What proves the log when Ed25519 no longer does must be as hard to forge as the log itself."""
    reader, writer = world.stations
    writer.rotate()
    world.until(lambda: bool(reader.events("peer_keys_ended")))
    old, honest = writer.keys, Pairing.sign_checkpoint

    def forged(pairing: Pairing, own: Position, peer: Position, *rest: Any) -> Checkpoint:
        checkpoint = honest(pairing, own, peer, *rest)
        message = heads.checkpoint_message(
            pairing.own_zero, own, pairing.peer_zero, peer, checkpoint.time_ns
        )
        signature = old.sign_mldsa(message, heads.CHECKPOINT_CONTEXT)
        return (
            replace(checkpoint, signature=signature)
            if pairing is writer.line.pairing
            else checkpoint
        )

    taken = len(reader.events("checkpoint_taken"))
    monkeypatch.setattr(Pairing, "sign_checkpoint", forged)
    writer.send("asked")
    world.run(40)
    assert writer.events("checkpoint_sent")
    assert len(reader.events("checkpoint_taken")) == taken
    assert reader.events("session_failed")


def test_an_old_receipt_key_is_refused_once_the_change_is_over(
    world: LineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overlap ends: then the old key receipts nothing more."""
    world.second.rotate()
    world.until(lambda: bool(world.arbiter.events("peer_keys_ended")))
    world.arbiter.send("asked")
    old = world.second.keys
    monkeypatch.setattr(Lineage, "speaking_keys", property(lambda _: old))  # as a thief would sign
    world.run(30)
    assert world.arbiter.events("session_failed")
    assert world.arbiter.record.receipt is None


def test_a_session_that_was_begun_with_our_old_keys_is_turned_away_once_they_are_over(
    world: LineWorld,
) -> None:
    """It would go on under keys that were perhaps changed because somebody else has them too."""
    station = world.second
    late = Rogue(world, station)
    late.session = Session(late.pairing, EPHEMERALS, initiator=True)
    late.conn = station.line.called("late", station.moment())
    station.ends[late.conn] = late
    station.rotate()
    world.until(lambda: station.line.pairing.owns[1].number is not None)
    late.flush()
    world.until(lambda: station.line.pairing.owns.oldest == 1)
    assert late.stands()
    while late.stands() and not late.session.is_open:
        late.flush()
    late.flush()
    world.run(SOON_S)
    assert not late.stands()
    assert [told["conn"] for told in station.events("session_outdated")] == [late.conn]
    assert late.conn not in {told["conn"] for told in station.events("session_opened")}


def test_a_call_whose_keys_end_on_the_way_says_so(make_world: Callable[..., LineWorld]) -> None:
    """An older reason went on standing in status, as if this call had never been made."""
    world = make_world()
    station = world.second.start()
    world.run(5)
    assert station.reason == "refused"
    world.arbiter.start()
    station.do(lambda line, at: line.retry(at))
    links, owns = station.line.links, station.line.pairing.owns
    world.until(lambda: links.dialling is not None and links.dialling.session is not None)
    succession, keys = successor(station.name, station.card, station.keys, 1)
    owns.add(Generation(succession.card, keys))
    owns.end_before(1)  # as by a receipt that a courier brought
    world.until(lambda: bool(station.events("session_outdated")))
    assert (station.state, station.reason) == ("down", "keys-over")


def test_what_is_over_verifies_nothing() -> None:
    """The newest key is tried first, and the old one only as long as it counts."""
    lineage = Lineage(Generation(identity("south")[1]))
    new = successor("south", identity("south")[1], identity("south")[0], 1)[0].card
    lineage.add(Generation(new))
    assert lineage.usable() == [0, 1]
    assert lineage.end_before(1)
    assert lineage.usable() == [1]
    keys = identity("south")[0]
    with pytest.raises(ProtocolError, match="does not verify"):
        lineage.verify_ed25519(keys.sign_ed25519(b"said"), b"said")


def test_keys_cannot_change_without_end(world: LineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every card of a peer is kept and looked at for good: it must not be able to pile them up."""
    monkeypatch.setattr("hotline.line.key_changes.KEY_CHANGES", 1)
    world.second.rotate()
    world.until(lambda: world.second.line.key_changes.state == "confirmed")
    world.second.rotate()
    until_halted(world, world.arbiter)
    halt = world.arbiter.record.halt
    assert halt is not None
    assert "keys have changed 1 times" in halt.text


def test_only_a_key_change_may_carry_keys(rogue: Rogue) -> None:
    """Under a message's id they would be looked for, and cancelled, as what they are not."""
    whole = entries.encode(entries.KeyChange("m1", bytes(limits.ENTRY_BYTES)))
    parts = [
        entries.Part("m1", key_changes.URGENCY, at, len(whole), whole[at : at + limits.PART_BYTES])
        for at in range(0, len(whole), limits.PART_BYTES)
    ]
    rogue.call().say(rogue.beat(), *(rogue.run(part) for part in parts))
    rogue.world.run(SOON_S)
    halt = rogue.station.record.halt
    assert halt is not None
    assert f"entry {len(parts)} of the peer's log" in halt.text
    assert "no id for a key change" in halt.text
    assert len(rogue.station.line.pairing.peers) == 1


@pytest.mark.parametrize("precedence", list(Precedence))
def test_a_key_change_may_have_any_precedence_and_displaces_as_a_message_does(
    rogue: Rogue, precedence: Precedence
) -> None:
    """The writer chooses; what was half sent with that precedence belongs to nothing from then on."""
    station, own = rogue.station, rogue.pairing.own
    succession, _ = successor(own.name, own, rogue.pairing.keys, 1)
    change = entries.KeyChange(entries.key_change_id(succession.card.id), succession.encoded)
    whole = entries.encode(change)
    begun = entries.Part("m", precedence, 0, len(whole), bytes(limits.PART_BYTES))
    parts = [
        entries.Part(change.id, precedence, at, len(whole), whole[at : at + limits.PART_BYTES])
        for at in range(0, len(whole), limits.PART_BYTES)
    ]
    rogue.call().say(rogue.beat(), rogue.run(begun), *(rogue.run(part) for part in parts[:-1]))
    rogue.world.run(SOON_S)
    [half] = station.store.transact([lambda tx: tx.partials(station.record.line)])
    assert not isinstance(half, Exception)
    assert [one.id for one in half] == [change.id]
    rogue.say(rogue.run(parts[-1]))
    rogue.world.run(SOON_S)
    assert station.record.halt is None
    assert [one.card.id for one in station.line.pairing.peers][1:] == [succession.card.id]
