"""One client of the control socket: what it asks is done in its order, and none holds up the next."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from typing import Any

import pytest
import structlog
import trio

from hotline.daemon import control
from hotline.daemon.control import Control, _Client
from hotline.daemon.station import Station
from hotline.model import Side
from support.home import Home


async def answers(station: Station, calls: Iterable[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Ask all at once, and give the answers in the order of asking."""
    one, other = trio.socket.socketpair()
    ours, theirs = trio.SocketStream(one), trio.SocketStream(other)
    asked = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls)
    ]
    async with ours, theirs, trio.open_nursery() as nursery:
        client = _Client(theirs, station, "anna", nursery, trio.CapacityLimiter(1))
        nursery.start_soon(client.run)
        await ours.send_all(b"".join(json.dumps(call).encode() + b"\n" for call in asked))
        got = b""
        with trio.fail_after(60):
            while got.count(b"\n") < len(asked):
                got += await ours.receive_some()
        nursery.cancel_scope.cancel()
    return sorted(map(json.loads, got.splitlines()), key=lambda answer: answer["id"])


async def test_a_send_that_is_refused_does_not_hold_up_the_next(home: Home) -> None:
    """Whoever sends in order waits for the one before to have its place: refused, it has none."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("send", {"line": "nowhere", "messages": [{"id": "m1"}]}),
        ("send", {"line": "bravo", "messages": [{"id": "no id"}]}),
        ("send", {"line": "bravo", "messages": []}),
        ("send", {"line": "bravo", "messages": [{"id": "m2"}]}),
        ("status", {}),
    ]
    async with home.at_work(home.lines("bravo")) as station:
        found = await answers(station, calls)
    assert ["error" in answer for answer in found] == [True, False, True, False, False]
    assert found[3]["result"]["results"][0]["state"] == "queued"


async def test_what_one_client_sends_is_queued_in_its_order(home: Home) -> None:
    """Orders of one precedence must be read in the order in which they were given."""
    ids = [f"m{number:02}" for number in range(60)]
    async with home.at_work(home.lines("bravo")) as station:
        calls = (("send", {"line": "bravo", "messages": [{"id": one}]}) for one in ids)
        await answers(station, calls)
        views = await station.read(lambda reader: reader.page(Side.OWN, most=100))
    assert [view.id for view in views] == ids


async def asked_for_status(station: Station) -> bytes:
    """Give what a client hears that asks one thing; nothing if it is hung up on."""
    one, other = trio.socket.socketpair()
    ours, theirs = trio.SocketStream(one), trio.SocketStream(other)
    got = b""
    async with ours, trio.open_nursery() as nursery:
        nursery.start_soon(Control(station, structlog.get_logger()).serve, theirs)
        with trio.fail_after(60), contextlib.suppress(trio.BrokenResourceError):
            await ours.send_all(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n')
            got = await ours.receive_some()
        nursery.cancel_scope.cancel()
    return got


async def test_another_user_is_served_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of the socket keeps others out; should somebody widen it, what the kernel says does."""
    async with home.at_work(home.lines("bravo")) as station:
        for uid, served in ((os.geteuid(), True), (os.geteuid() + 4321, False)):
            monkeypatch.setattr(control, "_user", lambda _, uid=uid: uid)
            with structlog.testing.capture_logs() as logged:
                got = await asked_for_status(station)
            assert (b'"result"' in got, got == b"") == (served, not served)
            assert ("control_refused" in [one["event"] for one in logged]) != served
