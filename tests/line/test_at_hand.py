"""What is shown to whoever is on watch without asking the store must be what the store would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline import limits
from hotline.model import Decision, Precedence, Side
from support.line_stores import recover, rest, until_halted, wipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.store.views import MessageView
    from support.line_world import LineWorld, Station


def shown(station: Station) -> list[MessageView]:
    """Give what was at hand for those on watch."""
    return [one.view() for _, report in station.reports for one in report.about]


def watched(make_world: Callable[..., LineWorld]) -> tuple[LineWorld, Station, Station]:
    """Give a world in which somebody is on watch at the second of two stations, and both."""
    world = make_world(1)
    writer, reader = world.stations
    for station in (writer, reader):
        station.start()
    reader.do(lambda line, at: line.set_attended(True, at))
    return world, writer, reader


def test_what_is_at_hand_is_what_the_store_says(make_world: Callable[..., LineWorld]) -> None:
    """An operator would act on a message that nobody can look up afterwards, or on another text."""
    world, writer, reader = watched(make_world)
    writer.send("plain", "text", Precedence.ROUTINE)
    writer.send("urgent", "\u2028 \x1b[2J", Precedence.FLASH)
    world.until(lambda: writer.record.delivered == 2)
    reader.send("answer")
    writer.send("long", "x" * 20_000, Precedence.PRIORITY)
    world.until(lambda: writer.record.delivered == 3)
    found = shown(reader)
    assert sorted(view.id for view in found) == ["long", "plain", "urgent"]
    for view in found:
        assert view == reader.view(view.id, Side.PEER)


def test_what_comes_back_after_a_loss_is_shown_as_it_was_answered(
    make_world: Callable[..., LineWorld],
) -> None:
    """An operator would answer once more what had been answered before the store was lost."""
    world = make_world(7)
    world.checks = False
    writer, reader = world.stations
    for station in world.stations:
        station.addresses = (world.other(station).name,)
    world.start().until_up()
    writer.send("order", "text", Precedence.FLASH)
    world.until(lambda: writer.record.delivered == 1)
    reader.answer("order", Decision.WILCO)
    world.until(lambda: writer.record.acknowledged == 1)
    rest(reader)
    wipe(reader)
    reader.reports.clear()
    reader.start()
    reader.do(lambda line, at: line.set_attended(True, at))
    until_halted(world, reader, writer)
    recover(reader)
    world.until(lambda: reader.state == "up" and not reader.record.recovering)
    assert reader.view("order", Side.PEER).decision is Decision.WILCO
    assert all(view == reader.view(view.id, Side.PEER) for view in shown(reader))


def test_a_drain_is_at_hand(make_world: Callable[..., LineWorld]) -> None:
    """To read each message from the disk again takes a processor that a FLASH is waiting for."""
    world, writer, reader = watched(make_world)
    writer.stop()
    world.run(5)
    writer.start()
    for number in range(400):
        writer.send(
            f"m{number}", "text", Precedence.FLASH if number % 50 == 0 else Precedence.ROUTINE
        )
    world.until(lambda: writer.record.delivered == 400)
    found = shown(reader)
    assert {f"m{number}" for number in range(400)} == {view.id for view in found}
    for view in found:
        assert view == reader.view(view.id, Side.PEER)


def test_what_is_at_hand_is_bounded(make_world: Callable[..., LineWorld]) -> None:
    """A mebibyte of text in each of a few messages must not be held beside the store."""
    world, writer, reader = watched(make_world)
    writer.send("huge", "x" * limits.MESSAGE_BYTES)
    writer.send("small", "text", Precedence.FLASH)
    world.until(lambda: writer.record.delivered == 2)
    assert [view.id for view in shown(reader)] == ["small"]


def test_nothing_is_kept_at_hand_when_nobody_is_on_watch(world: LineWorld) -> None:
    """It would be work in every message's way, for nobody."""
    north, south = world.stations
    north.send("a", "text", Precedence.FLASH)
    world.until(lambda: north.record.delivered == 1)
    assert shown(south) == []


def test_flashes_are_sealed_in_a_run_of_their_own(make_world: Callable[..., LineWorld]) -> None:
    """A FLASH in one run with a hundred others is shown when all of them are at the disk."""
    world = make_world(1)
    writer = world.stations[0].start()
    for number in range(50):
        precedence = Precedence.FLASH if number % 25 == 0 else Precedence.ROUTINE
        writer.send(f"m{number}", "text", precedence)
    world.run(1)
    world.stations[1].start()
    world.until(lambda: writer.record.delivered == 50)
    runs = [(one["first"], one["last"]) for one in writer.events("entries_sent")]
    assert runs[0] == (1, 2)
    assert runs[1][0] == 3


def test_after_a_flash_runs_are_short_for_a_while(make_world: Callable[..., LineWorld]) -> None:
    """The next FLASH would stand behind as much as the first."""
    world = make_world(1)
    world.delay_s, world.commit_s = 0.0002, (0.0001, 0.0005)
    writer, reader = (station.start() for station in world.stations)
    world.until_up()
    longest = []
    for name, precedence in (("before", Precedence.ROUTINE), ("after", Precedence.FLASH)):
        writer.reports.clear()
        writer.send(f"{name}-first", "text", precedence)
        for number in range(600):
            writer.send(f"{name}-{number}", "x" * 1000)
        count = writer.record.delivered + 601
        world.until(lambda count=count: writer.record.delivered == count)  # type: ignore[misc]
        runs = [one["last"] - one["first"] + 1 for one in writer.events("entries_sent")]
        longest.append(max(runs))
    assert longest[0] > 30
    assert longest[1] <= 22
    assert reader.view("after-first", Side.PEER).precedence is Precedence.FLASH
