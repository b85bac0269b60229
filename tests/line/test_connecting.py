"""Which session stands: dialling at once, renewal, retries, stopping."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hotline import limits
from hotline.errors import ProtocolError
from hotline.line import session as session_module
from hotline.wire import records
from hotline.wire.frames import Close
from support.rogue import SOON_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.effects import Dial
    from support.line_world import LineWorld, Station


def left_up(station: Station, since: float = 0.0) -> bool:
    """Tell whether a line that was once up was ever anything else afterwards."""
    seen = [state for _, state, _ in station.states(since)]
    return "up" in seen and any(state != "up" for state in seen[seen.index("up") :])


def conductor(station: Station) -> bool:
    """Tell whether the session that stands was dialled by this station."""
    current = station.line.links.current
    assert current is not None
    return current.dialled


@pytest.mark.parametrize("seed", range(20))
def test_of_two_sessions_made_at_once_the_arbiters_stays(
    make_world: Callable[..., LineWorld], seed: int
) -> None:
    """Each station keeping its own would leave the line deaf both ways, and nobody would know."""
    world = make_world(seed)
    for station in world.stations:
        station.addresses = (world.other(station).name,)
    world.delay_s = world.random.choice([0.001, 0.02, 0.3])
    world.commit_s = world.random.choice([(0.0002, 0.004), (0.01, 0.2)])
    world.start()
    world.until_up()
    for station in world.stations:
        station.send(f"from-{station.name}")
    world.run(14)
    assert world.sessions == 1
    assert conductor(world.arbiter)
    assert not conductor(world.second)
    assert not any(left_up(station) for station in world.stations)
    world.check_messages(settled=True)
    assert len(world.arbiter.dials) == 1
    assert len(world.second.dials) <= 2


def test_one_side_alone_may_dial(make_world: Callable[..., LineWorld]) -> None:
    """A station behind a firewall must do with calling; the other says what it waits for."""
    world = make_world(1)
    world.arbiter.start()
    assert world.arbiter.reason == "no-address"
    world.run(5)
    world.second.start()
    world.until_up()
    assert world.arbiter.dials == []


@pytest.mark.parametrize("dialler", [0, 1], ids=["arbiter", "second"])
def test_renewal_makes_before_it_breaks(make_world: Callable[..., LineWorld], dialler: int) -> None:
    """An hourly gap in the line would come, one day, in the worst minute."""
    world = make_world(dialler)
    caller = world.stations[dialler]
    world.second.addresses = ()
    caller.addresses = (world.other(caller).name,)
    for station in world.stations:
        station.heartbeat_s = 20.0
    world.start()
    world.until_up()
    began = world.now
    world.run(limits.SESSION_S - 20)
    number = 0
    while world.now < began + limits.SESSION_S + 20:
        for station in world.stations:
            number += 1
            station.send(f"m{number}", "b" * 5000)
        world.run(0.1 if abs(world.now - began - limits.SESSION_S) < 1 else 1.0)
    world.run(60)
    assert [len(station.events("session_agreed")) for station in world.stations] == [2, 2]
    assert not any(left_up(station) for station in world.stations)
    assert world.sessions == 1
    assert caller.dials[1] == pytest.approx(began + limits.SESSION_S, abs=1)
    world.check_messages(settled=True)
    assert sum(station.record.delivered for station in world.stations) == number


def test_of_two_that_can_dial_one_renews(make_world: Callable[..., LineWorld]) -> None:
    """Two renewals at once are one too many."""
    world = make_world(2)
    for station in world.stations:
        station.addresses = (world.other(station).name,)
        station.heartbeat_s = 60.0
    world.start()
    world.until_up()
    began = world.now
    world.run(limits.SESSION_S + 100)
    renewals = [[at for at in station.dials if at > began] for station in world.stations]
    assert [len(dials) for dials in renewals] == [1, 0]
    assert not any(left_up(station) for station in world.stations)


def test_the_other_renews_if_the_dialler_cannot(make_world: Callable[..., LineWorld]) -> None:
    """A session's keys must not live on because its maker has lost the address."""
    world = make_world(3)
    world.arbiter.addresses = (world.second.name,)
    world.second.addresses = ()
    for station in world.stations:
        station.heartbeat_s = 60.0
    world.start()
    world.until_up()
    began = world.now
    world.arbiter.do(lambda line, at: line.reconfigure((), 60.0, at))
    world.second.do(lambda line, at: line.reconfigure((world.arbiter.name,), 60.0, at))
    world.run(limits.SESSION_S + limits.RENEW_GRACE_S + 100)
    assert [at - began for at in world.second.dials] == [
        pytest.approx(limits.SESSION_S + limits.RENEW_GRACE_S, abs=1)
    ]
    assert not any(left_up(station) for station in world.stations)
    assert world.sessions == 1


