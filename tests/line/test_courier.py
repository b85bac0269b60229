"""Courier files between two lines: alone, several, again, out of order, and mixed with a live wire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hotline import limits
from hotline.errors import RefusedError
from hotline.identity.courierkey import SEALED_OVERHEAD_BYTES, CourierKey, CourierSecret
from hotline.line import courier_files, sealing
from hotline.model import Decision, Precedence, Side
from hotline.wire import courier as files
from hotline.wire import frames
from support.courier_by_the_page import CourierReader
from support.line_courier import (
    TwoWays,
    answer,
    ask_export,
    bring,
    export,
    send,
    states,
    until_keys_are_kept,
)
from support.line_world import LineWorld, identity

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_whole_exchange_needs_no_wire(apart: LineWorld) -> None:
    """An order that goes by hand must end as provable as one that went by wire."""
    north, south = apart.stations
    send(apart, north, "short")
    send(apart, north, "long", body="x" * 300_000)
    send(apart, south, "other")
    assert states(north) == ["queued", "queued"]
    taken = bring(apart, south, export(apart, north))
    assert (taken.applied.messages, taken.delivered) == (["short", "long"], 0)
    assert states(north) == ["sent", "sent"]
    reply = south.answer("short", Decision.WILCO)
    apart.until(lambda: reply.value is not None)
    taken = bring(apart, north, export(apart, south))
    assert (taken.applied.messages, taken.applied.acknowledged) == (["other"], ["short"])
    assert taken.delivered == 2
    assert states(north) == ["acknowledged", "delivered"]
    assert bring(apart, south, export(apart, north)).delivered == 1
    assert states(south) == ["delivered"]
    assert [view.attempts for view in north.page(Side.OWN)] == [1, 1]
    apart.check_messages(settled=True)


def test_the_most_urgent_goes_first_and_what_has_expired_does_not_go(apart: LineWorld) -> None:
    """A file has one order too: whoever reads only its beginning must have read the FLASH."""
    north, south = apart.stations
    send(apart, north, "routine")
    send(apart, north, "gone", expires_s=5.0)
    send(apart, north, "flash", precedence=Precedence.FLASH)
    north.line.vitals.set_heartbeat(60.0)
    north.wall_step_ns = 10 * 10**9
    assert bring(apart, south, export(apart, north)).applied.messages == ["flash", "routine"]
    assert states(north) == ["sent", "expired", "sent"]
    assert [event["id"] for event in north.events("message_expired")] == ["gone"]


def test_a_file_that_comes_again_changes_nothing(apart: LineWorld) -> None:
    """A courier who is sent twice must not make two orders of one."""
    north, south = apart.stations
    send(apart, north, "a", "b")
    first = export(apart, north)
    again = export(apart, north)
    assert [view.attempts for view in north.page(Side.OWN)] == [2, 2]
    for file, entries in ((first, 2), (first, 0), (again, 0)):
        taken = bring(apart, south, file)
        assert (taken.entries, len(taken.applied.messages)) == (entries, entries)
    assert south.inbox() == ["a", "b"]


def test_several_files_are_taken_in_in_their_order_only(apart: LineWorld) -> None:
    """A file lost on the way would be a hole in the log that nobody is told of."""
    north, south = apart.stations
    send(apart, north, *(f"m{n}" for n in range(5)), body="x" * 5000)
    packed, first = answer(apart, ask_export(north, most_bytes=10_000))
    assert (packed.last, packed.more) == (2, True)
    packed, second = answer(apart, ask_export(north, after=2, most_bytes=10_000))
    assert (packed.before.number, packed.last, packed.more) == (2, 4, True)
    packed, third = answer(apart, ask_export(north, after=4))
    assert (packed.last, packed.more) == (5, False)
    assert [view.attempts for view in north.page(Side.OWN)] == [1] * 5
    before = south.record
    with pytest.raises(RefusedError, match="the entries 1 to 2 are missing"):
        bring(apart, south, second)
    bring(apart, south, first)
    with pytest.raises(RefusedError, match="the entries 3 to 4 are missing"):
        bring(apart, south, third)
    assert before.peer.number == 0
    bring(apart, south, second)
    bring(apart, south, third)
    assert south.inbox() == [f"m{n}" for n in range(5)]
    for after in (6, -1):
        with pytest.raises(RefusedError, match="can go on after the entries 0 to 5"):
            export(apart, north, after=after)


def test_a_file_with_everything_heals_one_that_was_lost(apart: LineWorld) -> None:
    """Nobody may have to know which courier was caught."""
    north, south = apart.stations
    send(apart, north, "a")
    export(apart, north)
    send(apart, north, "b")
    assert bring(apart, south, export(apart, north)).applied.messages == ["a", "b"]


def test_the_largest_load_fits_one_file(apart: LineWorld) -> None:
    """A file that cannot be made any more would block all that is queued behind it."""
    north, south = apart.stations
    for n in range(4):
        send(apart, north, f"m{n}", body="x" * 700_000)
    packed, file = answer(apart, ask_export(north))
    assert packed.more
    assert len(packed.runs) == 15
    assert limits.COURIER_BYTES < len(file) <= limits.COURIER_FILE_BYTES
    bring(apart, south, file)
    _, file = answer(apart, ask_export(north, after=packed.last))
    bring(apart, south, file)
    assert south.inbox() == ["m0", "m1", "m2", "m3"]
    assert {view.body for view in south.page(Side.PEER)} == {"x" * 700_000}


def test_a_file_says_little_by_its_size(apart: LineWorld) -> None:
    """Whoever weighs the courier's bag must not learn what was said."""
    north, _ = apart.stations
    sizes = set()
    for n in range(4):
        send(apart, north, f"m{n}", body="x" * 1500 * n)
        sizes.add(len(export(apart, north)))
    send(apart, north, "longer", body="x" * 30_000)
    sizes.add(len(export(apart, north)))
    around = files.HEADER_BYTES + SEALED_OVERHEAD_BYTES
    least = limits.COURIER_MIN_BYTES
    assert sizes == {least + around, 2 * least + around}


