"""What a request is answered, where the disk has the last word."""

from __future__ import annotations

import base64
from typing import Any

import pytest

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
