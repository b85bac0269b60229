"""What those on watch are told when what came cannot be read: nothing may be missed without a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
import trio
import trio.testing

from hotline.daemon import watching
from hotline.daemon.questions import Questions
from hotline.daemon.telling import Teller
from hotline.daemon.watching import Watches
from hotline.errors import RefusedError, StoreDamagedError
from hotline.line.effects import Report
from hotline.line.line import Line
from hotline.model import Incoming, Kind, Precedence, Side
from hotline.store.interface import Store
from hotline.store.views import Arrival, Damaged, MessageView
from hotline.wire.entries import Message

if TYPE_CHECKING:
    from hotline.store.views import Pass


def view(identifier: str, line: str = "bravo") -> MessageView:
    incoming = Incoming(identifier, Kind.MESSAGE, Precedence.ROUTINE, 1, 1)
    said = Message(identifier, Precedence.ROUTINE, 1, None, "op", "", "")
    return Arrival(1, line, incoming, said).view()


class Shelf:
    """A store of which some messages are damaged, or gone, or which fails as a whole."""

    def __init__(self) -> None:
        self.damaged: dict[str, tuple[str, Side]] = {}
        self.gone: set[str] = set()
        self.fail: Exception | None = None
        """What the next read meets."""

    def read(self, work: Callable[[Any], Any]) -> Any:
        if self.fail is not None:
            fault, self.fail = self.fail, None
            raise fault
        return work(self)

    def is_crowded(self) -> bool:
        return False

    def show(self, identifier: str, passed: Pass) -> list[MessageView]:
        if identifier in self.damaged:
            line, side = self.damaged[identifier]
            passed(
                Damaged(1, identifier, line, side, StoreDamagedError(f"{identifier} has rotted"))
            )
            if (line, side) == ("bravo", Side.PEER):
                return []
        return [] if identifier in self.gone else [view(identifier)]


async def at_once(work: Callable[[], Any]) -> Any:
    """Read without a thread, so that what follows is done when nothing else can be."""
    await trio.lowlevel.checkpoint()
    return work()


class Room:
    """A teller at work, with one watch open."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.shelf = Shelf()
        watches = Watches(lambda: None)
        questions = Questions(
            cast("Store", self.shelf),
            at_once,
            print,
            structlog.get_logger(),
            trio.lowlevel.checkpoint,
        )
        self.watch = watches.open(None)
        self._teller = Teller(watches, questions, structlog.get_logger())
        nursery.start_soon(self._teller.run)

    def came(self, ids: Sequence[str], flashes: Sequence[str] = ()) -> None:
        """Tell that messages came of which nothing is at hand."""
        line = SimpleNamespace(record=SimpleNamespace(name="bravo"))
        fields = {"ids": ids, "flashes": flashes, "acknowledged": []}
        self._teller.progress(cast("Line", line), Report("entries_applied", fields))

    async def told(self) -> list[dict[str, Any]]:
        """Give all that is told of what came."""
        await trio.testing.wait_all_tasks_blocked()
        self.watch.tell({"event": "end"})
        events: list[dict[str, Any]] = []
        while {"event": "end"} not in events:
            events += await self.watch.take()
        return events[:-1]


def short(events: Sequence[dict[str, Any]]) -> list[Any]:
    """Give what each event is about."""
    return [one["message"]["id"] if "message" in one else one["ids"] for one in events]


async def test_a_damaged_message_is_told_and_the_others_are_shown() -> None:
    """One of a run that is rotten took sixty-three good ones with it, and nobody on watch knew."""
    async with trio.open_nursery() as nursery:
        room = Room(nursery)
        room.shelf.damaged["b"] = ("bravo", Side.PEER)
        with structlog.testing.capture_logs() as logged:
            room.came(["a", "b", "c"])
            events = await room.told()
        nursery.cancel_scope.cancel()
    assert short(events) == [["b"], "a", "c"]
    told = events[0]
    assert (told["event"], told["line"], told["flash"]) == ("missed", "bravo", False)
    assert (told["why"], bool(told["hint"])) == ("b has rotted", True)
    alarms = [one["event"] for one in logged if one["log_level"] in ("error", "critical")]
    assert sorted(alarms) == ["store_damaged", "watch_read_failed"]


async def test_a_read_that_fails_is_told_with_all_that_was_to_be_read() -> None:
    """No descriptor was left for a moment: the watch went on as if nothing had come."""
    async with trio.open_nursery() as nursery:
        room = Room(nursery)
        room.shelf.fail = RefusedError("busy", "no descriptor is left", hint="try again")
        room.came(["a", "b"])
        [told] = await room.told()
        room.came(["c"])
        assert short(await room.told()) == ["c"], "it goes on"
        nursery.cancel_scope.cancel()
    assert (told["event"], told["ids"]) == ("missed", ["a", "b"])
    assert (told["why"], told["hint"]) == ("no descriptor is left", "try again")


async def test_a_message_that_is_not_found_is_told_too() -> None:
    """A row whose id or kind has rotted is no error of any read: it is only not there."""
    async with trio.open_nursery() as nursery:
        room = Room(nursery)
        room.shelf.gone = {"a"}
        room.came(["a", "b"])
        events = await room.told()
        nursery.cancel_scope.cancel()
    assert short(events) == [["a"], "b"]
    assert "does not find" in events[0]["why"]


async def test_another_message_of_the_same_id_is_no_news() -> None:
    """Ids are made by both stations: what is damaged elsewhere did not come just now."""
    async with trio.open_nursery() as nursery:
        room = Room(nursery)
        room.shelf.damaged |= {"a": ("bravo", Side.OWN), "b": ("charlie", Side.PEER)}
        room.came(["a", "b"])
        events = await room.told()
        nursery.cancel_scope.cancel()
    assert short(events) == ["a", "b"]


async def test_more_news_than_can_be_kept_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was dropped is not shown any more: who looks on must not believe that nothing came."""
    monkeypatch.setattr(watching, "_NEWS_WAITING", 3)
    async with trio.open_nursery() as nursery:
        room = Room(nursery)
        for number in range(3):
            room.came([f"m{number}"])
            assert not room.watch.scope.cancel_called
        room.came(["one too many"])
        assert room.watch.scope.cancel_called
        nursery.cancel_scope.cancel()


async def test_a_flash_that_cannot_be_shown_is_told_before_all_else() -> None:
    """Behind a drain's messages it would be told last of all, though it is what somebody waits for."""
    async with trio.open_nursery() as nursery:
        room = Room(nursery)
        for number in range(100):
            room.watch.tell({"message": {"body": "", "id": number, "precedence": "ROUTINE"}})
        await room.watch.take()
        room.shelf.damaged["now"] = ("bravo", Side.PEER)
        room.came(["now"], ["now"])
        first = (await room.told())[0]
        nursery.cancel_scope.cancel()
    assert (first["event"], first["ids"], first["flash"]) == ("missed", ["now"], True)
