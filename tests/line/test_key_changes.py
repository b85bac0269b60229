"""Keys that change under a line: nothing is lost, old keys end, and no crash leaves the two apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline.errors import EvidenceError, IdentityError, ProtocolError
from hotline.evidence.audit import Audit, Auditor
from hotline.evidence.signers import Signers
from hotline.line.liveness import LineState
from hotline.model import Precedence, Side
from support.line_courier import bring, export, send
from support.line_stores import codes, copy, recover, rest, restore, wipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station


def busy(world: LineWorld, mark: str, count: int = 12) -> None:
    """Have both stations send something, some of it long."""
    for number in range(count):
        for station in world.stations:
            size = 30_000 if number % 5 == 2 else 40
            station.send(f"{station.name}-{mark}-{number}", "x" * size)


def both_call(world: LineWorld) -> None:
    """Let both stations dial from their next start: one that has halted does not."""
    for station in world.stations:
        station.addresses = (world.other(station).name,)


def settled(world: LineWorld) -> bool:
    """Tell whether all that was queued is receipted on both sides, and the line is up."""
    return all(
        s.alive
        and s.state is LineState.UP
        and not s.record.queued_bytes
        and (s.record.receipt.number if s.record.receipt else 0) == s.record.own.number
        for s in world.stations
    )


def changed(station: Station, generation: int = 1) -> bool:
    """Tell whether the peer has confirmed a station's keys, and both speak under them alone."""
    other = station.world.other(station)
    card = station.line.pairing.owns[generation].card
    links = [s.line.links.current for s in (station, other)]
    return (
        station.line.key_changes.state == "confirmed"
        and station.line.pairing.owns.oldest == generation
        and other.line.pairing.peers.oldest == other.line.pairing.peers.index(card.id)
        and all(link is not None and link.outdated_at is None for link in links)
    )


def until_changed(world: LineWorld, *stations: Station, generation: int = 1) -> None:
    world.until(
        lambda: (
            all(s.alive for s in world.stations)
            and all(changed(s, generation) for s in stations)
            and settled(world)
        ),
        200,
    )
    world.check_messages(settled=True)


def test_a_station_changes_its_keys_while_both_keep_talking(world: LineWorld) -> None:
    """What was sent before, during and after arrives once, and the session is under the new keys."""
    busy(world, "before")
    succession = world.second.rotate()
    busy(world, "during")
    until_changed(world, world.second)
    busy(world, "after")
    until_changed(world, world.second)
    for station in world.stations:
        session = station.line.links.current.session  # type: ignore[union-attr]
        assert session is not None
        assert succession.card.id in (session.own_id, session.peer_id)
        assert station.events("line_halted") == []


def test_both_change_at_once(world: LineWorld) -> None:
    """Each announces its new keys before it has heard of the other's."""
    busy(world, "before")
    for station in world.stations:
        station.rotate()
    busy(world, "during")
    until_changed(world, *world.stations)


def test_keys_change_twice(world: LineWorld) -> None:
    """The second change is signed by the keys of the first."""
    for generation in (1, 2):
        for station in world.stations:
            station.rotate()
            busy(world, f"{generation}")
        until_changed(world, *world.stations, generation=generation)


def test_a_change_that_a_session_shows_before_its_receipt_comes_is_told_too(
    make_world: Callable[..., LineWorld],
) -> None:
    """Who waited for it to destroy the old keys waited for ever."""
    world = make_world(3).start()
    world.until_up()
    changing, other = world.arbiter, world.second
    assert not changing.addresses, "the other calls it, by the name that it knows now"
    succession = changing.rotate()
    world.until(lambda: other.line.pairing.peers.index(succession.card.id) is not None)
    world.clog(changing)  # the receipt is on its way
    world.cut()
    world.run(1)
    assert changing.line.key_changes.state == "pending"
    world.heal()
    until_changed(world, changing)
    told = changing.events("key_change_confirmed")
    assert told == [{"line": other.name, "id": succession.card.id.hex()}]
    changing.crash()
    changing.start()
    busy(world, "after")
    until_changed(world, changing)
    assert changing.events("key_change_confirmed") == told, "once, and not at each start"


def test_a_line_that_is_down_changes_keys_when_it_is_up_again(world: LineWorld) -> None:
    """Nothing may depend on the peer being there when the keys are made."""
    world.clog()
    world.cut()
    world.run(60)
    world.second.rotate()
    world.run(100)
    assert world.second.line.key_changes.state == "pending"
    world.heal()
    until_changed(world, world.second)


def test_old_keys_are_destroyed_and_the_station_starts(world: LineWorld) -> None:
    """Once all is confirmed a start needs the new key alone."""
    world.second.rotate()
    until_changed(world, world.second)
    world.second.crash()
    world.second.destroyed = 1
    world.run(1)
    world.second.start()
    busy(world, "after")
    until_changed(world, world.second)


