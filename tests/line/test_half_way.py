"""What is half way, and what is said anew meanwhile: a long message, a receipt, an echo."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hotline.errors import StoreFullError
from hotline.line.moment import Moment
from hotline.line.newest import Newest
from hotline.line.pulse import Pulse
from hotline.model import Position, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld


def test_a_message_that_was_begun_does_not_expire(make_world: Callable[..., LineWorld]) -> None:
    """Half of it stands in the log, and its state must not go back: it is delivered, however late."""
    world = make_world(5).start()
    world.until_up()
    world.run(1)
    world.rate = 16_000.0
    north, south = world.stations
    north.send("long", "x" * 100_000, expires_s=2)
    world.run(1)
    assert north.record.own.number > 0
    assert north.record.queued_bytes > 0, "no part of it waits any more"
    world.run(10)
    assert north.record.queued_bytes > 0, "it went before it was over"
    assert north.events("message_expired") == []
    world.until(lambda: "long" in south.inbox(), 100)
    world.until(lambda: north.view("long").state is State.DELIVERED, 100)


@pytest.mark.parametrize("newer", [False, True])
def test_what_a_full_disk_gives_back_is_not_put_before_what_is_newer(newer: bool) -> None:
    """The peer says its newest receipt once: in the place of an older one nothing more would come."""
    commits: list[tuple[Any, Any]] = []
    context: Any = SimpleNamespace(
        session=lambda: "a session", commit=lambda work, done: commits.append((work, done))
    )
    newest: Newest[int] = Newest(context)

    def done(said: Any, outcome: Any, _: Moment) -> None:
        if isinstance(outcome, StoreFullError):
            newest.keep(said)

    def work(_tx: Any, value: int) -> int:
        return value

    newest.came(7)
    newest.commit(work, done)
    if newer:
        newest.came(9)
    commits.pop()[1](StoreFullError("full"), Moment(1.0, 1))
    newest.commit(work, done)
    assert commits[0][0](None) == (9 if newer else 7)


def test_an_echo_proves_that_we_were_heard_when_we_spoke() -> None:
    """One that was held back for a minute says nothing of how things have been since."""
    record: Any = SimpleNamespace(own=Position(0, b""), peer=Position(0, b""), receipt=None)
    pulse = Pulse(5.0, 100.0)
    first, second = (
        pulse.beat(Moment(now, 1), record, accepting=True, attended=True) for now in (105.0, 110.0)
    )
    assert (first.number, second.number, pulse.proven_at) == (1, 2, 100.0)
    for echo, now, proven_at in ((1, 170.0, 105.0), (1, 180.0, 105.0), (2, 181.0, 110.0)):
        pulse.heard(replace(first, echo=echo), Moment(now, 1))
        assert pulse.proven_at == proven_at
