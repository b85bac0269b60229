"""What the line's state says where the peer, or what answers in its place, breaks off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline.limits import DIAL_TIMEOUT_S, HANDSHAKE_TIMEOUT_S, RETIRE_S, SEND_BYTES, UNIT_BYTES
from hotline.line.liveness import REASONS
from hotline.line.session import Session
from hotline.wire import frames
from support.line_sessions import pairing
from support.line_world import EPHEMERALS
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.effects import Dial
    from support.line_world import LineWorld, Station


def detail(station: Station) -> str:
    return station.line.vitals.assessment.detail


def test_a_peer_that_says_no_hello_is_told_as_that(rogue: Rogue) -> None:
    """No connection broke: whoever looks for a cable does not look at the peer's daemon."""
    rogue.knock()
    rogue.flush()
    rogue.world.run(HANDSHAKE_TIMEOUT_S + SOON_S)
    station = rogue.station
    assert (station.state, station.reason) == ("down", "no-hello")
    assert "said no hello" in detail(station)
    assert [event["reason"] for event in station.events("session_silent")] == ["no-hello"]
    [close] = rogue.all(frames.Close)
    assert (close.code, close.reason) == ("superseded", "no hello came within 10 s")


def test_our_own_disk_is_not_told_as_the_peers_silence(rogue: Rogue) -> None:
    """It said hello: our examination of it waits for a disk that is stuck."""
    rogue.knock()
    rogue.world.commit_s = (60.0, 60.0)
    rogue.say(rogue.hello())
    rogue.world.run(HANDSHAKE_TIMEOUT_S + SOON_S)
    station = rogue.station
    assert not rogue.stands()
    assert (station.state, station.reason) == ("down", "not-accepting")
    assert station.events("session_silent") == []
    [close] = rogue.all(frames.Close)
    assert close.reason == "this station's disk did not answer within 10 s"


def test_a_session_that_was_replaced_ends_as_one(rogue: Rogue) -> None:
    """It was agreed to and did its work: nobody was silent."""
    rogue.call().say(rogue.beat())
    newer = Rogue(rogue.world, rogue.station)
    newer.call()
    for _ in range(4):
        rogue.world.run(RETIRE_S / 4 + SOON_S)
        newer.flush()
    assert not rogue.stands()
    assert [close.reason for close in rogue.all(frames.Close)] == ["another session took its place"]
    assert rogue.station.events("session_silent") == []


@pytest.mark.parametrize(
    ("code", "told"), [("superseded", "superseded, it"), ("zzz\x1b[31m", "zzz\x1b[31m, it")]
)
def test_a_peer_that_closes_is_told_with_its_own_words(rogue: Rogue, code: str, told: str) -> None:
    """No connection broke; what the peer had to say stood in the log alone."""
    rogue.call().say(rogue.beat())
    rogue.say(frames.Close(code, "tired\nof you"))
    station = rogue.station
    assert (station.state, station.reason) == ("down", "peer-closed")
    begins = f'the peer closed the session: {told} says "tired\nof you" (2023-'
    assert detail(station).startswith(begins)


def test_who_gives_way_before_it_stood_tells_no_trouble(rogue: Rogue) -> None:
    """An arbiter's no to a session that never carried the line is no loss of it."""
    rogue.knock()
    rogue.say(frames.Close("superseded", "another session stands"))
    assert not rogue.stands()
    assert rogue.station.reason == "no-address"


def test_what_the_peer_says_of_its_stop_is_quoted(rogue: Rogue) -> None:
    """Its operator may have said why, and when it was is what the next one asks."""
    rogue.call().say(rogue.beat())
    rogue.say(frames.Close("stopped", "the station stops"))
    assert rogue.station.reason == "peer-stopped"
    assert ': it says "the station stops" (2023-' in detail(rogue.station)


NOTHING = ("no-answer", "nothing came")
JUNK = ("handshake-failed", "20 bytes of an answer came")
ANSWER = ("handshake-failed", "an answer came, without an attestation")


def answer(world: LineWorld, first: bytes, expected: tuple[str, str]) -> bytes:
    """Give what comes back to a first unit."""
    if expected is ANSWER:
        genuine = pairing(world.arbiter.name, world.second.name)
        session = Session(genuine, EPHEMERALS, initiator=False)
        assert list(session.receive(first)) == []
        return session.pull(UNIT_BYTES)
    return b"HTTP/1.1 400 Bad Req" if expected is JUNK else b""


