"""When the two records disagree: each side stops, says why, and goes on only when told to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotline.daemon import views
from hotline.daemon.trust import Trust
from hotline.errors import HaltError
from hotline.line import agreement
from hotline.model import Decision, Halt, LogEntry, Position, Precedence, Side, State
from hotline.wire import entries, heads
from support.line_stores import codes, copy, exchange, rest, restore, until_halted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.model import LineRecord
    from hotline.store.interface import Transaction
    from support.line_world import LineWorld, Station


@pytest.fixture
def other_world(make_world: Callable[..., LineWorld]) -> LineWorld:
    """Give a world whose checker is off: in these tests history itself is changed."""
    world = make_world(1)
    world.checks = False
    for station in world.stations:
        station.addresses = (world.other(station).name,)
    world.start().until_up()
    return world


def test_a_halted_line_promises_no_attempt_before_the_disk_has_the_halt(
    other_world: LineWorld,
) -> None:
    """An operator who is told of a next attempt waits for it; a halted line makes none."""
    world = other_world
    victim, other = world.stations
    exchange(world, "a")
    rest(victim)
    for file in victim.path.parent.glob(victim.path.name + "*"):
        file.unlink()
    victim.start()
    world.until(lambda: other.state == "halted", 100)
    assert other.record.halt is None, "the disk has it already: this test looks too late"
    status = views.line(other.line, other.moment(), Trust(), [])
    assert (status["state"], status["next_attempt_s"]) == ("halted", None)


@pytest.mark.parametrize("code", ["peer-log-lost", "own-log-lost", "fork", "peer-broke-rules"])
def test_a_peer_that_recovers_lifts_no_halt_but_that_of_its_loss(
    other_world: LineWorld, code: str
) -> None:
    """Its word alone would have us go on where it has two histories, or broke the rules."""
    station, peer = other_world.stations
    hello = replace(
        agreement.hello_of(peer.record, interval_s=5, accepting=True, choice=0), recovering=True
    )

    def examined(tx: Transaction) -> LineRecord:
        agreement.put_halt(tx, station.record.line, Halt(code, "for a test", 1))
        return agreement.examine(
            tx, station.record.line, station.line.pairing, hello, agreement.Floor(0, 0)
        )

    [outcome] = station.store.transact([examined])
    if code == "peer-log-lost":
        assert not isinstance(outcome, Exception)
        assert outcome.halt is None
    else:
        assert isinstance(outcome, HaltError)
        assert outcome.code == code


@pytest.mark.parametrize("which", [0, 1], ids=["arbiter", "second"])
@pytest.mark.parametrize("wiped", [False, True], ids=["restored", "wiped"])
def test_a_restored_store_is_found_out_by_both(
    other_world: LineWorld, which: int, wiped: bool
) -> None:
    """A station that forgot what it signed must not sign a second history over it."""
    world = other_world
    victim = world.stations[which]
    other = world.other(victim)
    exchange(world, "a")
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    exchange(world, "b", "c")
    rest(victim)
    if wiped:
        for file in victim.path.parent.glob(victim.path.name + "*"):
            file.unlink()
    else:
        restore(victim, kept)
    victim.start()
    victim.send("new")
    until_halted(world, victim, other)
    assert codes(world) == {victim.name: "own-log-lost", other.name: "peer-log-lost"}
    assert {station.state for station in world.stations} == {"halted"}
    world.run(60)
    assert victim.view("new").state is State.QUEUED
    assert "new" not in other.inbox()


def test_a_store_that_forgot_only_what_it_received_is_found_out(other_world: LineWorld) -> None:
    """A receipt that was signed and is no longer true must be known to both operators."""
    world = other_world
    victim, author = world.stations
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    author.send("order")
    world.until(lambda: author.record.delivered == 1)
    rest(victim)
    restore(victim, kept)
    victim.start()
    until_halted(world, author, victim)
    assert codes(world)[author.name] == "peer-log-lost"
    assert victim.inbox() == []
    assert codes(world)[victim.name] == "own-log-lost"


def test_a_cloned_store_is_a_fork(other_world: LineWorld) -> None:
    """Two machines that write one log give the peer two orders under one number."""
    world = other_world
    north, south = world.stations
    exchange(world, "a")
    rest(north)
    clone = copy(north)
    north.start()
    world.until_up()
    world.clog(south)
    north.send("one")
    world.until(lambda: north.record.own.number == 2)
    world.run(0.1)
    rest(north)
    original = copy(north, ".original")
    world.cut()
    world.heal()
    restore(north, clone)
    north.start()
    world.until_up()
    north.send("two")
    world.until(lambda: north.record.delivered == 2)
    assert south.inbox() == ["a-" + north.name, "two"]
    rest(north)
    restore(north, original)
    north.start()
    until_halted(world, north, south)
    assert codes(world) == {north.name: "fork", south.name: "fork"}
    assert south.inbox() == ["a-" + north.name, "two"]


def test_a_halt_outlives_a_restart_and_a_retry_looks_again(other_world: LineWorld) -> None:
    """A halt that a restart forgets is no halt; a retry must not hide what is still wrong."""
    world = other_world
    victim, other = world.stations
    exchange(world, "a")
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    exchange(world, "b")
    rest(victim)
    good = copy(victim, ".good")
    restore(victim, kept)
    victim.start()
    until_halted(world, victim, other)
    for station in world.stations:
        station.crash()
        station.start()
        assert station.state == "halted"
        assert station.record.halt is not None
    began = world.now
    world.run(120)
    assert [at for station in world.stations for at in station.dials if at > began] == []
    for station in world.stations:
        station.do(lambda line, at: line.retry(at))
    world.run(0.02)
    until_halted(world, victim, other)
    assert codes(world) == {victim.name: "own-log-lost", other.name: "peer-log-lost"}
    rest(victim)
    restore(victim, good)
    victim.start()
    other.do(lambda line, at: line.retry(at))
    world.until_up(100)
    assert codes(world) == {victim.name: None, other.name: None}
    exchange(world, "c")


def test_a_halted_station_tells_its_peer_why(other_world: LineWorld) -> None:
    """The peer's operator must not search the network for what is a matter of records."""
    world = other_world
    north, south = world.stations
    forge(north, [b"junk"])
    until_halted(world, south)
    world.until(lambda: north.reason == "peer-halted")
    detail = north.line.vitals.assessment.detail
    assert detail.startswith('the peer has halted the line: it says "peer-broke-rules: ')
    world.run(100)
    assert north.reason == "peer-halted"
    assert len(north.dials) < 30


