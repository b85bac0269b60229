"""One client of the control socket: what it asks is done in its order, and none holds up the next."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import trio

from hotline.daemon.control import _Client
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