def test_a_receipt_alone_is_worth_a_file(apart: LineWorld) -> None:
    """With nothing to say, what was delivered could never be known."""
    north, south = apart.stations
    send(apart, north, "a")
    bring(apart, south, export(apart, north))
    packed, file = answer(apart, ask_export(south))
    assert (packed.runs, packed.more) == ([], False)
    assert bring(apart, north, file).delivered == 1


def test_keys_go_by_wire_once_a_session(world: LineWorld) -> None:
    """A key that is missing when the wire is cut can no longer come by it."""
    assert world.until(
        lambda: all(station.events("courier_key_kept") for station in world.stations)
    )
    world.run(30)
    world.cut()
    world.run(30)
    assert [len(s.events("courier_key_kept")) for s in world.stations] == [1, 1]
    north, south = world.stations
    world.clog()
    world.run(60)
    assert (north.state, south.state) == ("down", "down")
    send(world, north, "a")
    bring(world, south, export(world, north))
    assert south.inbox() == ["a"]


def test_a_key_waits_while_an_entry_is_in_flight(world: LineWorld) -> None:
    """Eight kilobytes before the receipt of an order are a second on a slow link."""
    north, south = world.stations
    world.until(lambda: bool(north.events("session_agreed") and south.events("session_agreed")))
    world.delay_s = 4.0
    send(world, north, "a")
    world.until(lambda: north.record.delivered == 1)
    assert south.events("courier_key_kept") == []
    world.until(lambda: bool(south.events("courier_key_kept")), 30 * 2 * world.delay_s)


def test_without_the_peers_key_nothing_is_numbered(make_world: Callable[..., LineWorld]) -> None:
    """A message called sent, and in no file, would wait for nobody knows what."""
    made = make_world()
    made.second.addresses = ()
    made.start()
    north = made.stations[0]
    send(made, north, "a")
    with pytest.raises(RefusedError, match="no courier key"):
        export(made, north)
    assert states(north) == ["queued"]


