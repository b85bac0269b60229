"""What a request is answered, where the disk has the last word."""

from __future__ import annotations

import base64
import threading
from functools import partial
from typing import Any
from unittest import mock

import pytest
import structlog
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hotline import limits
from hotline.daemon.answers import Answers
from hotline.daemon.jsonrpc import Call
from hotline.daemon.requests import Requests
from hotline.daemon.station import Station
from hotline.errors import RefusedError, StoreFullError
from hotline.line.agreement import put_halt
from hotline.line.pairing import Pairing
from hotline.model import Halt, Position
from hotline.wire import courier, entries, heads
from hotline.wire.courier import Content
from hotline.wire.frames import Entries
from support.home import Home


async def asked(station: Station, method: str, **params: Any) -> Any:
    """Ask as the control socket does, by an operator who neither waits nor watches."""
    requests = Requests(station, "anna", None)  # type: ignore[arg-type]
    with Answers().due() as due:
        return await requests.serve(Call(method, params, 1), lambda: None, due)


async def test_a_retry_is_answered_once_the_disk_has_taken_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told that the line is called, an operator leaves; it would stand halted until somebody looks."""
    async with home.at_work(home.lines("bravo", "charlie", "delta")) as station:
        lines = [station.runner(name).line for name in ("bravo", "charlie")]
        halt = Halt("fork", "two histories", 1)
        for name, line in zip(("bravo", "charlie"), lines, strict=True):
            await station.runner(name).request(
                lambda tx, n=line.record.line: put_halt(tx, n, halt),  # type: ignore[misc]
                line.recorded,
                fetch=False,
            )
        store: Any = station._writer._store
        with monkeypatch.context() as patch:
            patch.setattr(store, "transact", _no_room)
            for which in ({}, {"line": "charlie"}):
                with pytest.raises(StoreFullError):
                    await asked(station, "retry", **which)
            assert (await asked(station, "retry", line="delta"))["lines"] == ["delta"]
        assert [line.halt for line in lines] == [halt, halt]
        await asked(station, "retry", line="bravo")
        with monkeypatch.context() as patch:
            patch.setattr(store, "transact", _no_room)
            with pytest.raises(StoreFullError):
                await asked(station, "retry")
        assert [line.halt for line in lines] == [None, halt]
        assert (await asked(station, "retry"))["lines"] == ["bravo", "charlie", "delta"]
        assert [line.halt for line in lines] == [None, None]


async def test_a_send_says_how_its_line_stands(home: Home) -> None:
    """Queued on a line that is halted, a message goes nowhere until somebody acts: it can be said."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        runner = station.runner("bravo")
        await runner.request(
            lambda tx: put_halt(tx, runner.line.record.line, Halt("fork", "two histories", 1)),
            runner.line.recorded,
            fetch=False,
        )
        for name, state, reason in (
            ("bravo", "halted", "fork"),
            ("charlie", "down", "no-address"),
        ):
            answer = await asked(station, "send", line=name, messages=[{"id": "m1", "body": "x"}])
            assert answer["line"] == {"state": state, "reason": reason}
            assert answer["results"] == [{"id": "m1", "state": "queued", "repeated": False}]


async def test_a_brief_answer_names_what_was_not_merely_queued(home: Home) -> None:
    """A batch asks of thousands: only what is not as expected is told, by its place in the request."""
    same = {"id": "m1", "body": "x"}
    messages = [same, same, {"id": "m2", "body": "y"}, {"body": "z"}, {"id": "m1", "body": "other"}]
    async with home.at_work(home.lines("bravo")) as station:
        answer = await asked(station, "send", line="bravo", messages=messages, brief=True)
        again = await asked(station, "send", line="bravo", messages=[same], brief=True)
    told = [(one["at"], one["id"], one.get("error", {}).get("code")) for one in answer["results"]]
    assert answer["queued"] == 2
    assert told == [(1, "m1", None), (3, None, "bad-request"), (4, "m1", "id-in-use")]
    assert (again["queued"], again["results"]) == (
        0,
        [{"id": "m1", "state": "queued", "repeated": True, "at": 0}],
    )


_PLAIN = {"id": "m1", "precedence": "ROUTINE", "subject": "s", "body": "b"}


