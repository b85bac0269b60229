"""Who is on watch, and what becomes of a watcher that does not keep up."""

from __future__ import annotations

import trio
import trio.testing

from hotline.daemon.watching import News, Watch, Watches
from hotline.model import Incoming, Kind, Precedence
from hotline.store.views import Arrival
from hotline.wire.entries import Message
from support.home import Home

MIB = 2**20


async def test_a_line_is_attended_only_while_somebody_watches_it(home: Home) -> None:
    """Its peer is shown that somebody is there: whoever looks at another line sees nothing of it."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:

        def attended() -> list[str]:
            return [n for n in station.line_names() if station.runner(n).line.attended]

        assert attended() == []
        every, bravo = station.watches.open(None), station.watches.open("bravo")
        assert attended() == ["bravo", "charlie"]
        station.watches.close(every)
        assert (attended(), len(station.watches)) == (["bravo"], 1)
        delta = station.watches.open("delta")
        await station.reload(home.lines("bravo", "charlie", "delta"))
        assert attended() == ["bravo", "delta"], "a line that comes while somebody waits for it"
        for watch in (delta, bravo, bravo):
            station.watches.close(watch)
        assert (attended(), len(station.watches)) == ([], 0)


async def test_events_reach_those_who_watch_the_line_in_order() -> None:
    """An operator who watches one line must not be shown another's, nor miss one of its own."""
    watches = Watches(lambda: None)
    every, bravo = watches.open(None), watches.open("bravo")
    for number in range(3):
        watches.tell("bravo", {"n": number})
        watches.tell("charlie", {"n": -number})
    assert [event["n"] for event in await bravo.take()] == [0, 1, 2]
    assert [event["n"] for event in await every.take()] == [0, 0, 1, -1, 2, -2]


