"""``make demo``: two stations on one machine, and one line between them from first key to recovery.

Everything is done with the ``hotline`` command, as an operator would, and every claim printed here is
checked: if one does not hold, the demo says so and exits non-zero. Keys and stores are kept, so a
second run goes on with the same stations. ``--dir`` names a folder with a ``config`` of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parent.parent
HOTLINE: Final = Path(sys.executable).with_name("hotline")

DEADLINE_S: Final = 60.0
"""For any one thing to happen: far longer than it takes, short enough to be told of a failure."""

POLL_S: Final = 0.05
REFUSED: Final = 5
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailedError(Exception):
    """Something did not happen as the demo claims."""


def say(text: str) -> None:
    """Say what is to be seen next."""
    print(f"\n# {text}", flush=True)


def expect(claim: str, *, holds: bool) -> None:
    """Fail unless what was claimed holds."""
    if not holds:
        raise DemoFailedError(f"this should hold, and does not: {claim}")


class Station:
    """One side: its configuration, and its daemon while that runs."""

    def __init__(self, name: str, peer: str, folder: Path) -> None:
        """Read where the station listens; nothing is started."""
        self.name = name
        self.peer = peer
        self._folder = folder
        self._config = Path("config") / f"{name}.toml"
        settings = tomllib.loads((folder / self._config).read_text())
        self.key = folder / "config" / settings["station"]["key"]
        self.card = folder / "config" / settings["station"]["card"]
        self._listen: list[str] = settings["station"]["listen"]
        self._state = folder / "config" / settings["station"]["state"]
        self._daemon: subprocess.Popen[bytes] | None = None

    # --- commands ---

    def command(self, *arguments: str) -> list[str]:
        """Give a command line of this station's operator."""
        return ["hotline", "--config", str(self._config), *arguments]

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command and give its outcome, unseen."""
        return subprocess.run(
            [HOTLINE, *self.command(*arguments)[1:]],
            cwd=self._folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S + 5,
            check=False,
        )

    def run(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Run a command and show it with its output, as it would stand on a terminal."""
        show(self.command(*arguments))
        done = self.ask(*arguments)
        print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode not in allowed:
            raise DemoFailedError(f"that command exited with {done.returncode}")
        return done.stdout

    def run_until(self, what: str, fits: Callable[[str], bool], *arguments: str) -> str:
        """Repeat a command until its output fits, and show that last time."""

        def attempt() -> str | None:
            done = self.ask(*arguments)
            return done.stdout if done.returncode == 0 and fits(done.stdout) else None

        output = wait_for(what, attempt)
        show(self.command(*arguments))
        print(output, end="", flush=True)
        return output

    def objects(self, *arguments: str) -> list[dict[str, Any]]:
        """Give the objects that a reading verb prints with --json, unseen."""
        done = self.ask(*arguments, "--json")
        if done.returncode != 0:
            raise DemoFailedError(f"{self.name}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def line(self) -> dict[str, Any]:
        """Give the state of the line to the peer."""
        [status] = self.objects("status")
        [line] = status["lines"]
        found: dict[str, Any] = line
        return found

    # --- messages ---

    def send(self, text: str, *options: str) -> str:
        """Send a message, shown, and give its id."""
        words = self.run("send", self.peer, text, *options).split()
        expect("send answers with a state and an id", holds=len(words) > 1)
        return words[1]

    def states(self, ids: list[str]) -> list[str]:
        """Give what has become of messages of ours."""
        known = {one["id"]: str(one["state"]) for one in self.objects("outbox", "--limit", "100")}
        return [known.get(identifier, "unknown") for identifier in ids]

    def received(self, ids: list[str]) -> list[dict[str, Any]]:
        """Give those of our received messages that have one of ids, in the order of the log."""
        found = [one for one in self.objects("inbox", "--limit", "100") if one["id"] in ids]
        return sorted(found, key=lambda one: int(one["number"]))

    # --- the daemon ---

    def check_ports(self) -> None:
        """Fail with a plain sentence if another program uses this station's port."""
        for address in self._listen:
            host, _, port = address.rpartition(":")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, int(port)))
                except OSError as error:
                    raise DemoFailedError(
                        f"{address}, where station {self.name} listens, cannot be used: "
                        f"{error.strerror}. Is another demo running? "
                        f"Stop it, or change the port in config/*.toml."
                    ) from None

    def start(self) -> None:
        """Start the daemon, shown, and wait until it answers its operator."""
        print(f"$ {shlex.join(self.command('run'))} &", flush=True)
        # state/ itself is private too: a station that is made beside the demo keeps its state there.
        for folder in (self._state.parent, self._state):
            folder.mkdir(mode=0o700, exist_ok=True)
        # A session of its own, so that Ctrl-C reaches the demo alone, which then stops both.
        with (self._state / "stderr.log").open("wb") as log, uninterrupted():
            self._daemon = subprocess.Popen(
                [HOTLINE, *self.command("run")[1:]],
                cwd=self._folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(f"the daemon of {self.name} answers", self._answers)

    def _answers(self) -> bool | None:
        if self._daemon is not None and self._daemon.poll() is not None:
            told = (self._state / "stderr.log").read_text(errors="replace")
            raise DemoFailedError(f"the daemon of {self.name} did not start:\n{told.strip()}")
        return self.ask("status").returncode == 0 or None

    def kill(self) -> None:
        """End the daemon as a power cut would: kill -9, shown."""
        if self._daemon is None:
            raise DemoFailedError(f"the daemon of {self.name} is not running")
        print(f"$ kill -9 {self._daemon.pid}", flush=True)
        self._daemon.kill()
        self._daemon.wait()
        self._daemon = None

    def stop(self) -> int | None:
        """Stop the daemon in good order, whatever has happened; gives its exit code."""
        daemon, self._daemon = self._daemon, None
        if daemon is None:
            return None
        daemon.terminate()
        try:
            return daemon.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            daemon.kill()
            return daemon.wait()


def show(command: list[str]) -> None:
    """Show a command as it would be typed."""
    print(f"$ {shlex.join(command)}", flush=True)


def environment() -> dict[str, str]:
    """Give the environment of an operator: a configuration of another station must not get in."""
    return {name: value for name, value in os.environ.items() if name != "HOTLINE_CONFIG"}


def wait_for(what: str, attempt: Callable[[], T | None]) -> T:
    """Try until attempt gives something, and fail if it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while (found := attempt()) is None:
        if time.monotonic() >= deadline:
            raise DemoFailedError(f"this did not happen within {DEADLINE_S:.0f} s: {what}")
        time.sleep(POLL_S)
    return found


def wait_for_up(station: Station) -> None:
    """Wait until a station's line is up; a halted one never will be."""

    def attempt() -> bool | None:
        line = station.line()
        if line["state"] == "halted":
            raise DemoFailedError(
                f"the line is halted at {station.name}: {line['detail']}\n"
                "If a state folder of the demo was removed or put back, remove both and run again."
            )
        return line["state"] == "up" or None

    wait_for(f"{station.name}: the line is up", attempt)


# --- the scenes -----------------------------------------------------------------------------------


def make_identities(alpha: Station, bravo: Station) -> None:
    say("Each operator makes a station: a secret key that stays there, and a card for the peer.")
    for station in (alpha, bravo):
        there = [path.exists() for path in (station.key, station.card)]
        station.run("init", station.name, allowed=(REFUSED,) if any(there) else (0,))
        if any(there) and not all(there):
            raise DemoFailedError(
                f"remove the rest of a broken pair: {station.key}, {station.card}"
            )
        if any(there):
            say(f"Station {station.name} has its key and card from an earlier run: they are kept.")


def compare_pair_codes(alpha: Station, bravo: Station) -> None:
    say("Both operators read the same words to each other: now each card is known to be genuine.")
    for station in (alpha, bravo):
        station.run("peer", "verify", station.peer)
    words = [s.objects("peer", "verify", s.peer)[0]["words"] for s in (alpha, bravo)]
    expect("both stations show the same pair code", holds=words[0] == words[1])


def start_daemons(alpha: Station, bravo: Station) -> None:
    say("Both daemons start; the line comes up by itself.")
    for station in (alpha, bravo):
        station.check_ports()
    for station in (alpha, bravo):
        station.start()
    for station in (alpha, bravo):
        wait_for_up(station)
    alpha.run("status", "--check")


def exchange_messages(alpha: Station, bravo: Station) -> None:
    say("Alpha sends: 'queued' is on alpha's disk, 'delivered' is on bravo's, signed for by bravo.")
    wait = ("--wait", "delivered", "--timeout", "30")
    routine = alpha.send("Convoy of four trucks moves at 0600Z.", *wait)
    flash = alpha.send(
        "Aircraft 20 NM off course, not hostile.", "--precedence", "flash", "--ack-by", "15m", *wait
    )
    expect("both are delivered", holds=alpha.states([routine, flash]) == ["delivered"] * 2)
    say("They are in bravo's inbox.")
    bravo.run("inbox", "--open", "--limit", "2")
    expect("bravo has each of them once", holds=len(bravo.received([routine, flash])) == 2)

    say("Bravo's operator answers for the FLASH: will comply. Alpha sees who said so, and when.")
    bravo.run("ack", flash, "--decision", "wilco", "--note", "Fighters held on the ground.")
    alpha.run_until("alpha knows the acknowledgement", lambda out: "wilco" in out, "show", flash)
    expect("the state is acknowledged", holds=alpha.states([flash]) == ["acknowledged"])

    say("A reply goes the other way over the same line.")
    reply = bravo.send("Understood. Tracking it.", "--precedence", "priority", *wait)
    alpha.run("show", reply)
    expect("alpha has the reply once", holds=len(alpha.received([reply])) == 1)


def show_heartbeats(alpha: Station) -> None:
    say("The heartbeat log: each beat with its round trip, and each change of the line's state.")
    alpha.run_until(
        "a heartbeat has come back", lambda out: " ms " in out, "heartbeats", "--limit", "6"
    )


def lose_and_recover(alpha: Station, bravo: Station) -> None:
    say("Bravo's daemon dies without a word.")
    bravo.kill()
    say("Alpha says so, says why, and when it tries again.")
    alpha.run_until(
        "alpha tells of its next attempt",
        lambda out: "bravo: down" in out and "next attempt" in out,
        "status",
    )
    say("Alpha goes on: what it accepts is on its disk, whatever becomes of the line.")
    ids = [
        alpha.send(text, "--precedence", precedence)
        for precedence, text in (
            ("routine", "Weather report at 1200Z."),
            ("flash", "Second aircraft, same course."),
            ("priority", "Convoy is delayed by one hour."),
        )
    ]
    alpha.run("outbox", "--open", "--limit", "3")
    expect("all three are queued", holds=alpha.states(ids) == ["queued"] * 3)

    say("Bravo is started again. Nobody has to send anything twice.")
    bravo.start()
    wait_for_up(alpha)
    wait_for("all three are delivered", lambda: alpha.states(ids) == ["delivered"] * 3 or None)
    say("Each came once, the most urgent first, though it was not the first to be queued.")
    bravo.run("inbox", "--open", "--limit", "3")
    found = [(one["precedence"], one["id"]) for one in bravo.received(ids)]
    routine, flash, priority = ids
    wanted = [("FLASH", flash), ("PRIORITY", priority), ("ROUTINE", routine)]
    expect(f"bravo received {wanted}, not {found}", holds=found == wanted)


def finish(alpha: Station, bravo: Station) -> None:
    say("The line as both sides see it now.")
    for station in (alpha, bravo):
        wait_for_up(station)
        station.run("status", "--check")
    say("Both daemons are told to stop, and say goodbye to each other first.")
    for station in (alpha, bravo):
        code = station.stop()
        expect(f"the daemon of {station.name} stops with exit code 0, not {code}", holds=code == 0)
    print(
        "\nThe demo is over: everything was as it said. Its stations stay under keys/ and state/."
    )


@contextlib.contextmanager
def stopping(*stations: Station) -> Iterator[None]:
    """Leave no daemon behind, whatever ends the demo."""
    try:
        yield
    finally:
        # A second Ctrl-C must not keep the other daemon alive.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for station in stations:
            station.stop()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off a signal while a daemon is started: one nobody knows of could not be stopped."""
    put_off: list[int] = []
    handlers = {
        number: signal.signal(number, lambda got, _frame: put_off.append(got)) for number in SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if put_off:
        raise SystemExit(128 + put_off[0])


def interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    """End as the shell says of a process that a signal ended."""
    raise SystemExit(128 + number)


def main() -> int:
    """Show everything, in order; 1 if something was not as claimed."""
    parser = argparse.ArgumentParser(description="Two stations and one line between them.")
    parser.add_argument(
        "--dir", type=Path, default=ROOT, help="a folder with config/alpha.toml and bravo.toml"
    )
    folder = parser.parse_args().dir.resolve()
    for number in SIGNALS:
        signal.signal(number, interrupted)
    try:
        alpha, bravo = Station("alpha", "bravo", folder), Station("bravo", "alpha", folder)
        with stopping(alpha, bravo):
            for station in (alpha, bravo):
                station.check_ports()
            make_identities(alpha, bravo)
            compare_pair_codes(alpha, bravo)
            start_daemons(alpha, bravo)
            exchange_messages(alpha, bravo)
            show_heartbeats(alpha)
            lose_and_recover(alpha, bravo)
            finish(alpha, bravo)
    except (DemoFailedError, OSError, subprocess.TimeoutExpired) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
