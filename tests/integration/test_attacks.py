"""What a hostile reader of the sources tried on real daemons and commands; each once had an effect."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import struct
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from hotline import limits
from hotline.daemon.config import Address
from hotline.errors import ConfigError
from hotline.identity import read_secret_keys
from hotline.identity.card import read_card
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.kem import MLKEM1024
from support.callers import Callers
from support.processes import Done, Running, hotline, seen_of, until
from support.stations import Client, Refused, Station, Stations, message

Pair = tuple[Station, Station]

RESET = struct.pack("ii", 1, 0)
"""struct linger: close at once, and with RST instead of FIN."""


def assert_clear(done: Done) -> None:
    """See that a command said what is wrong, and showed nothing of its inside."""
    for sign in ("Traceback", "fault in this program", "Exception ignored"):
        assert sign not in done.err


def assert_carries(author: Station, reader: Station, text: str) -> None:
    """See that both daemons live and a message gets through."""
    assert author.running.alive
    assert reader.running.alive
    done = author.hotline("send", reader.name, text, "--wait", "delivered", "--timeout", "60s")
    assert done.code == 0, done.err


# --- the listening port ---------------------------------------------------------------------------


@pytest.mark.parametrize("stalled", [False, True], ids=["at work", "stalled"])
def test_callers_that_reset_do_not_end_the_daemon(pair: Pair, *, stalled: bool) -> None:
    """A port scan would have ended every line of the station."""
    alpha, bravo = pair
    if stalled:  # so that each is reset before the daemon can look at it
        bravo.running.tell(signal.SIGSTOP)
    try:
        for _ in range(100 if stalled else 300):  # a backlog's worth at most
            with socket.create_connection(("127.0.0.1", bravo.port), 5) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    finally:
        bravo.running.tell(signal.SIGCONT)
    assert_carries(alpha, bravo, f"after resets {stalled}")
    bravo.up("alpha")
    assert bravo.logged("daemon_failed") == bravo.logged("caller_lost") == []


def test_strangers_do_not_wash_the_log_away(pair: Pair) -> None:
    """A line for each junk unit lets whoever knocks push out what the operator must read."""
    _, bravo = pair
    before = len(bravo.logged("stranger_ignored"))
    began = time.monotonic()
    with contextlib.ExitStack() as opened:

        def knock() -> None:
            caller = opened.enter_context(socket.create_connection(("127.0.0.1", bravo.port), 5))
            caller.sendall(os.urandom(limits.UNIT_BYTES))

        def noted() -> list[dict[str, Any]]:
            return bravo.logged("stranger_ignored")[before:]

        for _ in range(50):
            knock()
        knocks, knocked_at = 50, time.monotonic()

        def all_counted() -> bool:
            nonlocal knocks, knocked_at
            if time.monotonic() > knocked_at + 1.1:
                knock()
                knocks, knocked_at = knocks + 1, time.monotonic()
            counted: int = sum(line["count"] for line in noted())
            return counted == knocks

        until("every stranger is counted", all_counted)
        took_s = time.monotonic() - began
        assert 2 <= len(noted()) <= took_s + 2
        assert all(line["source"].startswith("127.0.0.1:") for line in noted())
    bravo.up("alpha")


def first_units(caller: Station, called: Station) -> Iterator[bytes]:
    """Make genuine first units, as whoever keeps them from arriving would gather."""
    cards = read_card(caller.card), read_card(called.card)
    pairing = Pairing(read_secret_keys(caller.folder / f"{caller.name}.key"), *cards)
    ephemerals = system_ephemerals(MLKEM1024)
    while True:
        yield Session(pairing, ephemerals, initiator=True).pull(limits.UNIT_BYTES)


def descriptors_of(station: Station) -> list[str]:
    """Give what each of the daemon's descriptors stands for."""
    found = []
    for entry in seen_of(station.running.process.pid, "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(entry.readlink().name)
    return found


def open_to(station: Station) -> int:
    """Count the daemon's open sockets."""
    return sum(name.startswith("socket:") for name in descriptors_of(station))


def test_kept_first_units_hold_few_connections_and_not_the_peer(stations: Stations) -> None:
    """Each took a descriptor and a handshake's memory, until there was none left for the peer."""
    alpha, bravo = stations.one_session()  # bravo never calls
    alpha.stop()
    bravo.when("alpha", state="down")
    quiet = open_to(bravo)
    with Callers(bravo.port, partial(next, first_units(alpha, bravo))) as thief:

        def few() -> bool:
            return thief.held() > 0 and open_to(bravo) - quiet <= limits.LINKS_PER_LINE + 1

        thief.call(40)
        # So often that 40 would be held if none yielded, and each of them for seconds.
        thief.keep_coming(limits.HANDSHAKE_TIMEOUT_S / 40)
        until("the units were genuine", lambda: thief.answered > limits.LINKS_PER_LINE)
        until("the oldest yielded", few)
        alpha.start()
        alpha.up("bravo")
        assert_carries(alpha, bravo, "through")
        assert not alpha.logged("line_state", reason="no-answer"), "it had to wait for a place"
        until("they still come", lambda came=thief.came: thief.came > came)  # type: ignore[misc]
        until("the oldest yield still", few)
    bravo.up("alpha")


# --- the control socket ---------------------------------------------------------------------------


def test_idle_operators_turn_others_away_and_not_into_hanging(pair: Pair) -> None:
    """A script that leaks connections made every later command hang for a minute without a word."""
    alpha, bravo = pair
    with contextlib.ExitStack() as opened:
        idle: list[Client] = []

        def joined() -> bool:
            """Tell whether one more was let in: a command before may not have left its place yet."""
            client = opened.enter_context(alpha.client())
            try:
                client.call("status")
            except (OSError, EOFError, AssertionError):
                return False  # the answer is to nothing that was asked
            idle.append(client)
            return True

        for _ in range(limits.CONTROL_CLIENTS):
            until("there is a place for one more", joined)
        turned_away = hotline("--config", alpha.path, "status", timeout_s=10)
        assert turned_away.code == 5
        assert "serving 64 commands already" in turned_away.err
        assert_clear(turned_away)
        assert idle[0].call("status")["station"] == "alpha", "who was there before lost its place"
        alpha.await_logged("control_busy")
    until("there is room again", lambda: alpha.hotline("status").code == 0)
    assert_carries(alpha, bravo, "after the crowd")


@pytest.mark.parametrize("descriptors", [160, 60], ids=["enough for some", "too few"])
def test_idle_operators_that_take_all_descriptors_do_not_end_the_daemon(
    stations: Stations, descriptors: int
) -> None:
    """The store's next reader found no descriptor, which the daemon took for a broken disk."""
    alpha = stations.make("alpha")
    alpha.pin(stations.make("bravo"), calls=False)
    alpha.inside = ("sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh")
    alpha.start()
    alpha.send("bravo", *(message(f"m{number}") for number in range(1000)))
    with contextlib.ExitStack() as opened:
        asking = opened.enter_context(alpha.client())
        assert asking.call("status")["station"] == "alpha"
        crowd = opened.enter_context(contextlib.ExitStack())
        for _ in range(2 * descriptors if descriptors > 2 * limits.CONTROL_CLIENTS else 80):
            idle = crowd.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            idle.settimeout(5)
            until("the backlog has room", lambda idle=idle: connects(idle, alpha))  # type: ignore[misc]
        until(
            "there is no room",
            lambda: alpha.logged("control_busy") or len(descriptors_of(alpha)) >= descriptors,
        )
        # Pages so long that each needs a reader of its own.
        numbers = {asking.post("outbox", limit=1000) for _ in range(8)}
        answers = [asking.take() for _ in numbers]
        assert {answer["id"] for answer in answers} == numbers
        codes = {answer["error"]["data"]["code"] for answer in answers if "error" in answer}
        assert codes <= {"busy"}
        crowd.close()
        until("there is room again", lambda: alpha.hotline("outbox").code == 0)
    assert alpha.running.alive
    assert alpha.logged("store_failed") == alpha.logged("daemon_failed") == []


def connects(idle: socket.socket, station: Station) -> bool:
    """Connect to a control socket, unless its backlog is full."""
    with contextlib.suppress(BlockingIOError):
        idle.connect(str(station.socket))
        return True
    return False


def test_a_connection_watches_once(pair: Pair) -> None:
    """Each further watch would hold a queue of its own, and tell every event once more."""
    alpha, _ = pair
    with alpha.client() as client:
        assert client.call("watch") == {}
        for params in ({}, {"line": "bravo"}):
            with pytest.raises(Refused) as refused:
                client.call("watch", **params)
            assert refused.value.code == -32600
        number = client.post("status")
        while (answer := client.take()).get("id") != number:
            assert answer["method"]
        assert answer["result"]["station"] == "alpha"
    assert alpha.running.alive


# --- what operators may ask -----------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--expires", "--ack-by"])
def test_a_time_beyond_what_a_store_can_hold_is_refused(pair: Pair, option: str) -> None:
    """The number did not fit into a column of the database, and the daemon ended of it."""
    alpha, bravo = pair
    done = alpha.hotline("send", "bravo", "late", option, "2300-01-01T00:00:00Z")
    assert done.code == 2
    assert "2200" in done.err
    assert_clear(done)
    assert_carries(alpha, bravo, f"after {option}")
    assert "late" not in [one["body"] for one in alpha.box("outbox")]


@pytest.mark.parametrize("field", ["expires_at", "ack_by"])
def test_a_program_cannot_name_such_a_time_either(pair: Pair, field: str) -> None:
    """The command's own check is no guard: any program may speak to the control socket."""
    alpha, _ = pair
    try:
        [answer] = alpha.send("bravo", message(f"far-{field}", **{field: "2300-01-01T00:00:00Z"}))
        code = answer["error"]["code"]
    except Refused as refused:
        code = refused.code
    assert code == "bad-request"
    assert alpha.running.alive


@pytest.mark.parametrize("option", ["--expires", "--ack-by"])
@pytest.mark.parametrize("given", ["99999999d", "9999999999999999999d"])
def test_a_duration_beyond_the_calendar_is_a_usage_error(
    pair: Pair, option: str, given: str
) -> None:
    """An operator's typing error was answered as a fault in this program."""
    alpha, _ = pair
    done = alpha.hotline("send", "bravo", "x", option, given)
    assert done.code == 2
    assert given in done.err
    assert_clear(done)


def test_an_id_stands_for_one_subject_and_one_body(pair: Pair) -> None:
    """The second of two messages was called sent already where only the sum of its texts was known."""
    alpha, bravo = pair
    first = message("seam-1", "c", subject="a\0b")
    second = message("seam-1", "b\0c", subject="a")
    [answer] = alpha.send("bravo", first)
    assert "error" not in answer
    [refused] = alpha.send("bravo", second)
    assert refused["error"]["code"] == "id-in-use"
    [repeated] = alpha.send("bravo", first)
    assert "error" not in repeated
    alpha.settled("bravo")
    [got] = [one for one in bravo.box("inbox") if one["id"] == "seam-1"]
    assert (got["subject"], got["body"]) == ("a\0b", "c")


@pytest.mark.parametrize("host", ["a..b", ".a", "a.." + "b" * 10, "x" * 64, "a." + "x" * 64 + ".b"])
def test_a_name_that_dns_cannot_hold_is_no_address(host: str) -> None:
    """Dialling it raised an error that nobody expected, and the daemon ended whenever it tried."""
    with pytest.raises(ConfigError):
        Address(host)
    assert Address("x" * 63 + ".example.").host.endswith("example.")


def test_such_a_name_in_the_configuration_is_found_at_the_start(stations: Stations) -> None:
    """What the check of a configuration lets pass, the daemon finds out in the night."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    alpha.pin(bravo, f"{'x' * 64}.example:1963")
    done = alpha.hotline("run")
    assert done.code == 2
    assert "is not a host" in done.err
    assert_clear(done)


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def rested(stations: Stations) -> Station:
    """Give a station that has run before."""
    alpha = stations.make("alpha")
    alpha.start()
    assert alpha.stop() == 0
    return alpha


@pytest.mark.parametrize(
    ("name", "mode", "good", "code"),
    [("", 0o755, "700", 2), ("", 0o710, "700", 2), ("store.db", 0o644, "600", 1)],
    ids=["folder, read", "folder, entered", "store"],
)
def test_what_others_may_read_is_not_used(
    rested: Station, name: str, mode: int, good: str, code: int
) -> None:
    """Every message lay open to all users of the machine, and nobody was told."""
    path = rested.state / name
    path.chmod(mode)
    done = rested.hotline("run")
    assert done.code == code
    assert f"chmod {good} {path}" in done.err
    assert_clear(done)
    assert stat.S_IMODE(path.stat().st_mode) == mode, "it was put right, and nobody looked who came"
    path.chmod(int(good, 8))
    rested.start()


# --- the command line -----------------------------------------------------------------------------


def without(station: Station, closed: str, *arguments: str) -> Done:
    """Run a command with a descriptor closed, as ``>&-`` does it."""
    stderr = station.folder / f"stderr of {' '.join(arguments)}"
    inside = ("sh", "-c", f'exec "$@" {closed}', "sh")
    command = Running("--config", station.path, *arguments, stderr=stderr, inside=inside)
    return Done(command.wait(), "", stderr.read_text())


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_fault(pair: Pair, closed: str) -> None:
    """A job of cron's without a stdout failed although the message had been queued."""
    alpha, _ = pair
    identifier = "closed-" + "".join(
        filter(str.isalnum, closed.replace("<", "in").replace(">", "x"))
    )
    for code, *arguments in (
        (0, "status"),
        (0, "send", "bravo", "x", "--id", identifier),
        (5, "show", "no-such-message"),
        (2, "send", "bravo", "x", "--expires", "tomorrow"),
    ):
        done = without(alpha, closed, *map(str, arguments))
        assert done.code == code, (arguments, done.err)
        assert_clear(done)
    assert identifier in [one["id"] for one in alpha.box("outbox")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["\udcff\udcfe"],
        ["send", "bravo", "\udcff\udcfe"],
        ["send", "\udcff", "x"],
        ["send", "bravo", "x", "--subject", "\udce9"],
        ["show", "\udcff"],
        ["watch", "\udcff"],
        ["card", "\udcff"],
    ],
    ids=lambda words: " ".join(words).encode("ascii", "backslashreplace").decode(),
)
def test_words_that_are_no_utf_8_are_refused(pair: Pair, arguments: list[str]) -> None:
    """A terminal set to Latin-1 got a fault in this program for an accented letter."""
    alpha, _ = pair
    before = len(alpha.box("outbox"))
    done = alpha.hotline(*arguments)
    assert done.code == 2
    assert "not valid UTF-8" in done.err
    assert_clear(done)
    assert len(alpha.box("outbox")) == before