async def test_a_watcher_that_waits_is_woken_by_an_event() -> None:
    """An event that wakes nobody is shown with the next one, which may come tomorrow."""
    watch = Watch(None)
    got: list[object] = []

    async def look() -> None:
        got.extend(await watch.take() + await watch.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        for number in range(2):
            await trio.testing.wait_all_tasks_blocked()
            watch.tell({"n": number})
    assert got == [{"n": 0}, {"n": 1}]


async def test_a_watcher_behind_by_too_many_events_is_let_go() -> None:
    """A terminal that was stopped must not make the daemon grow, nor count as somebody on watch."""
    watch = Watch(None)
    told = 0
    while not watch.scope.cancel_called and told < 10_000:
        watch.tell({"n": told})
        told += 1
    assert 1000 < told < 10_000


async def test_a_watcher_behind_by_too_much_text_is_let_go() -> None:
    """Four thousand messages of a mebibyte each would be four gibibytes."""
    watch = Watch(None)
    told = 0
    while not watch.scope.cancel_called and told < 1000:
        watch.tell({"message": {"body": "x" * MIB}})
        told += 1
    assert 4 < told < 64


async def test_a_watcher_that_keeps_up_is_never_let_go() -> None:
    """What has been taken must not count against the watcher for ever."""
    watch = Watch(None)
    for _ in range(200):
        watch.tell({"message": {"body": "x" * MIB}})
        await watch.take()
    assert not watch.scope.cancel_called


async def test_letting_go_ends_even_a_watcher_that_is_held_up_in_the_middle() -> None:
    """The client that does not read holds up the event that is being sent, not the next one."""
    watches = Watches(lambda: None)
    watch = watches.open(None)
    with trio.fail_after(5), watch.scope:
        watches.let_go()
        await trio.sleep_forever()
    assert watch.scope.cancelled_caught


async def test_progress_wakes_everyone_who_waits_once() -> None:
    """A command that waits for "delivered" must look again each time, and must not spin."""
    watches = Watches(lambda: None)
    first, same = watches.progress("bravo"), watches.progress("bravo")
    other = watches.progress("charlie")
    watches.progressed("bravo")
    assert first.is_set()
    assert same.is_set()
    assert not other.is_set()
    assert not watches.progress("bravo").is_set()
    watches.progressed("nobody-waits")


async def test_a_flash_is_shown_before_what_came_earlier() -> None:
    """Whoever is on watch during a drain must not see the FLASH after ten thousand others."""
    news = News()
    news.put("bravo", [f"m-{n}" for n in range(500)], [])
    assert (await news.take()).ids[0] == "m-0"
    news.put("bravo", ["n-0", "now", "n-1"], ["now"])
    first = await news.take()
    assert (first.line, first.ids) == ("bravo", ["now"])
    rest: list[str] = []
    while len(rest) < 500 - 64 + 2:
        rest += (await news.take()).ids
    assert rest == [f"m-{n}" for n in range(64, 500)] + ["n-0", "n-1"]


async def test_news_do_not_grow_without_bound() -> None:
    """A disk that cannot be read on must cost a watch, not the daemon's memory."""
    news = News()
    puts = 0
    while not news.overflown and puts < 10_000:
        news.put("bravo", [str(puts)], [])
        puts += 1
    assert puts < 10_000
    assert (await news.take()).ids == ["0"]


def _arrival(identifier: str) -> Arrival:
    incoming = Incoming(identifier, Kind.MESSAGE, Precedence.ROUTINE, 1, 1)
    said = Message(identifier, Precedence.ROUTINE, 1, None, "op", "", "")
    return Arrival(1, "bravo", incoming, said)


async def test_what_is_at_hand_is_shown_without_asking_the_store() -> None:
    """A message just taken in would be read from the disk again before anybody sees it."""
    news = News()
    arrivals = [_arrival("a"), _arrival("now"), _arrival("b")]
    assert news.put("bravo", ["a", "now", "b"], ["now"], arrivals) == [arrivals[1]]
    assert (await news.take()).arrivals == [arrivals[0], arrivals[2]]
    news.put("bravo", ["c", "d"], [], [_arrival("c")])
    run = await news.take()
    assert (run.ids, run.arrivals) == (["c", "d"], ())


async def test_a_few_at_hand_are_shown_at_once_where_nothing_waits() -> None:
    """Who is shown a message by another task sees it later, and who is shown many holds up others."""
    news = News()
    many = [_arrival(f"m-{n}") for n in range(5)]
    assert news.put("bravo", ["m-0", "m-1"], [], many[:2]) == many[:2]
    assert news.put("bravo", ["m-0", "m-1"], [], many[:1]) == ()
    assert news.put("bravo", ["m-2"], [], many[2:3]) == ()
    assert (await news.take()).ids == ["m-0", "m-1"]
    assert news.put("bravo", ["m-3"], [], many[3:4]) == (), "the one before is still being read"
    assert [(await news.take()).ids, (await news.take()).ids] == [["m-2"], ["m-3"]]
    with trio.move_on_after(0):
        await news.take()  # whoever shows them has nothing to show
    assert news.put("bravo", ["m-4"], [], many[4:]) == many[4:]
    assert news.put("bravo", [one.id for one in many], [], many) == ()


async def test_nothing_passes_what_is_still_being_read() -> None:
    """Two orders shown in the wrong order may be two other orders."""
    for flashes in ([], ["old", "new"]):
        news = News()
        news.put("bravo", ["old"], flashes[:1])
        assert (await news.take()).ids == ["old"]
        assert news.put("bravo", ["new"], flashes[1:], [_arrival("new")]) == ()


async def test_a_flash_at_hand_is_shown_at_once_however_much_waits_to_be_read() -> None:
    """During a drain more waits than is kept in memory: a FLASH is not read again for that."""
    news = News()
    for n in range(200):
        news.put("bravo", [f"m-{n}"], [], [_arrival(f"m-{n}")])
    assert news.put("bravo", ["now"], ["now"], [_arrival("now")]) == [_arrival("now")]


async def test_a_flash_at_hand_waits_for_one_that_is_still_being_read() -> None:
    """Two orders shown in the wrong order may be two other orders."""
    news = News()
    assert news.put("bravo", ["first"], ["first"]) == ()
    assert news.put("bravo", ["second"], ["second"], [_arrival("second")]) == ()
    assert (await news.take()).ids == ["first"]
    assert news.put("bravo", ["third"], ["third"], [_arrival("third")]) == ()
    assert [(await news.take()).ids, (await news.take()).ids] == [["second"], ["third"]]
    news.put("bravo", ["other"], [])
    assert (await news.take()).ids == ["other"]
    assert len(news.put("bravo", ["fourth"], ["fourth"], [_arrival("fourth")])) == 1


async def test_a_flash_is_sent_before_events_that_wait() -> None:
    """Behind a drain's thousand messages it would be shown last, to whom it matters first."""
    watch = Watch(None)
    for number in range(100):
        watch.tell({"message": {"body": "", "id": number, "precedence": "ROUTINE"}})
    await watch.take()
    watch.tell({"message": {"body": "", "id": "now", "precedence": "FLASH"}})
    shown = [event["message"]["id"] for _ in range(3) for event in await watch.take()]
    assert shown[0] == "now"
    assert len(shown) - 1 <= 3 * 32
    assert shown[1:] == list(range(100 - len(shown) + 1, 100))


async def test_a_watcher_behind_by_too_many_ids_is_let_go() -> None:
    """What could not be read is told by its ids, which are a peer's, and may be long and many."""
    watch = Watch(None)
    told = 0
    while not watch.scope.cancel_called and told < 3000:
        watch.tell({"event": "missed", "ids": ["x" * 64 * 64] * 64})
        told += 1
    assert 4 < told < 128


async def test_what_waits_is_not_kept_at_hand_without_bound() -> None:
    """A thousand runs that wait for a watch must cost their ids, not what they say."""
    news = News()
    news.put("bravo", ["to be read"], [])
    for number in range(1000):
        assert news.put("bravo", [str(number)], [], [_arrival(str(number))]) == ()
    assert (await news.take()).ids == ["to be read"]
    runs = [await news.take() for _ in range(1000)]
    assert [run.ids for run in runs] == [[str(number)] for number in range(1000)]
    assert sum(bool(run.arrivals) for run in runs) <= 100


async def test_others_have_their_turn_between_what_is_at_hand() -> None:
    """Messages that need no reading would hold up the event loop until all of a drain are shown."""
    news = News()
    news.put("bravo", ["to be read"], [])
    for number in range(9):
        news.put("bravo", [str(number)], [], [_arrival(str(number))])
    order: list[str] = []

    async def show() -> None:
        for _ in range(10):
            order.extend((await news.take()).ids)

    async def other() -> None:
        for _ in range(3):
            await trio.lowlevel.checkpoint()
            order.append("other")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(show)
        nursery.start_soon(other)
    assert order[-1] == "8"
    assert order.count("other") == 3
