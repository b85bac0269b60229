"""watch: what happens is on the screen, or in the pipe, when it happens."""

from __future__ import annotations

import select
import threading

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Gone, Params, message
from cli.station_operator import TIMEOUT_S, Operator


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_an_event_does_not_wait_for_the_next_one(
    operator: Operator, daemon: FakeDaemon, options: tuple[str, ...]
) -> None:
    """In a pipe, to a program that rings a bell, a FLASH would stay until the buffer is full."""
    seen = threading.Event()

    def one_message(_params: Params, connection: Connection) -> Params:
        event = {"event": "message", "at": "2026-11-23T15:30:00.000000Z", "line": "bravo"}
        connection.put({"id": 1, "result": {}})
        connection.notify("event", {**event, "message": message()})
        seen.wait(TIMEOUT_S)
        raise Gone

    daemon.on("watch", one_message)
    process = operator.start("watch", *options, PYTHONUNBUFFERED="")
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], 20)[0], "it is kept back"
        assert b"FLASH" in process.stdout.readline()
    finally:
        seen.set()
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 3