# --- a peer that breaks the rules of a log, under its own signature -------------------------------


def forge(station: Station, data: Sequence[bytes]) -> None:
    """Write entries into a station's own log past all its rules; they are signed when sent."""

    def work(tx: Any, line: int) -> Any:
        record = tx.line(line)
        chain = heads.chain(record.own.head, data)
        first = record.own.number + 1
        log = [
            LogEntry(number, head, entry, record.sealed)
            for number, (entry, head) in enumerate(zip(data, chain, strict=True), first)
        ]
        tx.append(line, Side.OWN, log)
        record = replace(record, own=Position(log[-1].number, log[-1].head))
        tx.put_line(record)
        return (record,)

    reply = station.ask(work, lambda outcome: outcome)
    station.world.until(lambda: reply.value is not None)
    assert not isinstance(reply.value, Exception), reply.value


def message(identifier: str, body: str = "hello") -> entries.Message:
    return entries.Message(identifier, Precedence.ROUTINE, 1, None, "lt", "", body)


def part(identifier: str, offset: int, chunk: bytes, total: int = 9000) -> bytes:
    return entries.encode(entries.Part(identifier, Precedence.ROUTINE, offset, total, chunk))


def answer(identifier: str, number: int, decision: Decision) -> bytes:
    return entries.encode(
        entries.Acknowledgement(
            f"ack.{number}.{int(decision)}", identifier, number, decision, 1, "lt", ""
        )
    )


WHOLE = entries.encode(message("long", "b" * 9000))
OTHER = entries.encode(message("other", "b" * 8999))

