"""What a line says of the peer's entries: what is new, what is shown, and which one broke a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline.model import Decision, Precedence
from hotline.wire import entries
from support.line_courier import bring, export, send
from support.rogue import SOON_S

if TYPE_CHECKING:
    from support.line_world import LineWorld
    from support.rogue import Rogue

ROUTINE, FLASH = Precedence.ROUTINE, Precedence.FLASH


def message(identifier: str, precedence: Precedence = ROUTINE, body: str = "b") -> entries.Message:
    return entries.Message(identifier, precedence, 1, None, "lt", "s", body)


def test_entries_that_come_again_bring_nothing_new(rogue: Rogue) -> None:
    """Whoever counts what a report brings must find the same fields in it, and nothing in them."""
    station = rogue.station
    run = rogue.run(message("m1", FLASH))
    rogue.call().say(rogue.beat(), run)
    rogue.world.run(SOON_S)
    rogue.say(run)
    rogue.world.run(SOON_S)
    first, again = (
        [list(told[name]) for name in ("ids", "flashes", "acknowledged")]
        for told in station.events("entries_applied")
    )
    assert first == [["m1"], ["m1"], []]
    assert again == [[], [], []]
    assert station.inbox() == ["m1"]


def test_of_a_long_run_the_flashes_are_at_hand_first(rogue: Rogue) -> None:
    """What is urgent must not be read again from the store, nor wait behind what is not."""
    station = rogue.station
    station.do(lambda line, at: line.set_attended(True, at))
    mixed = [message(f"m{number}", FLASH if number in {3, 17} else ROUTINE) for number in range(30)]
    rogue.call().say(rogue.beat(), rogue.run(*mixed))
    rogue.world.run(SOON_S)
    at_hand = [one.id for _, report in station.reports for one in report.about]
    assert at_hand == ["m3", "m17", *(f"m{n}" for n in range(30) if n not in {3, 17})]


def test_of_much_text_the_flashes_are_at_hand_and_a_bounded_rest(rogue: Rogue) -> None:
    """A window's worth of text must not be held in memory for a watcher, but its FLASH must be."""
    station = rogue.station
    station.do(lambda line, at: line.set_attended(True, at))
    rogue.call().say(
        rogue.beat(),
        *(rogue.run(*(message(f"m{n}-{k}", body="b" * 7000) for k in range(16))) for n in range(6)),
        rogue.run(message("urgent", FLASH)),
    )
    rogue.world.run(SOON_S)
    largest = max((report.about for _, report in station.reports), key=len)
    assert largest[0].id == "urgent"
    assert 20 < len(largest) < 16 * 5
    assert sum(len(one.said.body) for one in largest) <= 256 * 1024


def test_what_a_courier_brings_is_read_from_the_store(apart: LineWorld) -> None:
    """Days late by its nature: to hold it in memory beside the store would hurry nobody."""
    north, south = apart.stations
    send(apart, north, "urgent")
    applied = bring(apart, south, export(apart, north)).applied
    assert (list(applied.messages), list(applied.arrivals)) == (["urgent"], [])


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (entries.Acknowledgement("ack.9.read", "m9", 9, Decision.READ, 1, "lt", ""), "entry 9"),
        (entries.Part("m1", ROUTINE, 7_000, 20_000, b"x" * 100), "without its first"),
    ],
)
def test_the_entry_that_broke_a_rule_is_named(rogue: Rogue, entry: entries.Entry, why: str) -> None:
    """Both operators look it up in their logs, months later, by its number."""
    rogue.call().say(rogue.beat(), rogue.run(message("m0")), rogue.run(entry))
    rogue.world.run(SOON_S)
    halt = rogue.station.record.halt
    assert halt is not None
    assert halt.text.startswith("entry 2 of the peer's log")
    assert why in halt.text