def test_the_old_identity_is_refused_afterwards(world: LineWorld) -> None:
    """Whoever has only the old keys gets no session any more."""
    world.second.rotate()
    until_changed(world, world.second)
    rest(world.second)
    wipe(world.second)
    world.second.successors.clear()
    world.checks = False
    world.arbiter.reports.clear()
    world.second.start()
    world.run(60)
    assert world.arbiter.events("session_opened") == []
    assert world.strangers > 0
    assert codes(world)[world.arbiter.name] is None


@pytest.mark.parametrize("seed", range(6))
def test_crashes_at_any_commit(make_world: Callable[..., LineWorld], seed: int) -> None:
    """Between any two commits either side may die: both must find an identity that the other takes."""
    world = make_world(seed).start()
    world.until_up()
    rotating = world.stations if seed % 3 == 0 else [world.stations[seed % 2]]
    for station in rotating:
        station.rotate()
    busy(world, "during", 4)
    for _ in range(12):
        victim = world.random.choice(world.stations)
        for _ in range(world.random.randrange(1, 40)):
            world.step()
        if victim.alive:
            victim.crash()
            victim.start()
    until_changed(world, *rotating)


@pytest.mark.parametrize("seed", range(3))
def test_partitions_while_keys_change(make_world: Callable[..., LineWorld], seed: int) -> None:
    """A lost receipt, a cut before it, a network that takes one way only."""
    world = make_world(100 + seed).start()
    world.until_up()
    for station in world.stations:
        station.rotate()
    busy(world, "during", 4)
    for _ in range(8):
        world.run(world.random.uniform(0.0, 0.3))
        if world.random.random() < 0.5:
            world.cut()
        else:
            world.clog(world.random.choice(world.stations))
            world.run(world.random.uniform(0.0, 40.0))
            world.heal()
    until_changed(world, *world.stations)


def test_only_who_is_called_can_change_too(make_world: Callable[..., LineWorld]) -> None:
    """The station without addresses cannot renew a session itself: the other one does."""
    world = make_world(3).start()
    world.until_up()
    assert not world.arbiter.addresses
    world.arbiter.rotate()
    until_changed(world, world.arbiter)


def test_a_store_from_before_the_change_is_recovered(world: LineWorld) -> None:
    """A restored store knows nothing of the new keys; the files do, and the log tells the rest."""
    busy(world, "before")
    world.until(lambda: settled(world))
    rest(world.second)
    old = copy(world.second)
    world.second.start()
    world.until_up()
    world.second.rotate()
    busy(world, "during")
    until_changed(world, world.second)
    world.second.crash()
    restore(world.second, old)
    world.checks = False  # a store loses history here
    both_call(world)
    world.second.destroyed = 1
    world.second.start()
    world.until(lambda: world.second.record.halt is not None, 100)
    recover(world.second)
    until_changed(world, world.second)
    changes = world.second.store.read(lambda r: r.key_changes(world.second.record.line, Side.OWN))
    assert [change.id for change in changes] == [world.second.successors[0][0].card.id]


def test_a_peer_that_lost_its_store_learns_the_change_again(world: LineWorld) -> None:
    """Its operator is given the succession as a file: then the log can be sent again."""
    busy(world, "before")
    world.second.rotate()
    until_changed(world, world.second)
    world.second.crash()
    world.second.destroyed = 1
    world.second.start()
    rest(world.arbiter)
    wipe(world.arbiter)
    world.arbiter.peers_successors = [world.second.successors[0][0]]
    world.checks = False
    both_call(world)
    world.arbiter.start()
    world.until(lambda: world.arbiter.record.halt is not None, 200)
    recover(world.arbiter)
    until_changed(world, world.second)


def test_a_flash_goes_before_the_parts_of_a_change(make_world: Callable[..., LineWorld]) -> None:
    """Seventeen kilobytes of keys must not hold up what is urgent."""
    world = make_world(5)
    world.rate = 4000.0
    world.start()
    world.until_up(200)
    world.second.rotate()
    world.run(0.5)
    world.second.send("now", "urgent", Precedence.FLASH)
    until_changed(world, world.second)
    number = world.second.view("now").number
    changes = world.second.store.read(lambda r: r.key_changes(world.second.record.line, Side.OWN))
    assert number is not None
    assert number < changes[0].number


def test_keys_change_by_courier(apart: LineWorld) -> None:
    """Where there is no wire, a file ends with the change, and the next one is under the new keys."""
    north, south = apart.stations
    succession = south.rotate()
    send(apart, south, "before-or-after")
    first = export(apart, south)
    assert bring(apart, north, first).applied.change is not None
    number = south.line.pairing.owns[1].number
    send(apart, south, "after")
    second = export(apart, south, after=number)
    bring(apart, north, second)
    assert sorted(north.inbox()) == ["after", "before-or-after"]
    bring(apart, south, export(apart, north))
    assert south.line.key_changes.state == "confirmed"
    assert south.line.pairing.owns.oldest == 1
    assert north.line.pairing.peers.cards[-1] == succession.card
    apart.check_messages(settled=True)


