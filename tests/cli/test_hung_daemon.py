"""A daemon that is there and does nothing: every command ends, and says what is known."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.fake_daemon import FakeDaemon, Params, Silent, accept_all

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