@pytest.mark.parametrize("dialler", [0, 1], ids=["arbiter", "second"])
def test_a_renewal_is_no_failed_call(
    make_world: Callable[..., LineWorld], monkeypatch: pytest.MonkeyPatch, dialler: int
) -> None:
    """After each the backup's address was called first, and status told of an attempt that failed."""
    world = make_world(dialler)
    caller = world.stations[dialler]
    called = world.other(caller)
    called.addresses = ()
    caller.addresses = (called.name, "backup")
    for station in world.stations:
        station.heartbeat_s = 60.0
    dial, addresses = world.dial, []

    def noted(by: Station, effect: Dial) -> None:
        addresses.append(effect.address)
        dial(by, replace(effect, address=called.name))

    monkeypatch.setattr(world, "dial", noted)
    world.start()
    world.until_up()
    for renewals in (1, 2, 3):
        world.run(limits.SESSION_S + 30)
        assert addresses == [called.name] * (1 + renewals)
        assert world.sessions == 1
    caller.do(lambda line, at: line.reconfigure((called.name,), 60.0, at))
    world.run(limits.SESSION_S + 30)
    assert len(addresses) == 5
    assert caller.line.links.attempts == 0


def test_a_renewal_that_fails_is_tried_again_and_the_old_session_carries_on(
    make_world: Callable[..., LineWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the peer's port is closed for a while, the line that stands must not suffer."""
    world = make_world(4)
    for station in world.stations:
        station.heartbeat_s = 60.0
    world.start()
    world.until_up()
    dial = world.dial
    monkeypatch.setattr(
        world,
        "dial",
        lambda caller, effect: caller.perform(
            caller.line.dial_failed(effect.conn, "refused", "", caller.moment())
        ),
    )
    began = world.now
    world.run(limits.SESSION_S + 300)
    assert world.sessions == 1
    assert len(world.second.dials) > 10
    assert not any(left_up(station) for station in world.stations)
    monkeypatch.setattr(world, "dial", dial)
    world.run(60)
    assert len(world.second.events("session_agreed")) == 2
    assert not any(left_up(station, began) for station in world.stations)


def test_a_session_is_renewed_before_its_records_run_out(
    make_world: Callable[..., LineWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy line must change its keys by what they have carried, not by the hour alone."""
    monkeypatch.setattr(session_module, "RENEW_RECORDS", 200)
    monkeypatch.setattr(records, "RECORDS_PER_SESSION", 1000)
    world = make_world(5)
    world.rate = 400_000.0
    world.start()
    world.until_up()
    world.second.send("bulk", "b" * limits.MESSAGE_BYTES)
    world.arbiter.send("bulk", "c" * limits.MESSAGE_BYTES)
    world.until(lambda: all(station.record.received == 1 for station in world.stations))
    assert len(world.second.events("session_agreed")) > 1
    assert not any(left_up(station) for station in world.stations)
    world.run(30)
    assert world.sessions == 1


@pytest.mark.parametrize("can_dial", [True, False])
def test_who_dialled_renews_a_session_whose_records_run_out(
    make_world: Callable[..., LineWorld], monkeypatch: pytest.MonkeyPatch, can_dial: bool
) -> None:
    """Once it was a minute old both dialled at once: two renewals, of which one is thrown away."""
    monkeypatch.setattr(session_module, "RENEW_RECORDS", 200)
    world = make_world(6)
    dialler, other = world.arbiter, world.second
    dialler.addresses, other.addresses = (other.name,), ()
    world.start()
    world.until_up()
    other.do(lambda line, at: line.reconfigure((dialler.name,), 5.0, at))
    if not can_dial:
        dialler.do(lambda line, at: line.reconfigure((), 5.0, at))
    world.run(100)
    assert len(dialler.events("session_agreed")) == 1
    dials = len(dialler.dials)
    began = world.now
    other.send("bulk", "b" * limits.MESSAGE_BYTES)
    world.until(lambda: len(other.events("session_agreed")) == 2, limits.RENEW_GRACE_S + 10)
    assert world.now - began < 10 if can_dial else world.now - began >= limits.RENEW_GRACE_S
    world.run(15)
    assert (len(dialler.dials) - dials, len(other.dials)) == ((1, 0) if can_dial else (0, 1))
    assert not any(left_up(station) for station in world.stations)


def test_retries_wait_at_random_and_never_too_long(make_world: Callable[..., LineWorld]) -> None:
    """Stations that lost one network must not call again in step; nor may one ever give up."""
    world = make_world(6)
    caller = world.second
    caller.start()
    world.run(600)
    gaps = [b - a - 0.04 for a, b in itertools.pairwise(caller.dials)]
    assert len(gaps) > 20
    for attempt, gap in enumerate(gaps):
        assert -1e-6 <= gap <= min(limits.BACKOFF_MAX_S, limits.BACKOFF_FIRST_S * 2**attempt) + 1e-6
    assert len({round(gap, 3) for gap in gaps}) == len(gaps)
    assert max(gaps) > limits.BACKOFF_MAX_S / 2
    assert caller.line.links.attempts == len(caller.dials)


def test_contact_resets_the_pauses(make_world: Callable[..., LineWorld]) -> None:
    """After a long outage the first cut must not be answered by half a minute of waiting."""
    world = make_world(7)
    caller, called = world.second, world.arbiter
    caller.start()
    world.run(300)
    called.start()
    world.until_up()
    world.run(1)
    assert caller.line.links.attempts == 0
    dials = len(caller.dials)
    world.cut()
    world.until(lambda: len(caller.dials) > dials, limits.BACKOFF_FIRST_S + 0.3)


def test_a_session_that_cannot_agree_does_not_reset_the_pauses(
    make_world: Callable[..., LineWorld],
) -> None:
    """A peer whose store refuses would otherwise be called several times a second for ever."""
    world = make_world(8)
    world.arbiter.start()
    world.arbiter.full = True
    world.second.start()
    world.run(300)
    assert len(world.second.dials) < 40
    world.arbiter.full = False
    world.until_up()


@pytest.mark.parametrize("addresses", [1, 2])
def test_there_is_a_pause_after_every_session_that_ends(
    make_world: Callable[..., LineWorld], addresses: int
) -> None:
    """A peer that agrees and breaks off each time was called anew at once, if it had two addresses."""
    world = make_world(8)
    world.checks = False
    north, south = world.stations
    south.addresses = (north.name,) * addresses
    world.start()

    def break_off(*_: object) -> None:
        raise ProtocolError("it breaks off")

    north.line._take_heartbeat = break_off  # type: ignore[method-assign,assignment]
    world.run(60)
    ended_at = [at for at, one in south.reports if one.event == "session_cut"]
    pauses = [min(at for at in south.dials if at >= end) - end for end in ended_at[:-1]]
    assert len(pauses) > 20
    assert sum(pauses) / len(pauses) == pytest.approx(limits.BACKOFF_FIRST_S / 2, rel=0.3)


def test_retry_dials_at_once(make_world: Callable[..., LineWorld]) -> None:
    """An operator who has just mended the link must not wait for a timer."""
    world = make_world(9)
    caller, called = world.second, world.arbiter
    caller.start()
    world.until(lambda: caller.line.links.attempts == 9, 600)
    called.start()
    caller.do(lambda line, at: line.retry(at))
    assert caller.dials[-1] == world.now
    world.until_up(1)


def test_several_addresses_are_tried_in_order(make_world: Callable[..., LineWorld]) -> None:
    """The second address is there for the day when the first is gone: no pause before it."""
    world = make_world(10)
    caller = world.second
    caller.addresses = (world.arbiter.name,) * 3
    caller.start()
    world.run(60)
    gaps = [b - a for a, b in itertools.pairwise(caller.dials)]
    assert gaps[0] == gaps[1] == pytest.approx(0.04)
    assert gaps[3] == gaps[4] == pytest.approx(0.04)
    assert caller.line.links.attempts == len(caller.dials) // 3


def test_stopping_says_so(world: LineWorld) -> None:
    """That they went home and that we lost them must not look the same over there."""
    north, south = world.stations
    north.stop()
    world.until(lambda: south.state == "down")
    assert south.reason == "peer-stopped"
    assert south.events("session_closed")[-1]["code"] == "stopped"
    assert south.events("session_cut") == []
    assert north.reason == "stopped"
    world.run(2)
    assert world.sessions == 0


def test_a_line_that_ends_for_its_configuration_says_so(world: LineWorld) -> None:
    """Neither operator may read that a daemon was stopped where none was."""
    north, south = world.stations
    north.do(lambda line, at: line.stop(at, reconfigured=True))
    world.until(lambda: south.state == "down")
    assert north.reason == "reconfigured"
    assert south.reason == "peer-stopped"
    assert "the station goes on" in south.line.vitals.assessment.detail
    assert south.events("session_closed")[-1]["code"] == "stopped"


def test_a_failed_store_is_no_operators_wish(world: LineWorld) -> None:
    """Nobody is sent to a disk that has failed while its station seems to have been stopped."""
    north, south = world.stations
    north.do(lambda line, at: line.stop(at, failed=True))
    world.until(lambda: south.state == "down")
    assert south.reason == "peer-not-accepting"
    assert south.events("session_closed")[-1]["code"] == "failed"


def test_a_crash_says_something_else(world: LineWorld) -> None:
    """A daemon that died did not say goodbye."""
    north, south = world.stations
    north.crash()
    world.until(lambda: south.state == "down")
    assert south.reason in ("truncated", "session-lost")


def test_strangers_and_replays_get_no_answer(make_world: Callable[..., LineWorld]) -> None:
    """Whoever recorded a call must not be able to find out whether anybody is here."""
    world = make_world(11)
    world.whole = True
    first: list[bytes] = []
    pieces = world.pieces

    def recorded(data: bytes) -> list[bytes]:
        first.append(data)
        return list(pieces(data))

    world.pieces = recorded  # type: ignore[method-assign]
    world.start()
    world.until_up()
    door = world.arbiter.door
    known = len(world.arbiter.line.links.by_conn)
    assert door.identify(first[0]) is None
    assert door.identify(bytes(4096)) is None
    assert len(world.arbiter.line.links.by_conn) == known
    assert world.strangers == 0


def test_other_line_secrets_never_meet(make_world: Callable[..., LineWorld]) -> None:
    """A caller with another secret is a stranger: it gets silence, and its operator a reason."""
    world = make_world(12)
    world.second.start()
    world.second._gone()
    world.line_secret = b"\x01" * 32
    world.arbiter.start()
    world.line_secret = b"\x02" * 32
    world.second.start()
    world.run(30)
    assert world.strangers > 0
    assert (world.second.state, world.second.reason) == ("down", "no-answer")
    assert world.arbiter.reason == "no-address"


def test_a_session_that_was_chosen_before_the_one_that_stands_yields(rogue: Rogue) -> None:
    """Two hellos come over two connections, in either order: both stations must keep the same one."""
    newer = Rogue(rogue.world, rogue.station)
    for one in (rogue, newer):
        one.knock()
        one.flush()  # its attestation, by which it is chosen
    newer.say(newer.hello())
    rogue.world.run(SOON_S)
    rogue.say(rogue.hello())
    rogue.world.run(SOON_S)
    assert (rogue.stands(), newer.stands()) == (False, True)
    assert [close.code for close in rogue.all(Close)] == ["superseded"]
    assert rogue.station.line.links.attempts == 0
    newer.say(newer.beat())
    assert newer.stands()