@pytest.mark.parametrize("expected", [NOTHING, JUNK, ANSWER], ids=["nothing", "junk", "answer"])
@pytest.mark.parametrize(
    ("trouble", "how"),
    [
        ("truncated", "the connection was closed"),
        ("session-lost", "the connection broke"),
        ("", "no more within 10 s"),
    ],
)
def test_what_answers_and_breaks_off_is_told_from_what_does_not_answer(
    make_world: Callable[..., LineWorld],
    monkeypatch: pytest.MonkeyPatch,
    expected: tuple[str, str],
    trouble: str,
    how: str,
) -> None:
    """Something listens there, and the operator was sent to look for a card or a line secret."""
    world = make_world()
    station = world.second

    def dial(caller: Station, effect: Dial) -> None:
        def connected() -> None:
            caller.do(lambda line, at: line.connected(effect.conn, at))
            data = answer(world, caller.line.pull(effect.conn, SEND_BYTES), expected)
            caller.do(lambda line, at: line.received(effect.conn, data, at))
            if trouble:
                caller.do(lambda line, at: line.ended(effect.conn, trouble, at))

        world.after(0, connected)

    monkeypatch.setattr(world, "dial", dial)
    station.start()
    world.until(lambda: station.reason != "starting")
    reason, came = expected
    assert (station.state, station.reason) == ("down", reason)
    assert (f": {came}, and {how}" in detail(station)) == (reason == "handshake-failed")
    failed = station.events("dial_failed")[0]
    assert (failed["address"], failed["reason"]) == (world.arbiter.name, reason)
    assert failed["why"] == f"{came}, and {how}", "each attempt leaves its reason in the log"
    assert station.events("session_cut") == []


def test_a_call_that_nobody_takes_says_how_long_it_waited(
    make_world: Callable[..., LineWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty reason in the log is none."""
    world = make_world()
    monkeypatch.setattr(world, "dial", lambda *_: None)
    world.second.start()
    world.run(DIAL_TIMEOUT_S + SOON_S)
    assert world.second.reason == "timed-out"
    assert [e["why"] for e in world.second.events("dial_failed")] == ["no connection within 10 s"]


def stopped(world: LineWorld) -> None:
    """Let one station stop, and be gone as soon as the other has heard of it."""
    world.arbiter.stop()
    world.until(lambda: world.second.state == "down")
    world.arbiter.crash()


def test_what_the_peer_said_of_its_end_outlasts_the_next_call(world: LineWorld) -> None:
    """A third of a second later it read as a daemon that is not there, which raises an alarm."""
    north, south = world.stations
    stopped(world)
    dials = len(south.dials)
    world.until(lambda: len(south.dials) > dials + 3)
    assert (south.state, south.reason) == ("down", "peer-stopped")
    said = 'or ended this line there: it says "the station stops" (2023-'
    assert said in detail(south)
    assert detail(south).endswith("; now: " + REASONS["refused"])
    assert {event["reason"] for event in south.events("dial_failed")} == {"refused"}
    world.clog()
    world.until(lambda: detail(south).endswith("; now: " + REASONS["timed-out"]), 100)
    assert said in detail(south)
    world.heal()
    north.start()
    world.until_up(100)
    north.crash()
    world.until(lambda: south.reason == "refused")
    assert detail(south) == REASONS["refused"], (
        "what was said before the last session counts no more"
    )


def test_what_stands_in_the_place_of_a_peer_that_stopped_is_news(world: LineWorld) -> None:
    """A daemon that does not take us for its peer is not explained by one that stopped."""
    south = world.second
    stopped(world)
    for trouble, shown in (
        ("refused", "peer-stopped"),
        ("no-answer", "no-answer"),  # as it stops its sockets may listen longer than it does
        ("refused", "peer-stopped"),
        ("handshake-failed", "handshake-failed"),
        ("refused", "refused"),
    ):
        world.until(lambda: south.line.links.dialling is not None)
        link = south.line.links.dialling
        assert link is not None
        south.do(lambda line, at, c=link.conn, t=trouble: line.dial_failed(c, t, "", at))  # type: ignore[misc]
        assert south.reason == shown
