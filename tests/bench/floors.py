"""What cannot be avoided, measured bare: a durable commit, a signature, a hop over loopback."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MESSAGE_BYTES: Final = 512
BATCH: Final = 256
"""Rows in one durable commit under load: about what one frame carries."""

UNIT_BYTES: Final = 4096


@dataclass(frozen=True)
class Floors:
    """Seconds each, the median of a few dozen."""

    commit_s: float
    sign_s: float
    verify_s: float
    hop_s: float

    @property
    def message_s(self) -> float:
        """One message from disk to disk: two commits, a signature made and checked, one way over."""
        return 2 * self.commit_s + self.sign_s + self.verify_s + self.hop_s


def measure(times: int = 50) -> Floors:
    """Measure all of them now: the machine may be busier in a minute."""
    with database() as base:
        commit_s = _median(lambda: commit(base, 1), times)
    key = Ed25519PrivateKey.generate()
    public, text = key.public_key(), bytes(200)
    signature = key.sign(text)
    return Floors(
        commit_s,
        _median(lambda: key.sign(text), times),
        _median(lambda: public.verify(signature, text), times),
        hop(times),
    )


@contextmanager
def database() -> Iterator[apsw.Connection]:
    """Give a database on the disk where stations of these tests live, with a real sync a commit."""
    with tempfile.TemporaryDirectory(prefix="hl") as folder:
        base = apsw.Connection(str(Path(folder) / "floor"))
        base.pragma("journal_mode", "wal")
        base.pragma("synchronous", 2)
        base.wal_autocheckpoint(0)
        base.execute("CREATE TABLE entry (number INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        try:
            yield base
        finally:
            base.close()


def commit(base: apsw.Connection, rows: int) -> None:
    """Make so many rows of a message each durable."""
    base.execute("BEGIN IMMEDIATE")
    base.executemany(
        "INSERT INTO entry (data) VALUES (?)", [(bytes(MESSAGE_BYTES),) for _ in range(rows)]
    )
    base.execute("COMMIT")


def rate(messages: int) -> float:
    """Give messages a second at the floor of a bulk: each durable twice, one signature a batch."""
    key = Ed25519PrivateKey.generate()
    public, text = key.public_key(), bytes(200)
    with database() as near, database() as far:
        began = time.perf_counter()
        for _ in range(max(1, messages // BATCH)):
            signature = key.sign(text)
            commit(near, BATCH)
            public.verify(signature, text)
            commit(far, BATCH)
        passed = time.perf_counter() - began
    return max(1, messages // BATCH) * BATCH / passed


def hop(times: int) -> float:
    """Give one way over loopback: half of a unit's echo by a thread that does nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def echo() -> None:
            conn, _ = server.accept()
            with conn:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while data := received(conn, UNIT_BYTES):
                    conn.sendall(data)

        thread = threading.Thread(target=echo)
        thread.start()
        with socket.create_connection(server.getsockname()) as near:
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def once() -> None:
                near.sendall(bytes(UNIT_BYTES))
                received(near, UNIT_BYTES)

            found = _median(once, times) / 2
        thread.join()
    return found


def received(conn: socket.socket, size_bytes: int) -> bytes:
    """Give the next so many bytes, or what came before the end."""
    data = b""
    while len(data) < size_bytes and (piece := conn.recv(size_bytes - len(data))):
        data += piece
    return data


def both_processors() -> float:
    """Give how much more two processes compute side by side than one alone: 2 for two whole cores."""
    alone, together = _passes(1), _passes(2)
    return together / alone


def _passes(processes: int) -> float:
    """Give how many passes of plain Python so many processes make in a second, together."""
    started = [
        subprocess.Popen([sys.executable, "-I", "-c", _PASSES], stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    return sum(float(one.communicate()[0]) for one in started)


_PASSES: Final = """
import time
done, began = 0, time.perf_counter()
while (passed := time.perf_counter() - began) < 0.5:
    sum(n * n for n in range(2000))
    done += 1
print(done / passed)
"""


def python_s() -> float:
    """Give how long a Python process that does nothing takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
    return time.perf_counter() - began


def _median(work: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