BROKEN: dict[str, list[bytes]] = {
    "junk": [b"\x91\x07"],
    "empty array": [b"\x90"],
    "a map": [b"\x81\x01\x02"],
    "trailing bytes": [entries.encode(message("m")) + b"\x00"],
    "an id with a slash": [entries.encode(message("m")._replace(id="../m"))],
    "one id twice in a run": [entries.encode(message("m")), entries.encode(message("m", "no"))],
    "the id of a key change": [entries.encode(message("key-change.0123456789abcdef"))],
    "an answer with the id of a key change": [
        entries.encode(
            entries.Acknowledgement("key-change.1", "asked", 1, Decision.READ, 1, "lt", "")
        )
    ],
    "an id used before": [entries.encode(message("known"))],
    "an answer to nothing": [answer("nothing", 1, Decision.READ)],
    "an answer to another number": [answer("asked", 2, Decision.READ)],
    "an answer taken back": [
        answer("asked", 1, Decision.WILCO),
        answer("asked", 1, Decision.CANNOT),
    ],
    "an answer repeated": [answer("asked", 1, Decision.READ), answer("asked", 1, Decision.READ)],
    "a part from the middle": [part("p", 10, b"x")],
    "a part left out": [part("p", 0, b"x" * 10), part("p", 20, b"x")],
    "a part twice": [part("p", 0, b"x" * 10), part("p", 0, b"x" * 10)],
    "a part of another length": [part("p", 0, b"x"), part("p", 1, b"x", total=9001)],
    "parts of no message": [part("p", 0, b"x" * 4500), part("p", 4500, b"x" * 4500)],
    "parts of another id": [
        part("p", 0, OTHER[:5000], len(OTHER)),
        part("p", 5000, OTHER[5000:], len(OTHER)),
    ],
    "a part of what another message dropped": [
        part("p", 0, b"x" * 2000),
        part("q", 0, b"x" * 2000),
        part("p", 2000, b"x" * 2000),
    ],
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_peer_that_breaks_the_rules_is_halted(
    other_world: LineWorld, broken: list[bytes]
) -> None:
    """It can neither be skipped, for the log has no holes, nor taken: a person must look at it."""
    world = other_world
    north, south = world.stations
    south.send("asked")
    north.send("known")
    world.until(lambda: south.record.delivered == north.record.delivered == 1)
    forge(north, broken)
    until_halted(world, south)
    assert codes(world) == {south.name: "peer-broke-rules", north.name: None}
    assert south.record.peer.number < 1 + len(broken)
    assert south.inbox() == ["known"]
    assert south.view("asked").state is State.DELIVERED
    assert (north.state, north.reason) == ("down", "peer-halted")


@pytest.mark.parametrize(
    ("sent", "number", "used"),
    [(["a", "b", "a", "c"], 4, "a"), (["a", "known", "b"], 3, "known"), (["a", "a", "a"], 4, "a")],
)
def test_a_halt_names_the_id_that_was_used_before(
    other_world: LineWorld, sent: list[str], number: int, used: str
) -> None:
    """Both operators looked at another entry, for an id that it did not have."""
    north, south = other_world.stations
    north.send("known")
    other_world.until(lambda: south.record.received == 1)
    forge(north, [entries.encode(message(identifier)) for identifier in sent])
    other_world.until(lambda: south.state == "halted")
    assert south.line.halt is not None
    assert f"entry {number} of the peer's log" in south.line.halt.text
    assert f"message id {used} was used before" in south.line.halt.text


def test_parts_that_keep_the_rules_are_taken(other_world: LineWorld) -> None:
    """The forger of these tests must be able to write what is right, or they prove nothing."""
    world = other_world
    north, south = world.stations
    data = [
        part("long", 0, WHOLE[:5000], len(WHOLE)),
        part("long", 5000, WHOLE[5000:], len(WHOLE)),
    ]
    forge(north, data)
    world.until(lambda: south.record.received == 1)
    assert south.view("long", Side.PEER).body == "b" * 9000


@pytest.mark.parametrize("method", ["sign_head", "sign_receipt"])
def test_a_signature_that_does_not_verify_ends_the_session_only(
    other_world: LineWorld, method: str
) -> None:
    """It proves nothing against the peer: only what is signed can halt a line."""
    world = other_world
    north, south = world.stations
    liar, victim = (north, south) if method == "sign_head" else (south, north)
    honest = getattr(liar.line.pairing, method)
    setattr(liar.line.pairing, method, lambda *_: bytes(64))
    north.send("m")
    world.until(lambda: victim.reason == "protocol-error")
    assert codes(world) == {north.name: None, south.name: None}
    assert north.record.delivered == 0
    setattr(liar.line.pairing, method, honest)
    world.until(lambda: north.record.delivered == 1)
    assert south.inbox() == ["m"]
