"""What ends a daemon stands in its log: faults of this program are planted in a real one."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from support.processes import ROOT, until
from support.stations import Refused, Station, Stations, log_lines, message

PLANT = """
from hotline.errors import StoreError
import {module} as module
def planted(*arguments, **named):
    raise {fault}
{place} = planted
"""


@pytest.fixture
def alpha(stations: Stations) -> Station:
    """Give a station, not started, with a line to one that is not there."""
    alpha = stations.make("alpha")
    alpha.pin(stations.make("bravo"), calls=False)
    return alpha


def plant(station: Station, folder: Path, module: str, place: str, fault: str) -> None:
    """Have the station's daemon run with a fault; place begins with ``module.``."""
    text = PLANT.format(module=module, place=place, fault=fault)
    (folder / "sitecustomize.py").write_text(text)
    station.inside = ("env", f"PYTHONPATH={folder}:{ROOT}")


def test_a_fault_behind_a_commit_is_told_as_ours(alpha: Station, tmp_path: Path) -> None:
    """To read of an internal error in Trio sends the operator to somebody else's door."""
    plant(alpha, tmp_path, "hotline.line.sending", "module.Sending._taken", 'KeyError("planted")')
    alpha.start()
    with alpha.client() as client:
        client.post("send", line="bravo", messages=[message("m1")])
        assert alpha.running.wait() == 1
    [told] = alpha.logged("daemon_failed", level="critical")
    assert told["exception"]["type"] == "KeyError"
    assert any("planted" in frame for frame in told["exception"]["frames"])
    said = alpha.stderr.read_text()
    assert "a fault in this program: KeyError" in said
    assert "Trio" not in said
    alpha.inside = ()
    alpha.start()
    assert [one["id"] for one in alpha.box("outbox")] == ["m1"], "it was durable"


def test_a_fault_within_a_commit_is_told_without_its_words(alpha: Station, tmp_path: Path) -> None:
    """A log goes to backups and to whoever helps: no message may, nor may the trace be missing."""
    fault = 'KeyError("of " + arguments[2][0].content.decode(errors="replace"))'
    plant(alpha, tmp_path, "hotline.line.accepting", "module.accept", fault)
    alpha.start()
    with alpha.client() as client:
        client.post("send", line="bravo", messages=[message("m1", "attack at dawn")])
        assert alpha.running.wait() == 1
    [told] = alpha.logged("store_failed", level="critical")
    assert told["why"] == "a fault in this program: KeyError"
    assert told["exception"]["type"] == "KeyError"
    assert any("planted" in frame for frame in told["exception"]["frames"])
    written = (alpha.state / "daemon.jsonl").read_text() + alpha.stderr.read_text()
    assert "dawn" not in written


def test_why_it_cannot_listen_is_in_the_log(alpha: Station) -> None:
    """Whoever looks for a daemon that is not there looks into its log first."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((alpha.host, alpha.port))
        taken.listen()
        alpha.launch()
        assert alpha.running.wait() == 2
    [told] = alpha.logged("daemon_failed", level="critical")
    assert told["why"].startswith(f"cannot listen on {alpha.address}")
    assert told["hint"].startswith("another program listens there")


@pytest.mark.parametrize("folder", [False, True])
def test_what_stands_in_the_place_of_the_socket_stays(alpha: Station, folder: bool) -> None:
    """Somebody put it there: a daemon that does not start must not be what deletes it."""
    alpha.state.mkdir(mode=0o700)
    if folder:
        alpha.socket.mkdir()
    else:
        alpha.socket.write_text("precious")
    alpha.launch()
    assert alpha.running.wait() == 2
    [told] = alpha.logged("daemon_failed", level="critical")
    assert (told["why"], told["hint"]) == (
        f"cannot make the control socket {alpha.socket}: what stands there is no socket",
        "see what it is, and move it away",
    )
    assert alpha.socket.is_dir() if folder else alpha.socket.read_text() == "precious"


def test_a_stop_removes_the_socket_and_nothing_else(alpha: Station) -> None:
    """A socket that is left says to every client that there is a daemon which hangs."""
    alpha.start()
    assert alpha.stop() == 0
    assert not alpha.socket.exists()
    alpha.start()
    alpha.socket.unlink()
    alpha.socket.write_text("precious")
    assert alpha.stop() == 0
    assert alpha.socket.read_text() == "precious"


def test_why_its_store_cannot_be_opened_is_in_the_log(alpha: Station) -> None:
    """A supervisor starts it again and again: what is said on stderr alone may be nowhere."""
    alpha.state.mkdir(mode=0o700)
    store = alpha.state / "store.db"
    store.write_bytes(b"no store" * 1000)
    store.chmod(0o600)
    alpha.launch()
    assert alpha.running.wait() == 1
    [told] = alpha.logged("daemon_failed", level="critical")
    assert str(store) in told["why"]
    assert told["hint"]


def test_a_second_daemon_leaves_the_log_of_the_first_alone(alpha: Station) -> None:
    """An alarm in the log of a daemon that works would call somebody out for nothing."""
    alpha.start()
    alpha.await_logged("daemon_started")
    before = log_lines(alpha.state / "daemon.jsonl")
    assert alpha.hotline("run").code == 5
    assert log_lines(alpha.state / "daemon.jsonl") == before
    assert alpha.stop() == 0


def test_who_asked_for_a_commit_hears_that_it_may_be_done(alpha: Station, tmp_path: Path) -> None:
    """Whoever only looked would search for a message that was never sent."""
    fault = 'StoreError("the disk gave an error", hint="check the disk")'
    plant(alpha, tmp_path, "hotline.line.accepting", "module.accept", fault)
    alpha.start()
    with alpha.client() as client, pytest.raises(Refused) as caught:
        client.call("send", line="bravo", messages=[message("m1")])
    assert caught.value.code == "store-failed"
    assert "same id" in caught.value.hint
    assert alpha.running.wait() == 1


def test_who_only_looked_hears_nothing_of_sending_again(alpha: Station, tmp_path: Path) -> None:
    """The same, for the other half of the verbs."""
    fault = 'StoreError("the disk gave an error", hint="check the disk")'
    plant(alpha, tmp_path, "hotline.store.reader", "module.SqliteReader.show", fault)
    alpha.start()
    with alpha.client() as client, pytest.raises(Refused) as caught:
        client.call("show", id="m1")
    assert (caught.value.code, caught.value.hint) == ("store-failed", "check the disk")
    assert alpha.running.wait() == 1


SLOW_ANSWER = """
import trio
import hotline.daemon.control as control
send = control._Client._send
async def slow(self, data):
    await trio.sleep(0.5)
    await send(self, data)
