"""Strangers at the listening port, and peers that are not who the configuration says.

Everything here is held for ten seconds by design; so all of it is set going at once, and the tests
then look at one thing each.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from hotline.identity.linesecret import write_line_secret
from support.processes import LONG_S, seen_of, until
from support.stations import Station, Stations, message, start, stations_at_work
from support.stations_proxy import Proxy

UNIT_BYTES = 4096
CLOSED_AFTER_S = 10.0
IDLE_CALLERS = 300


@dataclass
class Caller:
    """A connection to a station, by somebody who may be a stranger."""

    sock: socket.socket
    began: float

    @classmethod
    def call(cls, port: int, source: str = "127.0.0.1") -> Caller:
        """Connect from an address of this machine."""
        began = time.monotonic()
        address = ("127.0.0.1", port)
        return cls(socket.create_connection(address, 10, source_address=(source, 0)), began)


@dataclass
class Ending:
    """What a caller got, and how long after it had called the station hung up."""

    data: bytes
    after_s: float


def endings(callers: dict[str, Caller], timeout_s: float) -> dict[str, Ending]:
    """Wait until every caller is hung up on."""
    names = {caller.sock.fileno(): name for name, caller in callers.items()}
    poll = select.poll()
    for descriptor in names:
        poll.register(descriptor, select.POLLIN)
    got: dict[str, bytes] = dict.fromkeys(callers, b"")
    found: dict[str, Ending] = {}
    deadline = time.monotonic() + timeout_s
    while len(found) < len(callers):
        left_s = deadline - time.monotonic()
        assert left_s > 0, f"still open: {callers.keys() - found.keys()}"
        for descriptor, _ in poll.poll(left_s * 1000):
            name = names[descriptor]
            data = b""
            with contextlib.suppress(ConnectionResetError):
                data = callers[name].sock.recv(65536)
            got[name] += data
            if not data:
                poll.unregister(descriptor)
                found[name] = Ending(got[name], time.monotonic() - callers[name].began)
    return found


@dataclass
class Scene:
    """All that was set going."""

    alpha: Station
    bravo: Station
    proxy: Proxy
    ended: Future[dict[str, Ending]]
    sent: dict[str, bytes]
    wrong_card: tuple[Station, Station]
    wrong_secret: tuple[Station, Station]


def get_through(alpha: Station) -> None:
    """Have alpha call bravo again, and see a message delivered: no process has to start for that."""
    with alpha.client() as client:
        client.call("retry", line="bravo")
        client.call("send", line="bravo", messages=[message("through")])
        client.call("wait", line="bravo", ids=["through"], state="delivered")


def with_another_card(stations: Stations) -> tuple[Station, Station]:
    """Start a pair in which bravo's operator was handed charlie's card as alpha's."""
    alpha, bravo = stations.pair()
    shutil.copyfile(stations.make("charlie").card, bravo.folder / "alpha.card")
    return alpha, bravo


def with_secrets(stations: Stations, *secrets: bytes) -> tuple[Station, Station]:
    """Make a pair, each with a line secret."""
    pair = stations.make("alpha"), stations.make("bravo")
    for station, peer, secret in zip(pair, reversed(pair), secrets, strict=True):
        write_line_secret(station.folder / "line.secret", secret)
        station.pin(peer, secret="line.secret")
    return pair


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Set everything going."""
    with contextlib.ExitStack() as opened:
        stations = opened.enter_context(stations_at_work())
        pool = opened.enter_context(ThreadPoolExecutor(1))
        wrong_card = with_another_card(stations)
        wrong_secret = with_secrets(stations, b"a" * 32, b"b" * 32)
        for pair in (wrong_card, wrong_secret):
            for station, peer in zip(pair, reversed(pair), strict=True):
                station.start()
                station.send(peer.name, message("secret-1", "for one pair of eyes only"))
        alpha, bravo = stations.make("alpha"), stations.make("bravo")
        proxy = opened.enter_context(Proxy(bravo.port))
        alpha.pin(bravo, proxy.address)
        bravo.pin(alpha, calls=False)
        start(alpha, bravo)
        recorded = b"".join(proxy.upstream[0])[:UNIT_BYTES]
        assert len(recorded) == UNIT_BYTES
        sent = {
            "nothing": b"",
            "a byte": b"\0",
            "almost a unit": os.urandom(UNIT_BYTES - 1),
            "a unit": os.urandom(UNIT_BYTES),
            "more than a unit": os.urandom(UNIT_BYTES + 1),
            "many units": os.urandom(32 * UNIT_BYTES),
            "a replay": recorded,
            "a replay and more": recorded + os.urandom(UNIT_BYTES),
            "a damaged replay": recorded[:-1] + bytes([recorded[-1] ^ 1]),
            "a browser": b"GET / HTTP/1.1\r\nHost: bravo\r\n\r\n",
            "half closed": b"\x16\x03\x01",
            "slow": os.urandom(UNIT_BYTES - 1),
        }
        callers = {name: Caller.call(bravo.port) for name in sent}
        for name, data in sent.items():
            opened.callback(callers[name].sock.close)
            callers[name].sock.sendall(data)
        callers["half closed"].sock.shutdown(socket.SHUT_WR)
        ended = pool.submit(endings, callers, LONG_S)
        until("a while", lambda: time.monotonic() - callers["slow"].began > 1)
        callers["slow"].sock.sendall(b"!")
        yield Scene(alpha, bravo, proxy, ended, sent, wrong_card, wrong_secret)


def test_strangers_do_not_hold_the_peer_up(scene: Scene) -> None:
    """While strangers stand at the door, from the peer's own address, the peer must get in at once."""
    assert scene.proxy.cut()
    get_through(scene.alpha)
    assert not scene.ended.done(), "it got in when the others had gone"


