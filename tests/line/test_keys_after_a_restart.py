"""Changed keys are told and remembered: a station that starts again stands where it stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline.model import Side
from support.line_stores import rest, wipe

if TYPE_CHECKING:
    from support.line_world import LineWorld, Station


def until_over(world: LineWorld, station: Station, generation: int = 1) -> None:
    """Wait until a station's keys before a generation are over on both sides, and both are up."""
    lineages = station.line.pairing.owns, world.other(station).line.pairing.peers
    world.until(lambda: all(lineage.oldest == generation for lineage in lineages), 200)
    world.run(2)
    world.until_up()


def restarted(station: Station) -> None:
    """Start a station again, with what it told before left out."""
    rest(station)
    station.reports.clear()
    station.start()


def told(station: Station, event: str) -> list[tuple[str, dict[str, Any]]]:
    """Give level and fields of all reports of one name, without the line's name."""
    return [
        (report.level, {name: said for name, said in report.fields.items() if name != "line"})
        for _, report in station.reports
        if report.event == event
    ]


def test_a_change_of_keys_is_told_at_both_ends(world: LineWorld) -> None:
    """Who later asks when which keys came into force finds it in both stations' logs."""
    reader, writer = world.stations
    card = writer.rotate().card.id.hex()
    until_over(world, writer)
    [change] = writer.store.read(lambda r: r.key_changes(writer.record.line, Side.OWN))
    assert told(writer, "key_change_sealed") == [("info", {"number": change.number, "id": card})]
    assert told(writer, "key_change_confirmed") == [("warning", {"id": card})]
    assert told(reader, "peer_keys_changed") == [("warning", {"number": change.number, "id": card})]
    assert told(reader, "peer_keys_ended") == [("warning", {"id": card})]


def test_keys_that_changed_twice_are_known_after_a_restart(world: LineWorld) -> None:
    """Each succession is signed by the one before it: from the store they are read in order."""
    for generation in (1, 2):
        for station in world.stations:
            station.rotate()
        for station in world.stations:
            until_over(world, station, generation)
    for station in world.stations:
        restarted(station)
        world.until_up()
        peers = station.line.pairing.peers
        assert [card.id for card in peers.cards[1:]] == [
            succession.card.id for succession, _ in world.other(station).successors
        ]
        assert peers.oldest == station.line.pairing.owns.oldest == 2


def test_what_was_confirmed_is_not_told_again_after_a_restart(world: LineWorld) -> None:
    """An operator would look for a second change of keys, and there was none."""
    _, writer = world.stations
    writer.rotate()
    until_over(world, writer)
    assert writer.record.receipt is not None
    assert writer.record.receipt.number == writer.line.pairing.owns[1].number
    restarted(writer)
    assert writer.line.pairing.owns.oldest == 1
    world.until_up()
    assert writer.events("key_change_confirmed") == []


def test_a_reader_that_starts_again_still_refuses_the_old_keys(world: LineWorld) -> None:
    """A thief of the old keys would only have to wait for the next restart."""
    reader, writer = world.stations
    writer.rotate()
    until_over(world, writer)
    [change] = reader.store.read(lambda r: r.key_changes(reader.record.line, Side.PEER))
    assert change.ended
    rest(writer)
    wipe(writer)
    writer.successors.clear()
    world.checks = False
    restarted(reader)
    writer.start()
    world.run(60)
    assert reader.events("session_opened") == []
    assert reader.record.halt is None


def test_no_half_of_a_change_is_left_once_it_is_taken_in(world: LineWorld) -> None:
    """A rest in the store would be taken for a message that is still under way."""
    reader, writer = world.stations
    world.rate = 4000.0
    writer.rotate()
    world.until(lambda: reader.record.peer.number > 0)
    assert partials(reader) == 1, "it came all at once"
    world.rate = None
    until_over(world, writer)
    assert partials(reader) == 0


def partials(station: Station) -> int:
    """Count what the store holds of messages that have come in part."""
    number = station.record.line
    [found] = station.store.transact([lambda tx: len(tx.partials(number))])
    assert isinstance(found, int)
    return found