control._Client._send = slow
"""


@pytest.mark.parametrize(
    ("module", "place", "method", "params"),
    [
        (
            "hotline.line.accepting",
            "module.accept",
            "send",
            {"line": "bravo", "messages": [message("m1")]},
        ),
        ("hotline.store.reader", "module.SqliteReader.show", "show", {"id": "m1"}),
        (
            "hotline.store.reader",
            "module.SqliteReader.show",
            "wait",
            {"line": "bravo", "ids": ["m1"]},
        ),
    ],
)
def test_the_end_waits_until_an_answer_is_written(
    alpha: Station, tmp_path: Path, module: str, place: str, method: str, params: dict[str, Any]
) -> None:
    """On a busy machine the answer comes late: whoever asked would hear that the daemon went away."""
    plant(alpha, tmp_path, module, place, 'StoreError("the disk gave an error")')
    with (tmp_path / "sitecustomize.py").open("a") as file:
        file.write(SLOW_ANSWER)
    alpha.start()
    with alpha.client() as client, pytest.raises(Refused) as caught:
        client.call(method, **params)
    assert caught.value.code == "store-failed"
    assert alpha.running.wait() == 1


def test_an_orderly_stop_waits_for_the_answers_under_way(alpha: Station, tmp_path: Path) -> None:
    """What is accepted already, and not known to be, is asked for again by hand in each restart."""
    begun = tmp_path / "begun"
    alpha.inside = ("env", f"PYTHONPATH={tmp_path}:{ROOT}")
    slow = SLOW_ANSWER.replace(
        "await trio", f"if b'results' in data: open({str(begun)!r}, 'w').close()\n    await trio"
    )
    (tmp_path / "sitecustomize.py").write_text(slow)
    alpha.start()
    with alpha.client() as client:
        number = client.post("send", line="bravo", messages=[message("m1")])
        until("the answer is under way", begun.exists)
        alpha.running.tell(signal.SIGTERM)
        answer = client.take()
    assert (answer["id"], answer["result"]["results"][0]["id"]) == (number, "m1")
    assert alpha.running.wait() == 0


def test_who_waits_for_the_peer_does_not_hold_up_the_end(alpha: Station, tmp_path: Path) -> None:
    """Nothing is to be said to them; a minute of a restart is a minute without a line."""
    fault = 'StoreError("the disk gave an error")'
    plant(alpha, tmp_path, "hotline.store.reader", "module.SqliteReader.page", fault)
    with (tmp_path / "sitecustomize.py").open("a") as file:
        file.write("import hotline.daemon.station as station\nstation._STOP_S = 3600\n")
    alpha.start()
    with alpha.client() as client, alpha.client() as other:
        client.call("send", line="bravo", messages=[message("m1")])
        client.post("wait", line="bravo", ids=["m1"])
        other.call("show", id="m1")
        with pytest.raises(Refused) as caught:
            other.call("inbox")
        assert caught.value.code == "store-failed"
        assert alpha.running.wait() == 1
