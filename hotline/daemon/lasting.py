"""Requests that last: waiting for what becomes of messages, and being on watch.

Their clients may stay for days, so they have only some of the places: ``status`` and ``retry`` are
asked for most when a line is down and everybody waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

from hotline import limits
from hotline.daemon.jsonrpc import INVALID_PARAMS, INVALID_REQUEST, CallError
from hotline.daemon.params import Params
from hotline.errors import HotlineError, RefusedError
from hotline.model import Side, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hotline.daemon.answers import Answer
    from hotline.daemon.station import Station
    from hotline.daemon.watching import Watch
    from hotline.store.interface import Reader

    Notify = Callable[..., Awaitable[None]]
    """Called with a method, and the params of as many notifications as shall be sent together."""

    Spawn = Callable[..., None]

_ENDED: Final = {State.EXPIRED, State.CANCELLED}
_REACHED: Final = {
    State.DELIVERED: {State.DELIVERED, State.ACKNOWLEDGED},
    State.ACKNOWLEDGED: {State.ACKNOWLEDGED},
}


class Lasting:
    """One client's waits and its watch."""

    def __init__(
        self, station: Station, notify: Notify, spawn: Spawn, places: trio.CapacityLimiter
    ) -> None:
        """Work on station; notify sends what no request asked for, spawn runs as long as the client.

        places are those of all clients together.
        """
        self._station = station
        self._notify = notify
        self._spawn = spawn
        self._places = places
        self._watching = False

    async def wait(self, params: Params, due: Answer) -> dict[str, Any]:
        """Answer once messages are delivered, or acknowledged, or never will be.

        Raises RefusedError if one is not known, or the line is removed or its card revoked meanwhile.
        """
        runner = self._station.runner(params.take("line", str, needed=True))
        ids = params.take("ids", list, needed=True)
        wanted = params.word("state", State, "delivered")
        params.end()
        for one in ids:
            Params({"id": one}).take("id", str, needed=True)
        if wanted not in _REACHED or not 1 <= len(ids) <= limits.BATCH_MESSAGES:
            raise CallError(INVALID_PARAMS, "wait takes ids, and delivered or acknowledged")
        place = self._take_place()
        try:
            name, ended = runner.line.record.name, _REACHED[wanted] | _ENDED
            return {"messages": await self._states(name, ids, ended, due)}
        finally:
            self._places.release_on_behalf_of(place)

    async def _states(
        self, line: str, ids: list[str], ended: set[State], due: Answer
    ) -> list[dict[str, Any]]:
        """Give the states of ids, each once it is one of ended."""
        states: list[dict[str, Any]] = []
        while True:
            progress = self._station.watches.progress(line)
            before = len(states)
            asked = ids[before:]
            for identifier, state in await self._station.read(
                lambda reader, asked=asked: _found(reader, line, asked, ended)  # type: ignore[misc]
            ):
                if state is None:
                    raise RefusedError("not-found", f"no message {identifier!r} was sent")
                states.append({"id": identifier, "state": str(state)})
            if len(states) > before:
                await self._notify("progress", {"done": len(states), "total": len(ids)})
            if len(states) == len(ids):
                return states
            self._station.usable(line)  # nothing will become of the rest on a line that is no more
            with due.postponed():
                await progress.wait()

    async def watch(self, params: Params) -> dict[str, Any]:
        """Begin to notify of events, on one line or all; one watch a client."""
        name = params.take("line", str)
        params.end()
        if name is not None:
            self._station.runner(name)
        if self._watching:
            raise CallError(INVALID_REQUEST, "this connection is on watch already")
        place = self._take_place()
        self._watching = True
        self._spawn(self._pass_on, self._station.watches.open(name), place)
        return {}

    async def _pass_on(self, watch: Watch, place: object) -> None:
        """Notify of events until the client leaves, or does not keep up and is let go."""
        try:
            with watch.scope:
                while True:
                    await self._notify("event", *await watch.take())
        finally:
            self._station.watches.close(watch)
            self._places.release_on_behalf_of(place)
        raise HotlineError("this watch did not keep up with what happens")

    def _take_place(self) -> object:
        place = object()
        try:
            self._places.acquire_on_behalf_of_nowait(place)
        except trio.WouldBlock:
            raise RefusedError(
                "busy",
                f"{limits.CONTROL_LASTING} commands are waiting or on watch already",
                hint="try again when some of them have ended; what was sent stays sent",
            ) from None
        return place


def _found(
    reader: Reader, line: str, ids: list[str], ended: set[State]
) -> list[tuple[str, State | None]]:
    """Give the states of the first of ids, up to one that has not ended; None: it is not known."""
    found: list[tuple[str, State | None]] = []
    for identifier in ids:
        shown = reader.show(identifier)
        view = next((v for v in shown if v.line == line and v.side is Side.OWN), None)
        if view is not None and view.state not in ended:
            break
        found.append((identifier, None if view is None else view.state))
        if view is None:
            break
    return found
