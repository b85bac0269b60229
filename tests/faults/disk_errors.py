"""A disk that fails: errors put into single system calls of a running daemon by strace.

An error is injected in place of the call, so nothing was written by it. What cannot be made so is a
disk that loses what it said was written: the simulator does that.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from faults.arena import Arena
from faults.catalogue import scenario
from faults.network import WITH_US
from faults.station import FaultStation

from support.processes import until

SYNCS: Final = "fdatasync,fsync"
WRITES: Final = "pwrite64"
_LONG_S: Final = 20.0
STORE_FAILED: Final = 1


class Tracer:
    """strace on every thread of a daemon that runs; ``fired`` counts the calls it has failed."""

    def __init__(self, pid: int, calls: str, fault: str, log: Path) -> None:
        self._log = log
        log.write_text("")
        command = ["strace", "-f", "-p", str(pid), "-o", str(log), "-e", f"trace={calls}"]
        command += ["-e", f"inject={calls}:{fault}"]
        self._process = subprocess.Popen(
            [*WITH_US, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        tasks = Path(f"/proc/{pid}/task")
        until("strace has attached", lambda: _all_traced(tasks))

    def fired(self) -> int:
        """Give how many calls it has failed so far."""
        return self._log.read_text().count("(INJECTED)")

    def close(self) -> None:
        """Let the daemon go on alone."""
        self._process.terminate()
        self._process.communicate()


def _all_traced(tasks: Path) -> bool:
    """Tell whether strace has every thread, or the daemon has met the fault and is gone."""
    with contextlib.suppress(OSError):  # a thread may end while we look
        states = [(task / "status").read_text() for task in tasks.iterdir()]
        return all("TracerPid:\t0\n" not in one or "State:\tZ" in one for one in states)
    return not tasks.exists()


@contextlib.contextmanager
def traced(arena: Arena, station: FaultStation, calls: str, fault: str) -> Iterator[Tracer]:
    """Fail calls of a station's daemon."""
    tracer = Tracer(station.pid, calls, fault, arena.folder / "strace")
    try:
        yield tracer
    finally:
        tracer.close()


def fatal(arena: Arena, calls: str, error: str) -> None:
    """Fail the first, second, third ... of some calls: the daemon must say so, sign nothing, and go."""
    arena.begin()
    arena.load()
    times = 0
    for number in range(1, (4 if arena.short else 40) + 1):
        victim = arena.pair[number % 2]
        arena.work(1, 30)
        with traced(arena, victim, calls, f"error={error}:when={number}") as tracer:
            until("a call fails", tracer.fired, _LONG_S)
            began = time.monotonic()
            code = victim.running.wait(_LONG_S)
            arena.figures.detected_s.append(time.monotonic() - began)
            times += tracer.fired()
        arena.expect(
            f"call {number}: exit code {STORE_FAILED}, not {code}", holds=code == STORE_FAILED
        )
        _check_last_words(arena, victim, number)
        _check_farewell(arena, victim, began)
        began = time.monotonic()
        victim.start()
        arena.figures.recovered_s.append(arena.watch_until_up(began) - began)
    arena.fired(f"{error} in {calls}", times=times)
    arena.settle()


def _check_last_words(arena: Arena, victim: FaultStation, number: int) -> None:
    """The alarm is given once in a life, and nothing about entries or receipts comes after it."""
    alarms = victim.logged("store_failed", level="critical")
    arena.expect(
        f"{number}: {victim.name} has raised an alarm", holds=len(alarms) == (number + 1) // 2
    )
    said = victim.stderr.read_text().splitlines()
    last = max((at for at, line in enumerate(said) if "store_failed" in line), default=len(said))
    after = [line for line in said[last + 1 :] if "receipt_taken" in line or "entries" in line]
    arena.expect(f"{number}: nothing is done after the alarm: {after[:1]}", holds=not after)


def _check_farewell(arena: Arena, victim: FaultStation, began: float) -> None:
    """An operator over there must not read that somebody had wished it so."""
    said = arena.reasons(arena.peer_of(victim), began, time.monotonic())
    arena.expect(f"nobody says that it was stopped: {said}", holds="peer-stopped" not in said)


@scenario("eio-sync", "strace")
def eio_sync(arena: Arena) -> None:
    """After a failed fsync nobody knows what is durable: who goes on, promises what may be gone."""
    fatal(arena, SYNCS, "EIO")


@scenario("enospc-sync", "strace")
def enospc_sync(arena: Arena) -> None:
    """A disk that finds no room only when it syncs has lost what it took: that is no full disk."""
    fatal(arena, SYNCS, "ENOSPC")


@scenario("eio-write", "strace")
def eio_write(arena: Arena) -> None:
    """A write that fails must not be taken for a full disk, and not be tried again."""
    fatal(arena, WRITES, "EIO")


def full(arena: Arena, fault: str, what: str) -> None:
    """Fail a write as a full disk does: the request is refused, and the daemon lives on."""
    arena.begin()
    arena.load()
    times = 0
    for number in range(1, (4 if arena.short else 40) + 1):
        victim = arena.pair[number % 2]
        arena.work(1, 30)
        with traced(arena, victim, WRITES, f"{fault}:when={number}") as tracer:
            until("a call fails", tracer.fired, _LONG_S)
            times += tracer.fired()
        arena.expect(f"write {number}: the daemon lives", holds=victim.running.alive)
    arena.fired(what, times=times)
    arena.settle()


@scenario("enospc-write", "strace")
def enospc_write(arena: Arena) -> None:
    """A disk that is full for one write must cost one request, told to whom it was refused."""
    full(arena, "error=ENOSPC", "ENOSPC in pwrite64")


@scenario("short-write", "strace")
def short_write(arena: Arena) -> None:
    """A write that wrote nothing, and said so, must not leave half a commit behind."""
    full(arena, "retval=0", "pwrite64 of 0 bytes")


@scenario("eio-start", "strace")
def eio_start(arena: Arena) -> None:
    """A disk that fails while the store is opened must stop the start, and not the next one."""
    arena.begin()
    arena.load()
    arena.work(50, 100)
    victim, log = arena.alpha, arena.folder / "strace"
    began_all = time.monotonic()
    times, number, survived = 0, 0, False
    while not survived and number < (2 if arena.short else 40):
        number += 1
        victim.kill()  # so that there is something to recover
        fault = f"inject={SYNCS}:error=EIO:when={number}"
        victim.prefix = ["strace", "-D", "-f", "-o", str(log), "-e", f"trace={SYNCS}", "-e", fault]
        victim.launch()
        code = victim.running.wait(_LONG_S)
        times += log.read_text().count("(INJECTED)")
        arena.expect(f"start {number} ends with an error, not {code}", holds=code > 0)
        survived = bool(victim.logged("store_failed")) or code == 0
        victim.prefix = []
        victim.start()
        arena.work(1, 30)
    arena.fired(f"EIO in {SYNCS} of a start", times=times)
    arena.figures.notes.append(f"the first {number} syncs, in {time.monotonic() - began_all:.1f} s")
    arena.settle()
