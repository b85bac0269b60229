"""Real stations: folders, ports, daemons, and clients of their control sockets.

A station's identity is made once a session by ``hotline init`` and copied: keys take a while.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from support.processes import LONG_S, Done, Running, hotline, until

Message = dict[str, Any]

BEAT_S: Final = 0.5
"""Heartbeats quick enough for a test to see them missed, slow enough for a busy machine."""

SLOW_BEAT_S: Final = 5.0
"""For tests that would take a session's end for a fault: no machine is so busy that it is missed."""

_SHOWN_LINES: Final = 60


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the test
    """The daemon answered with an error; ``code`` is its stable word, or JSON-RPC's number."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: str | int = error.get("data", {}).get("code", error["code"])
        self.hint = str(error.get("data", {}).get("hint", ""))


class Client:
    """One connection to a control socket; speaks the bytes that a program in any language would."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(LONG_S)
            self.sock.connect(str(path))
        except BaseException:
            self.sock.close()
            raise
        self._lines = self.sock.makefile("rb")
        self._last_id = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self.sock.close()

    def post(self, method: str, **params: Any) -> int:
        """Send a request and give its number."""
        self._last_id += 1
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        return self._last_id

    def take(self) -> dict[str, Any]:
        """Give the next object that comes; raises EOFError at the end."""
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the daemon hung up")
        value: dict[str, Any] = json.loads(line)
        return value

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask, and give the result; raises Refused."""
        number = self.post(method, **params)
        while (answer := self.take()).get("id") != number:
            assert "method" in answer, f"an answer to nothing we asked: {answer}"
        if "error" in answer:
            raise Refused(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result


class Station:
    """One station in a folder of its own."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        shutil.copytree(_made(name), folder)
        self.folder = folder
        self.name = name
        self.port = port
        self.host = "127.0.0.1"
        self.inside: tuple[str, ...] = ()
        self.card = folder / f"{name}.card"
        self.stderr = folder / "stderr"
        self.log_settings: dict[str, int] = {}
        self.lines: dict[str, dict[str, Any]] = {}
        self.daemon: Running | None = None
        self._begun: list[Running] = []
        self.write()

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.folder / "hotline.toml"

    @property
    def state(self) -> Path:
        """The state folder: store, logs and control socket."""
        return self.folder / "state"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.state / "control.sock"

    @property
    def address(self) -> str:
        """Where this station listens."""
        return f"{self.host}:{self.port}"

    def pin(self, peer: Station, *addresses: str, calls: bool = True, **settings: Any) -> None:
        """Add or replace the line to peer: at its own address if none is given, if we call at all."""
        shutil.copyfile(peer.card, self.folder / f"{peer.name}.card")
        self.lines[peer.name] = {
            "name": peer.name,
            "card": f"{peer.name}.card",
            "addresses": (list(addresses) or [peer.address]) if calls else [],
            "heartbeat_s": BEAT_S,
            **settings,
        }
        self.write()

    def write(self) -> None:
        """Write the configuration file."""
        station = {
            "name": self.name,
            "key": f"{self.name}.key",
            "card": f"{self.name}.card",
            "state": "state",
            "listen": [self.address],
        }
        tables: list[tuple[str, dict[str, Any]]]
        tables = [("[station]", station), ("[log]", {**self.log_settings})]
        tables += [("[[line]]", line) for line in self.lines.values()]
        text = ""
        for heading, values in tables:
            # Plain text, numbers and lists are the same in TOML as in JSON.
            text += f"{heading}\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in values.items())
        self.path.write_text(text)

    # --- the daemon ---

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        self.launch()
        self.ready()

    def launch(self) -> None:
        """Start the daemon without waiting."""
        self.daemon = Running("--config", self.path, "run", stderr=self.stderr, inside=self.inside)

    def ready(self) -> None:
        """Wait until a daemon that was launched answers."""
        until(f"{self.name} answers", self._answers)

    def _answers(self) -> bool:
        assert self.running.alive, f"the daemon of {self.name} ended: {self.stderr.read_text()}"
        with contextlib.suppress(OSError, EOFError):
            return bool(self.call("status"))
        return False

    @property
    def running(self) -> Running:
        """The daemon, which must have been started."""
        assert self.daemon is not None
        return self.daemon

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the daemon and give its exit code."""
        return self.running.stop(number)

    def kill(self) -> None:
        """Kill the daemon as a power cut would."""
        self.running.kill()

    def clean_up(self) -> None:
        """End what still runs, even if it is stopped by a signal."""
        for running in (*self._begun, self.daemon):
            if running is not None and running.alive:
                running.kill()

    # --- operators ---

    def hotline(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Run a verb to its end."""
        return hotline("--config", self.path, *arguments, stdin=stdin)

    def begin(self, *arguments: str | Path) -> Running:
        """Start a verb; if the test leaves it running, it is ended with the station."""
        self._begun.append(Running("--config", self.path, *arguments))
        return self._begun[-1]

    def json(self, *arguments: str, stdin: bytes = b"") -> list[dict[str, Any]]:
        """Run a verb with --json, which must succeed, and give the objects on its stdout."""
        done = self.hotline(*arguments, "--json", stdin=stdin)
        assert done.code == 0, f"hotline {arguments}: exit {done.code}: {done.err}"
        return [json.loads(line) for line in done.out.splitlines()]

    def client(self) -> Client:
        """Connect to the control socket."""
        return Client(self.socket)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the daemon over a connection of its own."""
        with self.client() as client:
            return client.call(method, **params)

    def status(self, line: str) -> dict[str, Any]:
        """Give a line's status."""
        found: dict[str, Any] = next(
            one for one in self.call("status")["lines"] if one["name"] == line
        )
        return found

    def send(self, line: str, *messages: Message) -> list[dict[str, Any]]:
        """Queue messages and give the answer to each."""
        results: list[dict[str, Any]] = self.call("send", line=line, messages=list(messages))[
            "results"
        ]
        return results

    def box(self, side: str, line: str | None = None) -> list[Message]:
        """Give every message of the inbox or outbox, oldest first."""
        found: list[Message] = []
        more, after = True, 0
        with self.client() as client:
            while more:
                wanted = {} if line is None else {"line": line}
                page = client.call(side, after=after, limit=1000, **wanted)
                found += page["messages"]
                more = page["more"]
                after = found[-1]["row"] if found else 0
        return found

    def up(self, line: str) -> dict[str, Any]:
        """Wait until a line is up, and give its status."""
        return self.when(line, state="up")

    def when(self, line: str, **wanted: Any) -> dict[str, Any]:
        """Wait until a line's status has these values, and give it."""

        def has() -> dict[str, Any] | None:
            status = self.status(line)
            return status if all(status[key] == value for key, value in wanted.items()) else None

        return until(f"line {line} of {self.name} has {wanted}", has)

    def fit(self, *lines: str) -> None:
        """Wait until ``status --check`` says that lines, or all of them, are fit for use."""

        def checked() -> bool:
            return self.hotline("status", "--check", *lines).code == 0

        until(f"{self.name} is fit", checked)

    def settled(self, line: str) -> None:
        """Wait until all that was accepted for a line is delivered."""
        self.when(line, queued=0, in_flight=0)

    # --- logs ---

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Give the lines of the daemon's log that have this event and these fields."""
        return [
            line
            for line in log_lines(self.state / "daemon.jsonl")
            if line["event"] == event and fields.items() <= line.items()
        ]

    def await_logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the daemon's log, and give it."""
        return until(f"{self.name} logs {event} {fields}", lambda: self.logged(event, **fields))[0]

    def show_logs(self) -> None:
        """Print the end of what the daemon wrote, for whoever looks into a failure."""
        if self.stderr.exists():
            print(f"--- what {self.name} said last:")
            print("\n".join(self.stderr.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]))


