"""Which answers a daemon waits for before it ends."""

from __future__ import annotations

import trio
import trio.testing

from hotline.daemon.answers import Answer, Answers
from support.processes import LONG_S


class Desk:
    """Clients that ask, and a daemon that waits until what they asked is answered."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.answers = Answers()
        self.done = False
        self._nursery = nursery

    def ask(self) -> trio.Event:
        """Owe an answer until the event is set."""
        written = trio.Event()
        self._nursery.start_soon(self._serve, written)
        return written

    async def _serve(self, written: trio.Event) -> None:
        with self.answers.due():
            await written.wait()

    async def end(self) -> None:
        """Wait, and note that nothing is due any more."""
        with trio.fail_after(LONG_S):
            await self.answers.written()
        self.done = True

    async def is_done(self) -> bool:
        """Tell whether the wait has ended, once nothing else can happen."""
        await trio.testing.wait_all_tasks_blocked()
        return self.done


async def test_all_that_is_due_is_waited_for() -> None:
    """A daemon that goes before the last answer leaves somebody who does not know what was done."""
    async with trio.open_nursery() as nursery:
        desk = Desk(nursery)
        asked = [desk.ask() for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(desk.end)
        for written in asked:
            assert not await desk.is_done()
            written.set()
        assert await desk.is_done()


async def test_what_is_asked_later_does_not_count() -> None:
    """A client that asks on and on must not keep a daemon whose store has failed."""
    async with trio.open_nursery() as nursery:
        desk = Desk(nursery)
        first = desk.ask()
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(desk.end)
        await trio.testing.wait_all_tasks_blocked()
        late = desk.ask()
        first.set()
        assert await desk.is_done()
        late.set()


async def test_nothing_due_is_waited_for_no_moment() -> None:
    """Every station without operators would stand still for it."""
    with trio.fail_after(LONG_S):
        await Answers().written()


async def test_an_answer_that_waits_for_the_peer_is_not_due_meanwhile() -> None:
    """A command that waits for days would hold the daemon; one that has an answer to write may."""
    async with trio.open_nursery() as nursery:
        desk = Desk(nursery)
        came, written = trio.Event(), trio.Event()

        async def serve(due: Answer) -> None:
            with due.postponed():
                await came.wait()
            await written.wait()

        async def wait() -> None:
            with desk.answers.due() as due:
                await serve(due)

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await desk.end()
        came.set()
        desk.done = False
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(desk.end)
        assert not await desk.is_done()
        written.set()
        assert await desk.is_done()


async def test_an_answer_to_who_has_gone_is_not_due() -> None:
    """A client that hangs up would hold the daemon for the whole time of its stop."""
    async with trio.open_nursery() as nursery:
        desk = Desk(nursery)
        async with trio.open_nursery() as client:
            client.start_soon(desk._serve, trio.Event())
            await trio.testing.wait_all_tasks_blocked()
            client.cancel_scope.cancel()
        await desk.end()
        assert desk.done