def _of(most: int) -> st.SearchStrategy[Any]:
    """Give texts as odd as they come: about as long as they may be, by characters or by bytes."""
    long = [most - 1, most, most + 1, most // 2, most // 2 + 1]
    odd = ["", "ü", "\ud800", "a\x00", "\n", "\x7f", None, 7, b"b", ["b"], True]
    texts = [letter * times for letter in "xü" for times in long]
    return st.sampled_from([*odd, *texts]) | st.text()


_odd_fields = st.one_of(
    st.fixed_dictionaries({"id": _of(limits.ID_BYTES)}),
    st.fixed_dictionaries({"id": st.sampled_from(["ack.1", "key-change.2", "-a", "a/b"])}),
    st.fixed_dictionaries({"subject": _of(limits.SUBJECT_BYTES)}),
    st.fixed_dictionaries({"body": _of(limits.MESSAGE_BYTES)}),
    st.fixed_dictionaries(
        {"precedence": st.sampled_from(["FLASH", "flash", "", 0, None, ["FLASH"], {}])}
    ),
    st.fixed_dictionaries({"test": st.booleans()}),
    st.fixed_dictionaries({"more": st.none()}),
)
_BOUND = limits.OPERATOR_BYTES
_operators = ["anna", "", "ünal", "ü" * (_BOUND // 2 + 1), "o" * _BOUND, "o" * (_BOUND + 1)]


@example([{}, {"body": "x" * (limits.MESSAGE_BYTES + 1)}], set(), "anna")
@example([{}], set(), "ü" * (_BOUND // 2 + 1))
@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.just({}) | _odd_fields, min_size=1, max_size=3),
    st.sets(st.sampled_from(sorted(_PLAIN)), max_size=1),
    st.sampled_from(_operators),
)
def test_a_batch_is_what_each_of_its_messages_is(
    odd: list[dict[str, Any]], missing: set[str], operator: str
) -> None:
    """It goes by a short cut; nothing goes by it that would be refused, or would look otherwise."""
    requests = Requests.__new__(Requests)
    requests._operator = operator
    asked = [{**_PLAIN, **one} for one in odd]
    asked[0] = {name: value for name, value in asked[0].items() if name not in missing}
    short = requests._compose_all(asked, 10**18)
    assert repr(short) == repr([requests._compose(one, 10**18) for one in asked])
    for others in (["no object", *asked], [*asked, []]):
        some = [repr(one) for one in requests._compose_all(others, 10**18)]
        assert all(repr(one) in some for one in short)
        assert any("an object" in one for one in some)


@pytest.mark.parametrize("body", ["b", "Ж" * 100])
def test_a_batch_goes_by_the_short_cut(body: str) -> None:
    """Else all that is said of it here would be said of nothing."""
    requests = Requests.__new__(Requests)
    requests._operator = "anna"
    asked = [{"id": "m1", "precedence": "FLASH", "subject": "s", "body": body}, {"id": "m2"}]
    with mock.patch.object(Requests, "_draft", side_effect=AssertionError):
        assert [one.id for one in requests._compose_all(asked, 10**18)] == ["m1", "m2"]


def _no_room(_works: object) -> None:
    raise StoreFullError("the disk is full", hint="make room")


async def test_a_file_that_is_opened_while_its_card_is_revoked_is_not_taken_in(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the keys may have made it: nothing comes in, by any way, from then on."""
    async with home.at_work(home.lines("bravo")) as station:
        line, aside = station.runner("bravo").line, station.aside
        own, peer = line.pairing.own, line.pairing.peer
        bravo = Pairing(home.keys["bravo"], peer, own)
        data = entries.encode(entries.Test("t1", 1, "rogue"))
        end = Position(1, heads.chain(bravo.own_zero, [data])[-1])
        nothing = Position(0, bravo.own_zero), Position(0, bravo.peer_zero)
        runs = (Entries(1, (data,), bravo.sign_head(end)),)
        said = Content(peer.id, own.id, 1, *nothing, 0, None, None, runs, None)
        file = bravo.seal_courier(courier.encode(said), line.pairing.courier_key)

        async def revoked_meanwhile(work: Any) -> Any:
            opened = await aside(work)
            await station.revoke("bravo", own.id, peer.id, "anna")
            return opened

        with monkeypatch.context() as patch:
            patch.setattr(station, "aside", revoked_meanwhile)
            with pytest.raises(RefusedError, match=r"halted \(revoked\)"):
                await asked(station, "courier_import", file=base64.b64encode(file).decode())
        assert line.record.peer.number == 0


async def test_what_is_done_is_told_though_its_operator_has_gone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that is interrupted while the disk is at work has asked for what is done then."""
    async with home.at_work(home.lines("bravo")) as station:
        runner = station.runner("bravo")
        number, pairing = runner.line.record.line, runner.line.pairing
        halt = Halt("own-log-lost", "the peer holds more", 1)
        await runner.request(
            lambda tx: put_halt(tx, number, halt), runner.line.recorded, fetch=False
        )
        await asked(station, "send", line="bravo", messages=[{"id": "m1", "body": "b"}])
        waits = station.watches.progress("bravo")
        store: Any = station._writer._store
        cards = {"own_id": pairing.own.id.hex(), "peer_id": pairing.peer.id.hex()}
        with structlog.testing.capture_logs() as logged:
            await gone_from(station, store, monkeypatch, "cancel", id="m1")
            assert waits.is_set(), "whoever waits for it would wait for ever"
            await gone_from(station, store, monkeypatch, "verify", line="bravo", **cards)
            await gone_from(station, store, monkeypatch, "recover", line="bravo")
            waits = station.watches.progress("bravo")
            await gone_from(station, store, monkeypatch, "revoke", line="bravo", **cards)
            assert waits.is_set(), "nothing will become of what is waited for"
        told = {one["event"]: one.get("operator") for one in logged}
        assert told["line_verified"] == told["recovery_asked"] == "anna"
        assert station.status()["lines"][0]["verified_by"] == "anna"
        assert runner.line.record.recovering


async def gone_from(
    station: Station, store: Any, monkeypatch: pytest.MonkeyPatch, method: str, **params: Any
) -> None:
    """Ask, be gone before the disk has answered, and see to it that it answers."""
    over, transact = threading.Event(), store.transact

    def slowly(works: Any) -> Any:
        over.wait()
        return transact(works)

    async with trio.open_nursery() as nursery:
        with monkeypatch.context() as patch:
            patch.setattr(store, "transact", slowly)
            nursery.start_soon(partial(asked, station, method, **params))
            await trio.testing.wait_all_tasks_blocked(0.05)
            nursery.cancel_scope.cancel()
            over.set()
    await station.runner("bravo").request(lambda _: None, lambda *_: [], fetch=False)