class Stations:
    """Makes stations in a folder whose path is short, as a Unix socket's must be."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hl"))
        self._ports: list[socket.socket] = []
        self.all: list[Station] = []

    def make(self, name: str) -> Station:
        """Make a station without lines."""
        folder = self._folder / f"{len(self.all)}-{name}"
        station = Station(folder, name, self.free_port())
        self.all.append(station)
        return station

    def pair(self, **settings: Any) -> tuple[Station, Station]:
        """Make alpha and bravo with a line between them; settings are for both."""
        alpha, bravo = self.make("alpha"), self.make("bravo")
        alpha.pin(bravo, **settings)
        bravo.pin(alpha, **settings)
        return alpha, bravo

    def running_pair(self, **settings: Any) -> tuple[Station, Station]:
        """Make alpha and bravo, start both, and wait until the line is up."""
        alpha, bravo = self.pair(**settings)
        start(alpha, bravo)
        return alpha, bravo

    def one_session(self) -> tuple[Station, Station]:
        """Do the same, but only alpha calls: two who call each other may begin with several.

        The heartbeat is a slow one, so that no busy machine makes them begin another.
        """
        alpha, bravo = self.pair(heartbeat_s=SLOW_BEAT_S)
        bravo.pin(alpha, calls=False, heartbeat_s=SLOW_BEAT_S)
        start(alpha, bravo)
        return alpha, bravo

    def free_port(self) -> int:
        """Give a port that stays ours: it is bound but not listened on, so nobody else is given it.

        A daemon, which binds with SO_REUSEADDR as we do, can still listen there.
        """
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        self._ports.append(held)
        port: int = held.getsockname()[1]
        return port

    def show_logs(self) -> None:
        """Print what all daemons wrote: pytest shows it for a failed test only."""
        for station in self.all:
            station.show_logs()

    def close(self) -> None:
        """End all daemons and remove everything."""
        for station in self.all:
            station.clean_up()
        for held in self._ports:
            held.close()
        shutil.rmtree(self._folder)


def start(*stations: Station) -> None:
    """Start several daemons at once and wait until all of their lines are up."""
    for station in stations:
        station.launch()
    for station in stations:
        station.ready()
    for station in stations:
        for line in station.lines:
            station.up(line)


def log_lines(path: Path) -> list[dict[str, Any]]:
    """Give the whole lines of a log; one that is just being written is left out."""
    if not path.exists():
        return []
    text = path.read_text()
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def message(identifier: str, body: str = "", **fields: Any) -> Message:
    """Give a message for ``send``."""
    return {"id": identifier, "body": body or f"body of {identifier}", **fields}


@functools.cache
def _made(name: str) -> Path:
    folder = _identities() / name
    done = hotline("init", name, "--dir", folder, "--listen", "127.0.0.1:1")
    assert done.code == 0, done.err
    (folder / "hotline.toml").unlink()
    return folder


@functools.cache
def _identities() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="hl")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@contextlib.contextmanager
def stations_at_work() -> Iterator[Stations]:
    """Give a maker of stations, and clean up after them."""
    made = Stations()
    try:
        yield made
    finally:
        made.show_logs()
        made.close()