def test_a_file_brings_the_key_for_the_answer(make_world: Callable[..., LineWorld]) -> None:
    """Who was reached by a courier must be able to send one back."""
    made = make_world()
    made.second.addresses = ()
    made.start()
    north, south = made.stations
    reply = ask_export(north)
    made.until(lambda: reply.value is not None)
    assert isinstance(reply.value, RefusedError)
    key = south.line.pairing.courier_key.encoded
    north.store.transact([north.line.courier.keeping(key)])
    bring(made, south, export(made, north))
    bring(made, north, export(made, south))


def test_a_line_that_lives_hears_at_once_of_what_a_courier_brought(world: LineWorld) -> None:
    """A receipt kept back until the next courier would leave the sender in doubt for days."""
    north, south = world.stations
    until_keys_are_kept(world)
    world.clog(south)
    send(world, north, "a")
    file = export(world, north)
    bring(world, south, file)
    assert south.inbox() == ["a"]
    world.until(lambda: north.view("a").state == "delivered", 4.0)
    world.heal()
    world.until_up()
    world.run(10)
    assert south.inbox() == ["a"]
    world.check_messages(settled=True)


def test_the_wire_goes_on_behind_what_a_courier_brought(world: LineWorld) -> None:
    """A station whose disk was full must not accuse its peer of a gap that a courier has filled."""
    north, south = world.stations
    until_keys_are_kept(world)
    south.full = True
    send(world, north, "a", "b")
    world.until(lambda: bool(south.events("store_full")))
    world.cut()  # the next session begins with a hello that takes nothing in
    south.full = False
    world.until(lambda: all(len(one.events("session_agreed")) == 2 for one in (north, south)))
    assert north.reason == "peer-not-accepting"
    assert bring(world, south, export(world, north)).applied.messages == ["a", "b"]
    world.until_up()
    send(world, north, "c")
    world.until(lambda: north.view("c").state == "delivered")
    assert south.events("session_failed") == []
    world.check_messages(settled=True)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_or_doubled_by_two_ways(
    make_world: Callable[..., LineWorld], seed: int
) -> None:
    """Wire, files old and new, crashes and cuts, all at once: each message arrives once."""
    world = make_world(seed).start()
    world.until_up()
    until_keys_are_kept(world)
    both = TwoWays(world)
    for _ in range(120):
        both.step()
    assert both.brought, "no file was taken in: this seed shows nothing"
    both.settle()


def test_a_file_can_be_read_from_the_page_alone(apart: LineWorld) -> None:
    """Another maker's station must be able to take a courier in; this reader knows the page only."""
    north, south = apart.stations
    send(apart, north, "a")
    packed, file = answer(apart, ask_export(north))
    keys, own = identity(south.name)
    reader = CourierReader(keys.seeds(), own, identity(north.name)[1])
    content = reader.read(file)
    assert content[:3] == ["hotline/1 courier file", north.card.id, south.card.id]
    assert content[4:6] == [0, north.line.pairing.own_zero]
    assert content[6:9] == [0, north.line.pairing.peer_zero, 0]
    carried = content[9]
    assert isinstance(carried, list)
    key, entries = carried
    assert (key[0], entries[0]) == (11, 3)
    assert len(key) == 1 + 4 + limits.COURIER_KEY_BYTES
    assert entries[1:] == frames.encode(packed.runs[0])[1]


def test_a_checkpoint_goes_along(apart: LineWorld) -> None:
    """What went by hand only would be provable by Ed25519 alone, for ever."""
    north, south = apart.stations
    send(apart, north, "a")
    bring(apart, south, export(apart, north))
    bring(apart, north, export(apart, south))
    bring(apart, south, export(apart, north))
    number = south.line.record.line
    [kept] = south.store.transact([lambda tx: tx.newest_checkpoint(number, Side.PEER)])
    assert kept is not None
    assert not isinstance(kept, Exception)
    assert kept.numbers == (1, 0)


