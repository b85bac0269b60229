"""A daemon that is there and does nothing: every command ends, and says what is known."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Params, Silent, accept_all, message

from hotline.cli import client
from hotline.cli.client import Client
from hotline.cli.exits import UnreachableError
from hotline.cli.main import main
from hotline.limits import MESSAGE_BYTES

SOON_S = 0.2
"""In place of the minute after which a daemon counts as hung."""


@pytest.fixture
def hung(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Give the socket of a daemon that was stopped: the kernel takes connections, nobody reads."""
    path = folder / "state" / "control.sock"
    path.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(client, "ANSWER_S", SOON_S)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HOTLINE_CONFIG", raising=False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        yield listener


@pytest.mark.parametrize("size_bytes", [1, MESSAGE_BYTES])
def test_a_message_of_any_size_comes_to_an_end(
    hung: socket.socket, capsys: pytest.CaptureFixture[str], size_bytes: int
) -> None:
    """What is over the socket's buffer waits for the daemon to read, which it never does."""
    assert hung.getsockname()
    assert main(["send", "bravo", "x" * size_bytes, "--id", "order-7"]) == 3
    told = capsys.readouterr().err
    assert "does not answer: whether the message was queued is not known" in told
    assert "--id order-7" in told


def test_a_batch_comes_to_an_end(hung: socket.socket, capsys: pytest.CaptureFixture[str]) -> None:
    """A script at night would stand there until somebody came; the lines are told as not known."""
    assert hung.getsockname()
    Path("batch").write_text(('{"body":"' + "x" * 1000 + '"}\n') * 2000, encoding="ascii")
    assert main(["send", "bravo", "--batch", "batch"]) == 3
    told = capsys.readouterr()
    assert "does not answer" in told.err
    assert "not known: lines 1-1024 of batch" in told.out


def test_a_daemon_that_takes_no_more_callers(hung: socket.socket) -> None:
    """The kernel lets nobody further in behind those that wait already."""
    path = Path(hung.getsockname())
    with contextlib.ExitStack() as waiting:
        with contextlib.suppress(BlockingIOError):
            while True:
                one = waiting.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                one.connect(str(path))
        with pytest.raises(UnreachableError, match="does not answer"):
            Client.connect(path, hint="start it")


def test_a_batch_that_is_cut_off_while_it_is_sent_is_told_as_not_known(
    hung: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon may have had all of a request before it died: to call it unsent sends it twice."""

    def cut() -> None:
        sock, _ = hung.accept()
        sock.recv(1000)
        sock.close()

    Path("batch").write_text(('{"body":"' + "x" * 1000 + '"}\n') * 2000, encoding="ascii")
    serving = threading.Thread(target=cut)
    serving.start()
    assert main(["send", "bravo", "--batch", "batch"]) == 3
    serving.join()
    told = capsys.readouterr()
    assert "went away" in told.err
    assert "not known: lines 1-1024 of batch" in told.out


def test_a_daemon_that_has_no_place_is_told_as_that(
    folder: Path,
    daemon: FakeDaemon,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It answers to no request in particular; whoever waits for one of theirs waits a minute."""

    def busy(_params: Params, connection: Connection) -> None:
        error = {"code": -32000, "message": "no place", "data": {"code": "busy", "hint": "later"}}
        connection.put({"id": None, "error": error})
        raise Silent

    daemon.on("status", busy)
    monkeypatch.setattr(client, "ANSWER_S", 10 * SOON_S)
    monkeypatch.chdir(folder)
    assert main(["status"]) == 5
    assert capsys.readouterr().err == "hotline: no place\nhint: later\n"


def test_the_state_that_is_told_is_that_of_the_message_sent(
    folder: Path,
    daemon: FakeDaemon,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A message of the peer's may have the same id: that it came is no word of ours delivered."""

    def never(_params: Params, _connection: object) -> None:
        raise Silent

    theirs = message(id="x", direction="in", state="delivered")
    ours = message(id="x", direction="out", state="queued")
    daemon.on("send", accept_all)
    daemon.on("wait", never)
    daemon.answers("show", {"messages": [theirs, ours]})
    daemon.answers("status", {"station": "alpha", "lines": []})
    monkeypatch.chdir(folder)
    argv = ["send", "bravo", "text", "--id", "x", "--wait", "delivered", "--timeout", "0.2"]
    assert main(argv) == 4
    assert "x is still queued" in capsys.readouterr().err


def test_a_wait_ends_in_its_time_though_nobody_tells_the_state(
    folder: Path,
    daemon: FakeDaemon,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The last state known is told, not waited for a minute longer than was asked."""

    def never(_params: Params, _connection: object) -> None:
        raise Silent

    daemon.on("send", accept_all)
    daemon.on("wait", never)
    daemon.on("show", never)
    monkeypatch.setattr("hotline.cli.waiting.LOOK_S", SOON_S)
    monkeypatch.chdir(folder)
    began_s = time.monotonic()
    argv = ["send", "bravo", "text", "--id", "x", "--wait", "delivered", "--timeout", "0.2"]
    assert main(argv) == 4
    assert time.monotonic() - began_s < client.ANSWER_S
    assert "x is still queued" in capsys.readouterr().err