def audited(station: Station, *, told: bool = True) -> Audit:
    """Check a station's whole record of the line, told of the key changes in it or not."""
    line, other = station.record.line, station.world.other(station)
    changes = [
        station.store.read(lambda r, side=side: r.key_changes(line, side) if told else [])  # type: ignore[misc]
        for side in Side
    ]
    signers = [
        Signers.of_log(card, one)
        for card, one in zip((station.card, other.card), changes, strict=True)
    ]
    return Auditor(station.store, station.record, *signers).run(lambda: None)


def test_the_record_is_checked_across_a_change(world: LineWorld) -> None:
    """Signatures, receipts and checkpoints of before and after must all be provable."""
    for station in world.stations:
        busy(world, f"before-{station.name}", 3)
        station.rotate()
        busy(world, f"after-{station.name}", 3)
    until_changed(world, *world.stations)
    busy(world, "last", 2)
    world.run(30)
    for station in world.stations:
        audit = audited(station)
        assert audit.own_checkpoints
        assert audit.peer_checkpoints
        with pytest.raises(EvidenceError, match="does not verify"):
            audited(station, told=False)


def test_a_receipt_by_keys_that_only_files_name_is_proven(world: LineWorld) -> None:
    """A station that lost its store signs by its newest keys before its log names them again."""
    station = world.second
    station.rotate()
    until_changed(world, station)
    line, [(succession, keys)] = station.record.line, station.successors
    signature = keys.sign_ed25519(b"a receipt")
    with pytest.raises(ProtocolError, match="does not verify"):
        Signers.of_log(station.card, []).any.verify_ed25519(signature, b"a receipt")
    told = Signers.of_log(station.card, [], [succession])
    told.any.verify_ed25519(signature, b"a receipt")
    changes = station.store.read(lambda r: r.key_changes(line, Side.OWN))
    both = Signers.of_log(station.card, changes, [succession])
    assert both.successions == told.successions == (succession.encoded,)


def test_an_old_key_proves_nothing_after_its_time(world: LineWorld) -> None:
    """Somebody who stole it must not be able to add to the record."""
    world.second.rotate()
    until_changed(world, world.second)
    busy(world, "after", 1)
    world.run(5)
    line = world.second.record.line
    changes = world.second.store.read(lambda r: r.key_changes(line, Side.OWN))
    number = world.second.record.own.number
    assert changes[0].number < number
    signers = Signers.of_log(world.second.card, changes)
    signature = world.second.keys.sign_ed25519(b"forged")
    signers.of(changes[0].number).verify_ed25519(signature, b"forged")
    with pytest.raises(ProtocolError, match="does not verify"):
        signers.of(number).verify_ed25519(signature, b"forged")


def test_a_station_whose_keys_are_all_gone_does_not_start(world: LineWorld) -> None:
    """It could sign nothing that the peer believes: better said at the start than by silence."""
    second = world.second
    second.rotate()
    until_changed(world, second)
    second.crash()
    second.destroyed = 2
    with pytest.raises(IdentityError, match="is not here") as caught:
        second.start()
    assert "restore the key files" in caught.value.hint
    second.store.close()
    second.destroyed = 1
    second.start()
    busy(world, "after")
    until_changed(world, second)


def test_without_the_keys_that_a_sealed_change_names_a_station_does_not_start(
    world: LineWorld,
) -> None:
    """It started, and the first message ended the daemon, for all lines."""
    second = world.second
    second.rotate()
    world.until(lambda: second.line.pairing.owns[1].number is not None)
    world.clog(second)
    world.cut()
    world.run(1)
    assert second.line.key_changes.state == "pending", "no receipt came"
    kept, second.successors = second.successors, []
    second.crash()
    with pytest.raises(IdentityError, match="is not here"):
        second.start()
    second.store.close()
    second.successors = kept
    world.heal()
    second.start()
    busy(world, "after")
    until_changed(world, second)


def test_a_change_whose_keys_are_gone_halts_the_line_and_waits_for_them(world: LineWorld) -> None:
    """Sealed, it would hand the line to keys that nobody holds; passed over in silence, it stalls."""
    second = world.second
    world.clog()
    world.cut()
    world.run(60)
    second.rotate()
    world.run(1)
    kept, second.successors = second.successors, []
    second.crash()
    second.start()
    second.send("waits")
    world.heal()
    world.until(lambda: second.record.halt is not None, 200)
    assert codes(world)[second.name] == "own-key-missing"
    line = second.record.line
    assert second.store.read(lambda r: r.key_changes(line, Side.OWN)) == [], "it was sealed"
    second.crash()
    second.successors = kept
    second.start()
    second.do(lambda line, at: line.retry(at))
    until_changed(world, second)
    assert world.arbiter.inbox() == ["waits"]