def test_nothing_new_is_numbered_where_nobody_was_heard(apart: LineWorld) -> None:
    """A restored store would sign other entries under numbers that it has used."""
    north, south = apart.stations
    send(apart, north, "a")
    with pytest.raises(RefusedError, match="was not heard since"):
        export(apart, north, may_number=False)
    assert states(north) == ["queued"]
    bring(apart, south, export(apart, north))
    # What is numbered already, and a receipt, may go.
    bring(apart, south, export(apart, north, may_number=False))
    assert bring(apart, north, export(apart, south, may_number=False)).delivered == 1


def test_a_queue_of_what_has_expired_makes_no_entries(
    apart: LineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at a queue of a million that have expired must not hold up everything else."""
    north, south = apart.stations
    monkeypatch.setattr(courier_files, "_LOOKS_MOST", 1)
    for n in range(3):
        send(apart, north, f"gone{n}", expires_s=5.0)
    send(apart, north, "stays")
    north.line.vitals.set_heartbeat(60.0)
    north.wall_step_ns = 10 * 10**9
    monkeypatch.setattr(sealing, "_ROWS_A_LOOK", 2)
    packed, _ = answer(apart, ask_export(north))
    assert (list(packed.expired), packed.runs, packed.more) == (["gone0", "gone1"], [], True)
    monkeypatch.setattr(courier_files, "_LOOKS_MOST", 64)
    packed, file = answer(apart, ask_export(north))
    assert (list(packed.expired), packed.last, packed.more) == (["gone2"], 1, False)
    assert bring(apart, south, file).applied.messages == ["stays"]


def test_a_key_of_another_card_is_none(apart: LineWorld) -> None:
    """A card that was replaced must not have files sealed to the keys of the old one."""
    north, south = apart.stations
    number, key = north.record.line, south.line.pairing.courier_key.encoded
    keys, card = identity("stranger")
    old = CourierKey.make(keys, card, CourierSecret(keys)).encoded
    north.store.transact([lambda tx: tx.put_courier_key(number, old)])
    send(apart, north, "a")
    with pytest.raises(RefusedError, match="no courier key"):
        export(apart, north)
    assert north.store.transact([north.line.courier.keeping(key)]) == [True]
    assert north.store.transact([north.line.courier.keeping(key)]) == [False]
    bring(apart, south, export(apart, north))


def test_a_recovery_goes_by_wire(apart: LineWorld) -> None:
    """A log that is only half back must not be written on, nor compared as if it were whole."""
    north, south = apart.stations
    send(apart, south, "a")
    file = export(apart, south)
    north.store.transact([lambda tx: tx.put_line(replace(north.record, recovering=True))])
    with pytest.raises(RefusedError, match="still taking back"):
        export(apart, north)
    with pytest.raises(RefusedError, match="still taking back"):
        bring(apart, north, file)


def test_no_receipt_goes_to_a_peer_that_recovers(
    world: LineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be for more of its log than it has back, and halt it."""
    north, south = world.stations
    until_keys_are_kept(world)
    world.clog(south)
    send(world, north, "a")
    file = export(world, north)
    monkeypatch.setattr(type(south.line._recovery), "reason", "peer-recovering")
    bring(world, south, file)
    world.run(0.5)
    assert north.view("a").state == "sent"
    monkeypatch.undo()


def test_a_key_that_is_none_ends_the_session(world: LineWorld) -> None:
    """A peer that sends junk for a key would be believed to have none."""
    north, south = world.stations
    south.full = True
    frame = frames.CourierKeyFrame(south.line.pairing.courier_key.encoded)
    south.line.courier.take_key(frame)
    south.do(lambda line, at: line.wake(at))
    world.run(1)
    assert south.events("session_failed") == []
    south.full = False
    world.run(10)
    world.until_up()
    north.line.courier._context.push(frames.CourierKeyFrame(bytes(limits.COURIER_KEY_BYTES)))
    north.do(lambda line, at: line.wake(at))
    world.until(lambda: bool(south.events("session_failed")))
    world.until_up()