def test_the_right_line_secret_opens_the_line(stations: Stations) -> None:
    """Without this, a secret that nobody can use would pass for one that keeps strangers out."""
    alpha, bravo = with_secrets(stations, b"s" * 32, b"s" * 32)
    start(alpha, bravo)
    assert alpha.hotline("send", "bravo", "x", "--wait", "delivered").code == 0


def is_open(sock: socket.socket) -> bool:
    """Tell whether a station has not hung up on a caller."""
    sock.setblocking(False)
    with contextlib.suppress(ConnectionResetError):
        try:
            return bool(sock.recv(1))
        except BlockingIOError:
            return True
    return False


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open a socket for every caller."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("sources", [1, 200])
def test_hundreds_who_just_stand_there_do_not_keep_the_peer_out(
    stations: Stations, sources: int
) -> None:
    """Whoever can open connections could otherwise cut the line without knowing a key."""
    alpha, bravo, port = stations.make("alpha"), stations.make("bravo"), stations.free_port()
    alpha.pin(bravo, f"127.0.0.1:{port}")
    bravo.pin(alpha, calls=False)
    with Proxy(bravo.port, port):
        start(alpha, bravo)
    bravo.when("alpha", state="down")
    with contextlib.ExitStack() as opened:
        idle: list[socket.socket] = []
        for number in range(IDLE_CALLERS):
            source = f"127.0.{0 if sources == 1 else 1}.{number % sources + 1}"
            idle.append(Caller.call(bravo.port, source).sock)
            opened.callback(idle[-1].close)
        opened.enter_context(Proxy(bravo.port, port))
        get_through(alpha)
        held = sum(is_open(sock) for sock in idle)
        assert held, "it got in when the others had gone"


def test_strangers_get_silence_and_all_the_same_end(scene: Scene) -> None:
    """One byte back, or a moment of closing that tells what was sent, betrays what listens here."""
    ended = scene.ended.result()
    assert {name: end.data for name, end in ended.items()} == dict.fromkeys(scene.sent, b"")
    for name, end in ended.items():
        assert end.after_s > CLOSED_AFTER_S - 0.1, name
        assert abs(end.after_s - ended["nothing"].after_s) < 1, name
    scene.bravo.up("alpha")
    scene.bravo.await_logged("stranger_ignored")


@pytest.mark.parametrize("which", ["wrong_card", "wrong_secret"])
def test_whoever_is_not_the_pinned_peer_gets_nothing(scene: Scene, which: str) -> None:
    """A swapped card, or the lack of the secret exchanged in person, must open nothing at all."""
    pair: tuple[Station, Station] = getattr(scene, which)
    for station, peer in zip(pair, reversed(pair), strict=True):
        station.await_logged("dial_failed", line=peer.name, reason="no-answer")
        station.await_logged("stranger_ignored")  # somebody called
        assert station.logged("session_opened") == []
        assert station.logged("line_state", state="up") == []
        assert station.box("inbox") == []
        assert [one["state"] for one in station.box("outbox")] == ["queued"]
        checked = station.hotline("status", "--check", peer.name)
        assert checked.code == 6
        assert "no-answer" in checked.err
        status = station.status(peer.name)
        assert (status["state"], status["in_flight"]) == ("down", 0)
        assert status["detail"]


def first_free_descriptor(pid: int) -> int:
    """Give it once the process opens and closes nothing: a client that just left may hold one yet."""

    def taken() -> dict[str, int]:
        folder = seen_of(pid, "fd")
        with contextlib.suppress(FileNotFoundError):  # closed while we looked
            return {one.name: one.lstat().st_ino for one in folder.iterdir()}
        return {}

    def at_rest() -> set[int]:
        before = taken()
        time.sleep(0.3)
        return {int(name) for name in before} if taken() == before else set()

    numbers = until("no descriptor is opened or closed", at_rest)
    return next(number for number in range(len(numbers) + 1) if number not in numbers)


def test_a_daemon_without_a_descriptor_left_says_so_and_goes_on(stations: Stations) -> None:
    """Traces on stderr, ten a second, were all that an operator got, past the log."""
    alpha, bravo = stations.running_pair()
    pid = bravo.running.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (first_free_descriptor(pid), limits[1]))
    with contextlib.closing(Caller.call(bravo.port).sock), bravo.client() as operator:
        for door in (bravo.address, "control"):
            logged = bravo.await_logged("accept_failed", door=door)
            assert logged["why"] == "too many open files"
        alpha.send("bravo", message("meanwhile"))
        alpha.settled("bravo")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert operator.call("status")["station"] == "bravo"
    assert "Traceback" not in bravo.stderr.read_text()
